// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
)

// FuzzParse: at most one format claims any one input; under whatever name it is sent there is a
// value or a refusal with a reason, for work in proportion to the input, and what one format recognises is never malformed to another.
func FuzzParse(f *testing.F) {
	r := all.Formats()
	for _, name := range []string{
		"minisign/testdata/prehashed.minisig", "pgp/testdata/p256.sig", "pgp/testdata/armored.asc", "pgp/testdata/cleartext.asc",
		"ssh/testdata/ecdsa-256.sig", "pkcs7/testdata/p256.der", "pkcs7/testdata/rsa2048-cms.pem", "pkcs7/testdata/smime.eml",
		"tuf/testdata/timestamp.json", "x509/testdata/p256.sig", "x509/testdata/p256.b64",
	} {
		f.Add(read(f, name), read(f, "x509/testdata/p256.pem"))
	}
	f.Fuzz(func(t *testing.T, signature, key []byte) {
		claimed := claims(signature)
		if len(claimed) > 1 {
			t.Fatalf("claimed by %q", claimed)
		}
		for _, name := range append(r.Names(), "") {
			ctx, check := formatstest.CheckWork(t, signature, key)
			p, err := r.Parse(ctx, name, signature, [][]byte{key}, now)
			check()
			reason := formats.ReasonOf(err)
			if (p == nil) != (err != nil) || err != nil && reason == "" {
				t.Fatalf("%s: value %v beside %v", name, p, err)
			}
			if other := len(claimed) == 1 && name != "" && name != claimed[0]; other && reason == formats.ReasonMalformedSignature {
				t.Errorf("%s: %v, but it is of the format %s", name, err, claimed[0])
			}
		}
	})
}
