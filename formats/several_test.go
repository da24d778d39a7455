// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func describePart(key, variant string, needs ...formats.DigestAlgorithm) formats.Description {
	claimed := time.Unix(1, 0)
	return formats.Description{
		Format: "pgp", Variant: variant, Algorithm: key, Signers: []formats.Signer{{SPKI: []byte(key)}}, Digests: needs,
		ClaimedTime: &claimed, Candidates: []formats.Candidate{{SPKI: []byte(key)}}, Threshold: 1, Notes: []string{"common", key},
	}
}

func TestCombineDescriptions(t *testing.T) {
	parts := []formats.Description{describePart("a", "detached", formats.SHA256, formats.SHA512), describePart("b", "text", formats.SHA512)}
	got := formats.CombineDescriptions(parts, []formats.Unchecked{{Issuer: "c"}})
	if len(got.Signers) != 2 || got.ClaimedTime != nil || len(got.Candidates) > 0 || got.NotProjectable == nil {
		t.Errorf("sum is %+v", got)
	}
	if !reflect.DeepEqual(got.Digests, []formats.DigestAlgorithm{formats.SHA512}) {
		t.Errorf("digests are %v, want those that serve all", got.Digests)
	}
	if !reflect.DeepEqual(got.Notes, []string{"common", "a", "b"}) || got.Algorithm != "a, b" || got.Variant != "2 signatures" {
		t.Errorf("summed up as %q %q %q", got.Variant, got.Algorithm, got.Notes)
	}
	if !reflect.DeepEqual(got.Each(), parts) || len(got.Unchecked) != 1 {
		t.Errorf("parts are %+v", got.Each())
	}
}

func TestCombineOfOneIsThatOne(t *testing.T) {
	d := describePart("a", "detached")
	if got := formats.CombineDescriptions([]formats.Description{d}, nil); !reflect.DeepEqual(got, d) || len(got.Each()) != 1 {
		t.Errorf("got %+v", got)
	}
	v := &formats.Verified{Canonical: []byte("x")}
	if got := formats.CombineVerified([]*formats.Verified{v}, nil); got != v || got.Each()[0] != v {
		t.Errorf("got %+v", got)
	}
}

// The order of the signatures in a file makes no other submission; which signatures they are does.
func TestCombinedCanonicalKnowsNoOrder(t *testing.T) {
	a, b := &formats.Verified{Canonical: []byte("a"), Form: []byte("f")}, &formats.Verified{Canonical: []byte("b")}
	ab := formats.CombineVerified([]*formats.Verified{a, b}, nil)
	ba := formats.CombineVerified([]*formats.Verified{b, a}, nil)
	aa := formats.CombineVerified([]*formats.Verified{a, a}, nil)
	if !bytes.Equal(ab.Canonical, ba.Canonical) || !bytes.Equal(ab.Form, ba.Form) || bytes.Equal(ab.Canonical, aa.Canonical) {
		t.Errorf("canonical forms are %q, %q, %q", ab.Canonical, ba.Canonical, aa.Canonical)
	}
	if len(ab.Projections) > 0 || ab.Form == nil {
		t.Errorf("sum is %+v", ab)
	}
}
