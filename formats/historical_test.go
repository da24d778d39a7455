// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"slices"
	"strings"
	"testing"
)

// Every set is written as it is read.
func TestExceptions(t *testing.T) {
	for e := range AllExceptions + 1 {
		if got, err := ParseExceptions(e.Names()); err != nil || got != e {
			t.Errorf("%v is read as %v: %v", e, got, err)
		}
	}
	if got := AllExceptions.String(); got != "SHA1,DSA,EXPIRED_KEY,EXPIRED_METADATA,V3" || Exceptions(0).String() != "none" {
		t.Errorf("all are %s", got)
	}
}

// FuzzParseExceptions: what is read is written as it was, but for order and repetition.
func FuzzParseExceptions(f *testing.F) {
	for _, s := range []string{"", "SHA1", "V3,SHA1", "sha1", "MD5", "SHA1,,DSA", "DSA,DSA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names := strings.Split(s, ",")
		e, err := ParseExceptions(names)
		if err != nil && e != 0 {
			t.Errorf("%v beside %v", e, err)
		}
		slices.Sort(names)
		want := slices.Sorted(slices.Values(e.Names()))
		if err == nil && !slices.Equal(slices.Compact(names), want) {
			t.Errorf("%q is read as %v", s, e)
		}
	})
}

// A format that lets pass what it may not, or says nothing of which exception it took, is refused all the same.
func TestFindingsAreChecked(t *testing.T) {
	finding := Finding{Reason: ReasonWeakAlgorithm, Message: "weak", Exception: ExceptionSHA1}
	nameless := Finding{Reason: ReasonWeakAlgorithm, Message: "weak"}
	for name, test := range map[string]struct {
		allow Exceptions
		d     Description
		taken bool
	}{
		"allowed":           {ExceptionSHA1, Description{Findings: []Finding{finding}}, true},
		"another":           {ExceptionDSA, Description{Findings: []Finding{finding}}, false},
		"of a part":         {ExceptionDSA, Description{Parts: []Description{{}, {Findings: []Finding{finding}}}}, false},
		"without exception": {AllExceptions, Description{Findings: []Finding{nameless}}, false},
		"nothing":           {ExceptionDSA, Description{}, true},
	} {
		p := Policy{Historical: Historical{Allow: test.allow}}
		if err := p.checkFindings(test.d); (err == nil) != test.taken {
			t.Errorf("%s: %v", name, err)
		}
	}
}
