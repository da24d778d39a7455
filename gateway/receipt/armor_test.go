// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const pgpTestdata = "../../formats/pgp/testdata"

// batchPGP is a batched PGP signature of the format's test data.
func batchPGP(tb testing.TB, signature []byte, key, artifact string, as receiptpb.Receipt_Representation) *batched {
	tb.Helper()
	read := func(name string) []byte { return readFile(tb, filepath.Join(pgpTestdata, name)) }
	s := &signed{format: "pgp", signature: signature, keys: [][]byte{read(key)}, policy: formats.Policy{Now: made}}
	if artifact != "" {
		s.content = read(artifact)
	}
	return batch(tb, s, as)
}

// pgpFiles are files of each kind that a proof goes into.
func pgpFiles(tb testing.TB) map[string]*batched {
	detached := readFile(tb, filepath.Join(pgpTestdata, "armored.asc"))
	cleartext := readFile(tb, filepath.Join(pgpTestdata, "cleartext.asc"))
	return map[string]*batched{
		"detached":           batchPGP(tb, detached, "rsa3072.key", "artifact", receiptpb.Receipt_PROJECTED),
		"detached, CRLF":     batchPGP(tb, bytes.ReplaceAll(detached, []byte("\n"), []byte("\r\n")), "rsa3072.key", "artifact", receiptpb.Receipt_PROJECTED),
		"detached, attested": batchPGP(tb, detached, "rsa3072.key", "artifact", receiptpb.Receipt_ATTESTED),
		"cleartext":          batchPGP(tb, cleartext, "rsa3072.key", "", receiptpb.Receipt_PROJECTED),
		"cleartext, CRLF":    batchPGP(tb, bytes.ReplaceAll(cleartext, []byte("\n"), []byte("\r\n")), "rsa3072.key", "", receiptpb.Receipt_PROJECTED),
		"without headers":    batchPGP(tb, enarmor(readFile(tb, filepath.Join(pgpTestdata, "rsa4096-SHA256.sig")), ""), "rsa4096.key", "artifact", receiptpb.Receipt_PROJECTED),
	}
}

func enarmor(packets []byte, headers string) []byte {
	return []byte("-----BEGIN PGP SIGNATURE-----\n" + headers + "\n" + base64.StdEncoding.EncodeToString(packets) + "\n-----END PGP SIGNATURE-----\n")
}

