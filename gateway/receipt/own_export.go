// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/pem"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ExportedProof names the files that prove one record in an own log to other programs. They tell nothing of the signer or of
// the file that was signed.
type ExportedProof struct {
	Proof      string   `json:"proof"`      // c2sp.org/tlog-proof@v1; of a receipt with one entry its extra data has the rest, see ParseProof
	Spicy      string   `json:"spicy"`      // the same as torchwood's spicy command looks for it, beside the record
	Record     string   `json:"record"`     // whose RFC 6962 leaf hash is proven
	Policy     string   `json:"policy"`     // c2sp.org/tlog-policy: the own log's key, and no witness
	Checkpoint string   `json:"checkpoint"` // the bytes that are anchored
	Anchors    []string `json:"anchors"`    // Sigstore bundles v0.3 over them
	AnchorKeys []string `json:"anchorKeys"` // the keys of those, PEM
}

// ExportTlogProofs writes what others need to check that each record is in the own log and its checkpoint in a log, and returns the
// files: one element for each entry, numbered from the second on. A receipt whose signer was not checked is not exported, since
// nothing of that is in these files. Refusals have ReasonExportNotPossible.
func (r *Report) ExportTlogProofs(dir string) ([]ExportedProof, error) {
	if !r.SignerChecked {
		return nil, refuse(ReasonExportNotPossible, "the signer was not checked, and nothing in an own log's proof says who it was",
			hintSigner)
	}
	for _, e := range r.logged {
		if e.entry.GetOwn() == nil {
			return nil, refuse(ReasonExportNotPossible, "the signature is recorded in a log directly, and not in a gateway's own", "export for stock cosign: --export-cosign FOLDER")
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- nothing in it is secret
		return nil, fmt.Errorf("exporting proofs: %w", err)
	}
	var out []ExportedProof
	for i, e := range r.logged {
		x, err := e.exportProof(Export{Dir: dir}, i, r.receipt)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (e logEntry) exportProof(dir Export, i int, r *receiptpb.Receipt) (ExportedProof, error) {
	own := e.entry.GetOwn()
	proof := []byte(own.GetProof())
	_, c, err := openOwnProof(own, nil)
	if err != nil {
		return ExportedProof{}, err
	}
	if len(r.GetEntries()) == 1 {
		text, err := formatProofText(r)
		switch {
		case err == nil:
			proof = text
		case formats.ReasonOf(err) != ReasonExportNotPossible: // else there is too much for extra data
			return ExportedProof{}, err
		}
	}
	x := ExportedProof{
		Proof: dir.path("record.tlog-proof", i), Record: dir.path("record.json", i), Policy: dir.path("policy.txt", i), Checkpoint: dir.path("checkpoint.txt", i),
	}
	x.Spicy = x.Record + ".spicy"
	content := map[string][]byte{
		x.Proof: proof, x.Spicy: spicyText(own.GetProof()), x.Record: own.GetBody(), x.Policy: []byte("log " + e.ownKey + "\nquorum none\n"), x.Checkpoint: c.anchored,
	}
	for n, a := range own.GetAnchors() {
		bundle, err := protojson.Marshal(a.GetBundle())
		if err != nil {
			return ExportedProof{}, fmt.Errorf("encoding bundle: %w", err)
		}
		at := i*MaxAnchors + n // so that no two have one name
		x.Anchors, x.AnchorKeys = append(x.Anchors, dir.path("anchor.json", at)), append(x.AnchorKeys, dir.path("anchor.pem", at))
		content[x.Anchors[n]], content[x.AnchorKeys[n]] = bundle, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: a.GetSpki()})
	}
	for path, b := range content {
		if err := os.WriteFile(path, b, 0o644); err != nil { // #nosec G306 -- nothing in it is secret
			return ExportedProof{}, fmt.Errorf("exporting proofs: %w", err)
		}
	}
	return x, nil
}
