// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	tlogproof "github.com/transparency-dev/formats/proof"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// exportProof returns the proof that verify --export-tlog-proof writes, and the one for the spicy command.
func exportProof(tb testing.TB, b *batched) (text, spicy []byte) {
	tb.Helper()
	report, err := receipt.Verify(tb.Context(), b.receipt, b.options())
	if err != nil {
		tb.Fatal(err)
	}
	x, err := report.ExportTlogProofs(tb.TempDir())
	if err != nil || len(x) != 1 {
		tb.Fatalf("%v, %v", x, err)
	}
	return readFile(tb, x[0].Proof), readFile(tb, x[0].Spicy)
}

// TestParseProof: with a signature of any format beside it, a proof with its extra data proves what the receipt does.
func TestParseProof(t *testing.T) {
	all := everyBatched(t)
	for name, b := range pgpFiles(t) {
		all["pgp, "+name] = b
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			text, _ := exportProof(t, b)
			condensed, err := receipt.ParseProof(text, b.signature)
			if err != nil {
				t.Fatal(err)
			}
			want, err := receipt.Verify(t.Context(), b.receipt, b.options())
			if err != nil {
				t.Fatal(err)
			}
			o := b.options()
			o.Condensed = true
			got, err := receipt.Verify(t.Context(), condensed, o)
			if err != nil || got.String() != want.String() {
				t.Errorf("%v, %v, want\n%v", err, got, want)
			}
			x, err := got.ExportTlogProofs(t.TempDir())
			if err != nil || !bytes.Equal(readFile(t, x[0].Proof), text) || !bytes.Equal(readFile(t, x[0].Record), b.record().GetBody()) {
				t.Errorf("exported again: %v", err)
			}
		})
	}
}

// TestParseProofWithEmbeddedOne: a signature file with a proof in it does as well.
func TestParseProofWithEmbeddedOne(t *testing.T) {
	b := pgpFiles(t)["detached, attested"]
	text, _ := exportProof(t, b)
	condensed, err := receipt.ParseProof(text, embed(t, b))
	if err != nil || !bytes.Equal(condensed.GetSignature().GetContent(), b.signature) {
		t.Errorf("%v", err)
	}
}

func TestParseProofRefuses(t *testing.T) {
	b, several := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED), readCorpusReceipt(t, "own-pgp-mixed")
	text, spicy := exportProof(t, b)
	_, bare, _ := strings.Cut(string(spicy), "\n") // hashes, checkpoint
	good := string(text)
	head, rest, _ := strings.Cut(good, "\n")
	extra, rest, _ := strings.Cut(rest, "\n")
	withProof, err := receipt.EncodeCondensed(several)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want formats.Reason
	}{
		"no extra data":        {head + "\n" + rest, receipt.ReasonNoAnchor},
		"as spicy writes it":   {string(spicy), receipt.ReasonNoAnchor},
		"empty extra data":     {head + "\nextra \n" + rest, receipt.ReasonMalformedReceipt},
		"extra data alone":     {head + "\n" + extra + "\n", receipt.ReasonMalformedReceipt},
		"twice":                {head + "\n" + extra + "\n" + extra + "\n" + rest, receipt.ReasonMalformedReceipt},
		"other base64":         {strings.Replace(good, "\nindex", "=\nindex", 1), receipt.ReasonMalformedReceipt},
		"another's extra data": {head + "\nextra " + base64Of([]byte("somebody's")) + "\n" + rest, receipt.ReasonMalformedReceipt},
		"large extra data":     {head + "\nextra " + strings.Repeat("A", 4*receipt.MaxCondensed/3+8) + "\n" + rest, receipt.ReasonMalformedReceipt},
		"several entries":      {head + "\nextra " + base64Of(withProof) + "\n" + rest, receipt.ReasonMalformedReceipt},
		"CRLF":                 {strings.ReplaceAll(good, "\n", "\r\n"), receipt.ReasonMalformedReceipt},
		"leading zero":         {strings.Replace(good, "index ", "index 0", 1), receipt.ReasonMalformedReceipt},
		"more after it":        {good + "more\n", receipt.ReasonMalformedReceipt},
		"no index":             {head + "\n" + extra + "\n" + bare, receipt.ReasonMalformedReceipt},
		"huge":                 {good + strings.Repeat("\n", receipt.MaxProofText), receipt.ReasonMalformedReceipt},
		"nothing":              {"", receipt.ReasonMalformedReceipt},
	} {
		if r, err := receipt.ParseProof([]byte(c.text), b.signature); formats.ReasonOf(err) != c.want || r != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if !receipt.IsProofText(text) || !receipt.IsProofText(spicy) || receipt.IsProofText(b.signature) {
		t.Error("not told from other files")
	}
}

