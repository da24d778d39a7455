// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
)

// later is the strict policy, on the day after the data in forms was made.
func later(t *testing.T) formats.Policy {
	return formats.Policy{Now: certificate(t, "forms/cert.pem").NotBefore.Add(24 * time.Hour)}
}

// TestForm: a copy with other certificates or unsigned attributes is told from the original, one that is
// wrapped otherwise or attached is not, and neither are the two readings of one file.
func TestForm(t *testing.T) {
	original, artifact := file(t, "forms/attached-sha512.der"), file(t, "artifact.bin")
	keys := [][]byte{file(t, "forms/cert.pem")}
	form := func(signature []byte) *formats.Verified {
		v, err := run(signature, keys, artifact, later(t))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := form(original)
	for name, c := range map[string]struct {
		signature []byte
		same      bool
	}{
		"as it is":             {original, true},
		"as PEM":               {pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: original}), true},
		"detached":             {cmsedit.Detach(original), true},
		"without certificates": {cmsedit.DropCertificates(original), false},
		"unsigned attribute":   {cmsedit.AddUnsigned(original, "one"), false},
	} {
		v := form(c.signature)
		if !bytes.Equal(v.Canonical, first.Canonical) {
			t.Errorf("%s: another canonical form", name)
		}
		if bytes.Equal(v.Form, first.Form) != c.same {
			t.Errorf("%s: form %x, the original's %x", name, v.Form, first.Form)
		}
	}
	one, two := form(cmsedit.AddUnsigned(original, "one")), form(cmsedit.AddUnsigned(original, "two"))
	if bytes.Equal(one.Form, two.Form) {
		t.Error("two unsigned attributes have one form")
	}
	if bare := form(cmsedit.DropCertificates(original)); bare.Form != nil {
		t.Error("a signature with nothing unsigned has a form")
	}
}

// TestStatedDigests: an attached signature states the same digests however its artifact is sent.
func TestStatedDigests(t *testing.T) {
	content := file(t, "artifact.bin")
	for md, a := range map[string]formats.DigestAlgorithm{"sha256": formats.SHA256, "sha384": formats.SHA384, "sha512": formats.SHA512} {
		for _, name := range []string{"forms/attached-" + md + ".der", "forms/attached-" + md + "-noattr.der"} {
			s := parse(t, file(t, name), later(t))
			want := []formats.Digest{*digest(formats.SHA256, content)}
			if a != formats.SHA256 {
				want = append(want, *digest(a, content))
			}
			for how, given := range map[string]formats.Artifact{
				"nothing": {}, "the bytes": formats.FromReader(bytes.NewReader(content)),
				"SHA-256": formats.FromDigest(*digest(formats.SHA256, content)), "SHA-384": formats.FromDigest(*digest(formats.SHA384, content)),
				"SHA-512": formats.FromDigest(*digest(formats.SHA512, content)), "BLAKE2b": formats.FromDigest(*digest(formats.BLAKE2b512, content)),
			} {
				v, err := s.Verify(context.Background(), given)
				if err != nil || len(v.Digests) != len(want) || !v.Digests[0].Equal(want[0]) || !v.Digests[len(want)-1].Equal(want[len(want)-1]) ||
					v.Size != int64(len(content)) || v.Evidence() != formats.EvidenceBytes {
					t.Errorf("%s, %s sent: %+v, %v", name, how, v, err)
				}
			}
		}
	}
}
