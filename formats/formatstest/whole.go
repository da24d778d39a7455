// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"reflect"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// checkWithoutWhole: Policy.WithoutWhole leaves out what Rekor v1 would record, and changes nothing else.
func checkWithoutWhole(t testing.TB, s Suite, v Vector) {
	v.Policy.WithoutWhole = false
	want, wanted := mustParse(t, s, v).Describe(), mustSubmit(t, s, v)
	v.Policy.WithoutWhole = true
	got := mustParse(t, s, v).Describe()
	for _, d := range got.Each() {
		if d.Whole != nil || d.NotWhole != nil {
			t.Error("it is there all the same")
		}
	}
	if leaveOutWhole(&want); !reflect.DeepEqual(got, want) {
		t.Errorf("described otherwise: %+v, %+v", got, want)
	}
	if again := mustSubmit(t, s, v); !reflect.DeepEqual(again, wanted) {
		t.Errorf("verified otherwise: %+v, %+v", again, wanted)
	}
}

func leaveOutWhole(d *formats.Description) {
	d.Whole, d.NotWhole = nil, nil
	for i := range d.Parts {
		leaveOutWhole(&d.Parts[i])
	}
}