// TestParseProofMixed: the extra data of one record, the proof of another.
func TestParseProofMixed(t *testing.T) {
	a, b := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED), batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	ofA, _ := exportProof(t, a)
	ofB, _ := exportProof(t, b)
	split := func(text []byte) (extra, rest string) {
		at := bytes.Index(text, []byte("index "))
		return string(text[:at]), string(text[at:])
	}
	extra, _ := split(ofA)
	_, rest := split(ofB)
	condensed, err := receipt.ParseProof([]byte(extra+rest), a.signature)
	if err != nil {
		t.Fatal(err)
	}
	a.receipt = condensed
	o := a.options()
	o.Condensed = true
	a.refused(t, o, receipt.ReasonCheckpointInvalid, nil)
}

func readCorpusReceipt(t *testing.T, name string) *receiptpb.Receipt {
	t.Helper()
	r, err := receipt.Unmarshal(readFile(t, filepath.Join(corpusDir, name, "receipt.json")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEmbedProofOfSeveral: a file with two armors, and one receipt for both.
func TestEmbedProofOfSeveral(t *testing.T) {
	r := readCorpusReceipt(t, "own-pgp-mixed")
	file, err := receipt.EmbedProof(r.GetSignature().GetContent(), r)
	if err != nil {
		t.Fatal(err)
	}
	condensed, err := receipt.FindProof(file)
	if err != nil || !bytes.Equal(receipt.CutProof(file), r.GetSignature().GetContent()) {
		t.Fatal(err)
	}
	folder := filepath.Join(corpusDir, "own-pgp-mixed")
	kept := readVerdicts(t, folder)
	for _, v := range kept.Verifications {
		o := v.options(t, folder, kept.Trust)
		o.Condensed = true
		if _, err := receipt.Verify(t.Context(), condensed, o); (err == nil) != (v.Verdict == verdictOK) {
			t.Errorf("%s: %v, want %s", v.Name, err, v.verdict)
		}
	}
}

// FuzzParseProof: what is accepted has one spelling, is no larger than it may be, and means the same to a library that reads more.
func FuzzParseProof(f *testing.F) {
	b := batch(f, projected(f, 1), receiptpb.Receipt_PROJECTED)
	text, spicy := exportProof(f, b)
	f.Add(text)
	f.Add(spicy)
	f.Add(bytes.Replace(text, []byte("index"), []byte("extra AAAA\nindex"), 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r *receiptpb.Receipt
		var err error
		checkAllocated(t, len(text), func() { r, err = receipt.ParseProof(text, b.signature) })
		if err != nil {
			if reason := formats.ReasonOf(err); r != nil || reason != receipt.ReasonMalformedReceipt && reason != receipt.ReasonNoAnchor {
				t.Fatalf("%v beside %v", r, err)
			}
			return
		}
		if len(text) > receipt.MaxProofText {
			t.Errorf("a proof of %d bytes", len(text))
		}
		var theirs tlogproof.TLogProof
		if err := theirs.Unmarshal(text); err != nil {
			t.Fatalf("formats/proof: %v", err)
		}
		if !bytes.Equal(theirs.Marshal(), text) || theirs.ExtraData == nil {
			t.Errorf("formats/proof reads another one: %+v", theirs)
		}
		theirs.ExtraData = nil
		if again := r.GetEntries()[0].GetOwn().GetProof(); again != string(theirs.Marshal()) {
			t.Errorf("the receipt has another proof: %s", again)
		}
	})
}