func embed(tb testing.TB, b *batched) []byte {
	tb.Helper()
	out, err := receipt.EmbedProof(b.signature, b.receipt)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestEmbedProof: what is read out of a signature file proves what the receipt does, and the file is as before without it.
func TestEmbedProof(t *testing.T) {
	for name, b := range pgpFiles(t) {
		t.Run(name, func(t *testing.T) {
			file := embed(t, b)
			if again, err := receipt.EmbedProof(file, b.receipt); err != nil || !bytes.Equal(again, file) {
				t.Errorf("embedded again: %v", err)
			}
			if bare := receipt.CutProof(file); !bytes.Equal(bare, b.signature) || !receipt.MayHaveProof(file) {
				t.Errorf("without it:\n%s", bare)
			}
			if c, err := receipt.FindProof(b.signature); c != nil || err != nil {
				t.Errorf("found %v, %v where there is none", c, err)
			}
			condensed, err := receipt.FindProof(file)
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
			parsed, err := registry.Parse(t.Context(), "pgp", file, b.keys, b.policy)
			if err != nil {
				t.Fatal(err)
			}
			var artifact formats.Artifact
			if b.content != nil {
				artifact = formats.FromReader(bytes.NewReader(b.content))
			}
			verified, err := parsed.Verify(t.Context(), artifact)
			_, before := b.facts(t, b.receipt.GetRepresentation())
			if err != nil || !bytes.Equal(verified.Canonical, before.Canonical) || !bytes.Equal(verified.Form, before.Form) {
				t.Errorf("another signature for the gateway: %v", err)
			}
		})
	}
}

// TestEmbedProofLines: the headers that are there come first, and the lines end as theirs; none is long, and none is after the armor.
func TestEmbedProofLines(t *testing.T) {
	for name, b := range pgpFiles(t) {
		file := string(embed(t, b))
		headers, end := string(b.signature), "\n"
		if strings.Contains(name, "CRLF") {
			end = "\r\n"
		}
		before, _, _ := strings.Cut(headers[strings.Index(headers, "-----BEGIN PGP SIGNATURE"):], end+end)
		at := strings.Index(file, before+end+"Comment: rekor-gateway.dev/proof/v1 ")
		if at < 0 {
			t.Errorf("%s: not below the headers:\n%s", name, file)
		}
		for line := range strings.SplitSeq(file[max(at, 0):], end) {
			if strings.ContainsAny(line, "\r\n") || strings.HasPrefix(line, "Comment: ") && len(line) > 76 {
				t.Errorf("%s: line %q", name, line)
			}
		}
		if !strings.HasSuffix(file, headers[len(headers)-40:]) {
			t.Errorf("%s: there is something after the armor", name)
		}
	}
}

// TestEmbedProofSize: in an own log and a log of 10 million entries each, the latter with three cosignatures, by a large key.
func TestEmbedProofSize(t *testing.T) {
	const limit = 6 << 10
	b := pgpFiles(t)["without headers"]
	b.receipt = growTrees(t, b.receipt)
	n := len(embed(t, b)) - len(b.signature)
	t.Logf("%d bytes of headers", n)
	if n > limit {
		t.Errorf("%d bytes, want at most %d", n, limit)
	}
}

// TestEmbedProofRefuses says no where the file is not the receipt's, or has no place for a proof.
func TestEmbedProofRefuses(t *testing.T) {
	files := pgpFiles(t)
	b := files["detached"]
	binary := batchPGP(t, readFile(t, filepath.Join(pgpTestdata, "rsa3072-SHA256.sig")), "rsa3072.key", "artifact", receiptpb.Receipt_PROJECTED)
	large := proto.CloneOf(files["detached, attested"].receipt)
	large.Notes = []string{strings.Repeat("x", receipt.MaxCondensed)}
	for name, c := range map[string]struct {
		file []byte
		r    *receiptpb.Receipt
		want formats.Reason
	}{
		"another signature": {files["without headers"].signature, b.receipt, receipt.ReasonClaimMismatch},
		"another line end":  {bytes.ReplaceAll(b.signature, []byte("\n"), []byte("\r\n")), b.receipt, receipt.ReasonClaimMismatch},
		"no armor":          {binary.signature, binary.receipt, receipt.ReasonExportNotPossible},
		"large":             {b.signature, large, receipt.ReasonExportNotPossible},
		"two proofs":        {append(embed(t, b), embed(t, b)...), b.receipt, receipt.ReasonMalformedReceipt},
	} {
		if out, err := receipt.EmbedProof(c.file, c.r); formats.ReasonOf(err) != c.want || out != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestEmbedProofSubmittedWithOne: where another gateway's proof was in the file as it was submitted, the new one takes its place.
func TestEmbedProofSubmittedWithOne(t *testing.T) {
	first := pgpFiles(t)["detached"]
	second := batchPGP(t, embed(t, first), "rsa3072.key", "artifact", receiptpb.Receipt_PROJECTED)
	file := embed(t, second)
	condensed, err := receipt.FindProof(file)
	if err != nil || !bytes.Equal(receipt.CutProof(file), first.signature) {
		t.Fatal(err)
	}
	o := second.options()
	o.Condensed = true
	if _, err := receipt.Verify(t.Context(), condensed, o); err != nil {
		t.Error(err)
	}
}

// TestFindProofRefuses: headers are not signed, and what is in them is anybody's.
func TestFindProofRefuses(t *testing.T) {
	b := pgpFiles(t)["detached"]
	whole := string(embed(t, b))
	begin := strings.Index(whole, "Comment: rekor-gateway.dev")
	end := strings.Index(whole[begin:], "\n\n") + begin + 1
	lines := strings.SplitAfter(whole[begin:end], "\n")
	lines = lines[:len(lines)-1]
	with := func(lines ...string) string { return whole[:begin] + strings.Join(lines, "") + whole[end:] }
	swapped := append([]string{}, lines...)
	swapped[2], swapped[3] = swapped[3], swapped[2]
	last := lines[len(lines)-1]
	for name, file := range map[string]string{
		"no lines":           with(lines[0]),
		"a line less":        with(lines[:len(lines)-1]...),
		"a short line":       with(append(append([]string{}, lines[:3]...), append([]string{lines[3][:40] + "\n"}, lines[4:]...)...)...),
		"lines swapped":      with(swapped...),
		"twice":              with(append(lines, lines...)...),
		"a second size":      with(append(lines, lines[0])...),
		"another header in":  with(append(append([]string{}, lines[:3]...), append([]string{"Version: 1\n"}, lines[3:]...)...)...),
		"CRLF in":            with(append(append([]string{}, lines[:3]...), append([]string{strings.TrimSuffix(lines[3], "\n") + "\r\n"}, lines[4:]...)...)...),
		"CRLF all":           with(strings.ReplaceAll(strings.Join(lines, ""), "\n", "\r\n")),
		"no checksum":        with(append([]string{strings.Join(strings.Fields(lines[0])[:3], " ") + "\n"}, lines[1:]...)...),
		"another checksum":   with(append([]string{strings.TrimSuffix(lines[0], "\n")[:len(lines[0])-3] + "--\n"}, lines[1:]...)...),
		"no size":            with(append([]string{"Comment: rekor-gateway.dev/proof/v1 \n"}, lines[1:]...)...),
		"size of a sign":     with(append([]string{strings.Replace(lines[0], "v1 ", "v1 +", 1)}, lines[1:]...)...),
		"size with a zero":   with(append([]string{strings.Replace(lines[0], "v1 ", "v1 0", 1)}, lines[1:]...)...),
		"size of nothing":    with("Comment: rekor-gateway.dev/proof/v1 0\n"),
		"huge size":          with(append([]string{"Comment: rekor-gateway.dev/proof/v1 9223372036854775807\n"}, lines[1:]...)...),
		"size over 63 bits":  with(append([]string{"Comment: rekor-gateway.dev/proof/v1 18446744073709551617\n"}, lines[1:]...)...),
		"another size":       with(append([]string{fmt.Sprintf("Comment: rekor-gateway.dev/proof/v1 %d\n", receipt.MaxCondensed+1)}, lines[1:]...)...),
		"a newer version":    with(append([]string{strings.Replace(lines[0], "v1", "v2", 1)}, lines[1:]...)...),
		"blank at an end":    with(append(append([]string{}, lines[:len(lines)-1]...), strings.TrimSuffix(last, "\n")+" \n")...),
		"no base64":          with(append(append([]string{}, lines[:2]...), append([]string{"Comment: " + strings.Repeat("-", 64) + "\n"}, lines[3:]...)...)...),
		"in a second armor":  string(b.signature) + whole,
		"and a second armor": whole + whole,
		"not a receipt":      string(addBytes(t, b.signature, []byte("\xff\xff\xff"))),
		"a receipt of more":  string(addBytes(t, b.signature, []byte("\x22\x00\xf8\x7f\x01"))), // a signature, and field 2047
		"an empty receipt":   string(addBytes(t, b.signature, []byte("\x68\x04"))),
	} {
		if c, err := receipt.FindProof([]byte(file)); formats.ReasonOf(err) != receipt.ReasonMalformedReceipt || c != nil {
			t.Errorf("%s: %v, %v", name, c.GetSubmissionId(), err)
		}
		if bare := receipt.CutProof([]byte(file)); name != "not a receipt" && name != "a receipt of more" && name != "an empty receipt" && string(bare) != file {
			t.Errorf("%s: cut", name)
		}
	}
}

func addBytes(t *testing.T, file, proof []byte) []byte {
	t.Helper()
	out, err := receipt.AddProof(file, proof)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFindProofElsewhere: what looks like a proof in signed text, or below the headers, is none.
func TestFindProofElsewhere(t *testing.T) {
	marker := "Comment: rekor-gateway.dev/proof/v1 3\nComment: AAAA\n"
	for name, file := range map[string]string{
		"signed text":         "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + marker + string(enarmor([]byte("x"), "")),
		"another kind":        "-----BEGIN PGP MESSAGE-----\n" + marker + "\nAAAA\n-----END PGP MESSAGE-----\n",
		"no end of headers":   "-----BEGIN PGP SIGNATURE-----\n" + marker,
		"a line without name": "-----BEGIN PGP SIGNATURE-----\nx\n" + marker + "\n",
		"nothing":             "",
		"first line alone":    "-----BEGIN PGP SIGNATURE-----",
	} {
		if c, err := receipt.FindProof([]byte(file)); c != nil || err != nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// TestProofOfAnother: a proof put into somebody else's file, and files of one signer exchanged.
func TestProofOfAnother(t *testing.T) {
	files := pgpFiles(t)
	a, b := files["detached"], files["without headers"]
	_, proofOfA, err := receipt.ReadProof(embed(t, a))
	if err != nil {
		t.Fatal(err)
	}
	condensed, err := receipt.FindProof(addBytes(t, b.signature, proofOfA))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys [][]byte
		want formats.Reason
	}{"by the file's key": {b.keys, receipt.ReasonSignerMismatch}, "by the proof's key": {a.keys, receipt.ReasonSignerMismatch}} {
		o := a.options()
		o.Condensed, o.ExpectedKeys = true, c.keys
		if _, err := receipt.Verify(t.Context(), condensed, o); formats.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	condensed.Signature.Content = files["cleartext"].signature // by the same key
	o := a.options()
	o.Condensed, o.Artifact = true, nil
	if report, err := receipt.Verify(t.Context(), condensed, o); err == nil {
		t.Errorf("accepted: %v", report)
	}
	condensed.Artifact = files["cleartext"].receipt.GetArtifact()
	condensed.Recorded[0].ClaimedTime = files["cleartext"].receipt.GetRecorded()[0].GetClaimedTime()
	if _, err := receipt.Verify(t.Context(), condensed, o); formats.ReasonOf(err) != receipt.ReasonProofInvalid {
		t.Errorf("another file by the same signer: %v", err)
	}
}

// checkAllocated holds what is allocated for an input of that size to a few times the size, and what the largest proof takes.
func checkAllocated(t *testing.T, size int, do func()) {
	t.Helper()
	before := allocated()
	do()
	if took, limit := allocated()-before, uint64(4*size+(8<<20)); took > limit {
		t.Errorf("%d bytes for an input of %d", took, size)
	}
}

// allocated is the sum of all allocations so far. runtime.ReadMemStats stops the world, which is too slow to fuzz with.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzFindProof: what is found in a file can be put into the rest of it and found again, the rest has none, and neither costs more than
// a few times the file.
func FuzzFindProof(f *testing.F) {
	b := batchPGP(f, readFile(f, filepath.Join(pgpTestdata, "armored.asc")), "rsa3072.key", "artifact", receiptpb.Receipt_PROJECTED)
	file := embed(f, b)
	f.Add(file)
	f.Add(b.signature)
	f.Add(bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")))
	f.Add(append([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ntext\n"), file...))
	f.Add([]byte("-----BEGIN PGP SIGNATURE-----\nComment: rekor-gateway.dev/proof/v1 3\nComment: AAAA\nComment: x\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		var c *receiptpb.Receipt
		var err error
		checkAllocated(t, len(file), func() { c, err = receipt.FindProof(file) })
		if err != nil && (c != nil || formats.ReasonOf(err) != receipt.ReasonMalformedReceipt) {
			t.Fatalf("%v beside %v", c, err)
		}
		bare, proof, err := receipt.ReadProof(file)
		if err != nil || proof == nil {
			if proof != nil || err == nil && !bytes.Equal(bare, file) {
				t.Fatal("cut where there is none")
			}
			return
		}
		if len(proof) > receipt.MaxCondensed {
			t.Errorf("a proof of %d bytes", len(proof))
		}
		if _, again, err := receipt.ReadProof(bare); again != nil || err != nil {
			t.Errorf("there was another one: %v", err)
		}
		put, err := receipt.AddProof(bare, proof)
		if err != nil {
			t.Fatal(err)
		}
		if rest, again, err := receipt.ReadProof(put); err != nil || !bytes.Equal(rest, bare) || !bytes.Equal(again, proof) {
			t.Errorf("put in and found again: %v", err)
		}
	})
}
