// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

var full = gateway.SubmissionFields{
	Digests: []formats.Digest{digest, {Algorithm: formats.SHA512, Value: bytes.Repeat([]byte{7}, 64)}},
	Signatures: []gateway.RecordedSignature{
		{Signers: [][32]byte{signer, {1}}, Representation: gateway.Projected, Way: gateway.Direct, Evidence: formats.EvidenceDigest},
		{Representation: gateway.Attested, Way: gateway.Direct, Evidence: formats.EvidenceBytes},
	},
	Labels: map[string]string{"a": "ü\x00\"", "": ""},
}

func TestColumns(t *testing.T) {
	for name, want := range map[string]gateway.SubmissionFields{"full": full, "empty": {}} {
		c, err := EncodeColumns(&want)
		if err != nil {
			t.Fatal(name, err)
		}
		if c.Digests == nil || c.Signatures == nil || c.Labels == "" {
			t.Errorf("%s: a column would be NULL: %+v", name, c)
		}
		got := full // what was there before must go
		if err := c.Decode(&got); err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestUnknownColumns(t *testing.T) {
	for name, f := range map[string]gateway.SubmissionFields{
		"algorithm":      {Digests: []formats.Digest{{Algorithm: "md5", Value: make([]byte, 32)}}},
		"digest size":    {Digests: []formats.Digest{{Algorithm: formats.SHA256, Value: make([]byte, 31)}}},
		"representation": {Signatures: []gateway.RecordedSignature{{Way: gateway.Direct, Evidence: formats.EvidenceBytes}}},
		"way":            {Signatures: []gateway.RecordedSignature{{Representation: gateway.Native, Evidence: formats.EvidenceBytes}}},
		"evidence":       {Signatures: []gateway.RecordedSignature{{Representation: gateway.Native, Way: gateway.Direct}}},
		"signers": {Signatures: []gateway.RecordedSignature{{
			Representation: gateway.Native, Way: gateway.Direct, Evidence: formats.EvidenceBytes, Signers: make([][32]byte, 1<<16),
		}}},
	} {
		if c, err := EncodeColumns(&f); err == nil || !reflect.DeepEqual(c, Columns{}) {
			t.Errorf("%s: encoded, error %v", name, err)
		}
	}
}

func TestDamagedColumns(t *testing.T) {
	good, err := EncodeColumns(&full)
	if err != nil {
		t.Fatal(err)
	}
	change := func(b []byte, at int, to byte) []byte {
		b = bytes.Clone(b)
		b[at] = to
		return b
	}
	for name, c := range map[string]Columns{
		"labels":             {Labels: "[]"},
		"empty labels":       {},
		"digest code 0":      {Labels: "{}", Digests: change(good.Digests, 0, 0)},
		"digest code":        {Labels: "{}", Digests: change(good.Digests, 0, 5)},
		"digest cut":         {Labels: "{}", Digests: good.Digests[:len(good.Digests)-1]},
		"digest and a byte":  {Labels: "{}", Digests: append(bytes.Clone(good.Digests), 1)},
		"representation":     {Labels: "{}", Signatures: change(good.Signatures, 0, 4)},
		"way":                {Labels: "{}", Signatures: change(good.Signatures, 1, 9)},
		"evidence":           {Labels: "{}", Signatures: change(good.Signatures, 2, 0)},
		"more signers":       {Labels: "{}", Signatures: change(good.Signatures, 4, 3)},
		"signature cut":      {Labels: "{}", Signatures: good.Signatures[:len(good.Signatures)-1]},
		"signature and more": {Labels: "{}", Signatures: append(bytes.Clone(good.Signatures), 1, 1, 1, 0)},
	} {
		if err := c.Decode(new(gateway.SubmissionFields)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if r, err := DecodeReceipt([]byte{0xff}); err == nil || r != nil {
		t.Errorf("damaged receipt: %v, %v", r, err)
	}
	for _, b := range [][]byte{{0}, {0, 0, 0, 1}, {0, 0, 0, 1, 1, 0}, {255, 255, 255, 255, 1}} {
		if tokens, err := DecodeTokens(b); err == nil || tokens != nil {
			t.Errorf("damaged tokens %x: %x, %v", b, tokens, err)
		}
	}
}

// FuzzColumns: what decodes is in the one form that its value has.
func FuzzColumns(f *testing.F) {
	c, err := EncodeColumns(&full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Digests, c.Signatures, []byte{0, 0, 0, 1, 9, 0, 0, 0, 0})
	f.Add([]byte{}, []byte{1, 1, 1, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, digests, signatures, tokens []byte) {
		if v, err := decodeDigests(digests); err == nil {
			if again, err := encodeDigests(v); err != nil || !bytes.Equal(again, digests) {
				t.Errorf("digests %x read as %v, which is %x: %v", digests, v, again, err)
			}
		} else if v != nil {
			t.Errorf("%v beside %v", v, err)
		}
		if v, err := decodeSignatures(signatures); err == nil {
			if again, err := encodeSignatures(v); err != nil || !bytes.Equal(again, signatures) {
				t.Errorf("signatures %x read as %v, which is %x: %v", signatures, v, again, err)
			}
		} else if v != nil {
			t.Errorf("%v beside %v", v, err)
		}
		if v, err := DecodeTokens(tokens); err == nil {
			if again, err := EncodeTokens(v); err != nil || !bytes.Equal(again, tokens) {
				t.Errorf("tokens %x read as %x, which is %x: %v", tokens, v, again, err)
			}
		} else if v != nil {
			t.Errorf("%x beside %v", v, err)
		}
	})
}

func TestReceipt(t *testing.T) {
	for _, want := range []*receiptpb.Receipt{nil, {}, {Notes: []string{"x"}}} {
		b, err := EncodeReceipt(want)
		if err != nil || (b == nil) != (want == nil) {
			t.Fatalf("%v: %v", b, err)
		}
		if got, err := DecodeReceipt(b); err != nil || !proto.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("receipt is %v (%v), want %v", got, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, want := range [][][]byte{nil, {{1, 2}}, {{}, {3}, make([]byte, 300)}} {
		b, err := EncodeTokens(want)
		if err != nil || (b == nil) != (want == nil) {
			t.Fatalf("%v: %v", b, err)
		}
		if got, err := DecodeTokens(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("tokens are %x (%v), want %x", got, err, want)
		}
	}
}

// TestCodes: codes are stored, so none may ever change.
func TestCodes(t *testing.T) {
	for name, test := range map[string]struct{ got, want any }{
		"algorithms":      {algorithms, []digestForm{{"sha256", 32}, {"sha384", 48}, {"sha512", 64}, {"blake2b-512", 64}}},
		"representations": {representations, []gateway.Representation{"NATIVE", "PROJECTED", "ATTESTED"}},
		"ways":            {ways, []gateway.Way{"DIRECT", "BATCHED"}},
		"evidences":       {evidences, []formats.Evidence{"BYTES", "DIGEST"}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	b, err := EncodeColumns(&gateway.SubmissionFields{Signatures: []gateway.RecordedSignature{{
		Signers: [][32]byte{{7}}, Representation: gateway.Attested, Way: gateway.Direct, Evidence: formats.EvidenceBytes,
	}}})
	if want := append([]byte{3, 1, 1, 0, 1, 7}, make([]byte, 31)...); err != nil || !bytes.Equal(b.Signatures, want) {
		t.Errorf("a signature is %x (%v), want %x", b.Signatures, err, want)
	}
}

func TestMatches(t *testing.T) {
	near := formats.Digest{Algorithm: digest.Algorithm, Value: bytes.Clone(digest.Value)}
	near.Value[31]++
	nearSigner := signer
	nearSigner[31]++
	for name, test := range map[string]struct {
		p    gateway.ListParams
		want bool
	}{
		"nothing asked":         {gateway.ListParams{}, true},
		"both":                  {gateway.ListParams{Artifact: &digest, Signer: &signer}, true},
		"same prefix":           {gateway.ListParams{Artifact: &near}, false},
		"same prefix of signer": {gateway.ListParams{Artifact: &digest, Signer: &nearSigner}, false},
	} {
		if got := Matches(&full, test.p); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	a, err1 := DigestPrefix(digest)
	b, err2 := DigestPrefix(near)
	if err1 != nil || err2 != nil || bytes.Equal(a, b) {
		t.Error("digests that begin alike are one in the index: whoever names them could fill a search with look-alikes")
	}
	if !bytes.Equal(SignerPrefix(signer), SignerPrefix(nearSigner)) {
		t.Error("this test's signers have another prefix")
	}
}

func TestMillis(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("", 3600))
	if got, want := FromMillis(Millis(at)), at.UTC().Truncate(time.Millisecond); got != want {
		t.Errorf("%v is kept as %v, want %v", at, got, want)
	}
	if got := FromMillis(Millis(time.Time{})); !got.IsZero() {
		t.Errorf("the zero time is kept as %v", got)
	}
}

func TestTreeSize(t *testing.T) {
	if n, err := TreeSize(math.MaxInt64); err != nil || n != math.MaxInt64 {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := TreeSize(math.MaxInt64 + 1); err == nil {
		t.Errorf("2^63 is taken as %d", n)
	}
}
