// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func TestCheckSigner(t *testing.T) {
	own, other := []byte("own SPKI"), []byte("other SPKI")
	ids := func(spkis ...[]byte) (out [][sha256.Size]byte) {
		for _, s := range spkis {
			out = append(out, sha256.Sum256(s))
		}
		return out
	}
	for name, c := range map[string]struct {
		policy formats.Policy
		want   formats.Reason
	}{
		"no lists":              {formats.Policy{}, ""},
		"allowed":               {formats.Policy{AllowedSigners: ids(other, own)}, ""},
		"not allowed":           {formats.Policy{AllowedSigners: ids(other)}, formats.ReasonKeyNotTrusted},
		"another is forbidden":  {formats.Policy{ForbiddenSigners: ids(other)}, ""},
		"forbidden":             {formats.Policy{ForbiddenSigners: ids(other, own)}, formats.ReasonForbiddenSigner},
		"allowed and forbidden": {formats.Policy{AllowedSigners: ids(own), ForbiddenSigners: ids(own)}, formats.ReasonForbiddenSigner},
		"neither":               {formats.Policy{AllowedSigners: ids(other), ForbiddenSigners: ids(other)}, formats.ReasonKeyNotTrusted},
	} {
		if err := c.policy.CheckSigner(own); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id := formats.SignerID(own); id.Algorithm != formats.SHA256 || !bytes.Equal(id.Value, ids(own)[0][:]) {
		t.Errorf("the signer's identity is %s", id)
	}
}

func TestCandidateKeys(t *testing.T) {
	sent, named := [][]byte{[]byte("sent")}, [][]byte{[]byte("named")}
	for name, c := range map[string]struct {
		keys map[string][][]byte
		want [][]byte
	}{
		"no policy": {nil, sent}, "another format's": {map[string][][]byte{"ssh": named}, sent},
		"empty": {map[string][][]byte{"pgp": {}}, sent}, "the policy's": {map[string][][]byte{"pgp": named}, named},
	} {
		got := formats.Policy{Keys: c.keys}.CandidateKeys("pgp", sent)
		if len(got) != 1 || !bytes.Equal(got[0], c.want[0]) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestCheckSizes(t *testing.T) {
	one := []byte{1}
	for name, c := range map[string]struct {
		signature []byte
		keys      [][]byte
		want      formats.Reason
	}{
		"small":            {one, [][]byte{one}, ""},
		"no keys":          {one, nil, ""},
		"as large as may":  {make([]byte, formats.MaxSignatureSize), [][]byte{make([]byte, formats.MaxKeySize)}, ""},
		"as many as may":   {one, make([][]byte, formats.MaxKeys), ""},
		"empty":            {nil, nil, formats.ReasonMissingSignature},
		"large signature":  {make([]byte, formats.MaxSignatureSize+1), nil, formats.ReasonTooLarge},
		"too many keys":    {one, make([][]byte, formats.MaxKeys+1), formats.ReasonTooLarge},
		"a last large key": {one, [][]byte{one, make([]byte, formats.MaxKeySize+1)}, formats.ReasonTooLarge},
	} {
		if err := formats.CheckSizes(c.signature, c.keys); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckSigningTime(t *testing.T) {
	p := formats.Policy{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for offset, ok := range map[time.Duration]bool{
		-24 * time.Hour: true, 0: true, formats.ClockSkew: true, formats.ClockSkew + 1: false, 24 * time.Hour: false,
	} {
		err := p.CheckSigningTime(p.Now.Add(offset))
		if (err == nil) != ok || !ok && formats.ReasonOf(err) != formats.ReasonSignatureInFuture {
			t.Errorf("%s: %v", offset, err)
		}
	}
}
