// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// listAll walks all pages and fails when one is larger than asked for.
func listAll(t testing.TB, s gateway.Store, tenant string, p gateway.ListParams) []gateway.Submission {
	t.Helper()
	var all []gateway.Submission
	for {
		page, next, err := s.List(t.Context(), tenant, p)
		noError(t, err)
		if p.PageSize > 0 && len(page) > p.PageSize || next != "" && len(page) == 0 {
			t.Fatalf("page of %d, next %q", len(page), next)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		p.PageToken = next
	}
}

// fillStore stores 12 submissions of two digests, two signers, by a clock that jumps, every
// fourth of them logged, and one of another tenant; they are returned newest first.
func fillStore(t testing.TB, s *testStore) []gateway.Submission {
	t.Helper()
	for i := range 12 {
		sub := newSubmission(fmt.Sprint(i))
		sub.Digests = append(sub.Digests, makeDigest(i%2), makeDigest(i%2))
		sub.Signatures[0].Signers = [][32]byte{makeSigner(9)}
		sub.Signatures = append(sub.Signatures, sub.Signatures[0])
		sub.Signatures[1].Signers = [][32]byte{makeSigner(i % 3 / 2), makeSigner(9)}
		if i%4 == 0 {
			sub.Priority = gateway.Backfill
		}
		s.setClock(after(time.Duration(i%5/2) * time.Second)) // the order is that of storing, whatever the clock says
		enqueueAll(t, s, sub)
	}
	foreign := NewSubmission(other, "foreign", logA)
	foreign.Digests, foreign.Signatures[0].Signers = []formats.Digest{makeDigest(0)}, [][32]byte{makeSigner(0)}
	enqueueAll(t, s, foreign)
	for _, e := range claimEntries(t, s, start, 3) {
		finishEntries(t, s, loggedOutcome(e))
	}
	var all []gateway.Submission
	for i := range 12 {
		all = append(all, getSubmission(t, s, tenant, newSubmission(fmt.Sprint(i)).ID))
	}
	slices.Reverse(all)
	return all
}

func makeDigest(n int) formats.Digest {
	sum := sha256.Sum256([]byte{byte(n)})
	return formats.Digest{Algorithm: formats.SHA256, Value: sum[:]}
}

func makeSigner(n int) [32]byte { return sha256.Sum256([]byte{'s', byte(n)}) }

var listTests = map[string]func(*testing.T, opener){
	"List": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		all := fillStore(t, s)
		d, g := makeDigest(0), makeSigner(0)
		absent := makeDigest(99)
		for name, p := range map[string]gateway.ListParams{
			"all": {}, "artifact": {Artifact: &d}, "signer": {Signer: &g}, "both": {Artifact: &d, Signer: &g},
			"state": {State: gateway.Logged}, "pending": {State: gateway.Pending}, "failed": {State: gateway.Failed},
			"artifact and state": {Artifact: &d, State: gateway.Pending},
			"signer and state":   {Signer: &g, State: gateway.Pending},
			"everything":         {Artifact: &d, Signer: &g, State: gateway.Logged},
			"absent":             {Artifact: &absent},
		} {
			for _, p.PageSize = range []int{0, 1, 3, 4, 12, 100, 1 << 40} {
				t.Run(fmt.Sprintf("%s/%d", name, p.PageSize), func(t *testing.T) {
					wantList(t, listAll(t, s, tenant, p), filterMatching(all, p))
				})
			}
		}
		if got := listAll(t, s, "nobody", gateway.ListParams{}); len(got) != 0 {
			t.Errorf("%d submissions of nobody", len(got))
		}
	},

	// What has only the beginning of a digest or signer in common, even all of it at another place
	// of what is stored, is not listed, and hides nothing.
	"List/look-alikes": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		d, g := makeDigest(0), makeSigner(0)
		for i := range 6 {
			like := newSubmission(fmt.Sprint("like ", i))
			value := slices.Clone(d.Value)
			value[31] ^= byte(i + 1)
			likeSigner := g
			likeSigner[31] ^= byte(i + 1)
			inside := append(slices.Repeat([]byte{1}, 32), d.Value...) // sha256's code and value are inside
			like.Digests = []formats.Digest{{Algorithm: formats.SHA256, Value: value}, {Algorithm: formats.SHA512, Value: inside}}
			like.Signatures[0].Signers = [][32]byte{likeSigner}
			real := newSubmission(fmt.Sprint("real ", i))
			real.Digests, real.Signatures[0].Signers = []formats.Digest{d}, [][32]byte{g}
			enqueueAll(t, s, like)
			enqueueAll(t, s, real)
		}
		var want []string
		for i := range 6 {
			want = append(want, newSubmission(fmt.Sprint("real ", 5-i)).ID)
		}
		for _, p := range []gateway.ListParams{
			{Artifact: &d}, {Signer: &g}, {Artifact: &d, Signer: &g}, {Signer: &g, State: gateway.Pending}, {Artifact: &d, State: gateway.Pending},
		} {
			for _, p.PageSize = range []int{1, 2, 5, 6, 7} {
				if got := listIDs(listAll(t, s, tenant, p)); !slices.Equal(got, want) {
					t.Errorf("listed %q for %+v, want %q", got, p, want)
				}
			}
		}
	},

	"List/while others arrive": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		all := fillStore(t, s)
		page, next, err := s.List(t.Context(), tenant, gateway.ListParams{PageSize: 5})
		noError(t, err)
		enqueueAll(t, s, newSubmission("newer"))
		rest := listAll(t, s, tenant, gateway.ListParams{PageSize: 5, PageToken: next})
		wantList(t, append(page, rest...), all)
	},

	"List/page tokens": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		fillStore(t, s)
		_, next, err := s.List(t.Context(), tenant, gateway.ListParams{PageSize: 5})
		noError(t, err)
		for _, p := range []gateway.ListParams{
			{PageToken: "junk"}, {PageToken: "!"}, {PageToken: next + "A"}, {PageToken: next[:len(next)-2]},
			{PageToken: " " + next}, {PageToken: next, State: gateway.Pending},
		} {
			_, _, err := s.List(t.Context(), tenant, p)
			wantError(t, err, gateway.ErrBadPageToken)
		}
		_, _, err = s.List(t.Context(), other, gateway.ListParams{PageToken: next})
		wantError(t, err, gateway.ErrBadPageToken)
	},
}

func filterMatching(all []gateway.Submission, p gateway.ListParams) []gateway.Submission {
	var found []gateway.Submission
	for _, s := range all {
		if (p.State == "" || s.State == p.State) &&
			(p.Artifact == nil || slices.ContainsFunc(s.Digests, p.Artifact.Equal)) &&
			(p.Signer == nil || slices.Contains(s.Signers(), *p.Signer)) {
			found = append(found, s)
		}
	}
	return found
}

func wantList(t *testing.T, got, want []gateway.Submission) {
	t.Helper()
	if !slices.Equal(listIDs(got), listIDs(want)) {
		t.Fatalf("listed %q, want %q", listIDs(got), listIDs(want))
	}
	for i := range got {
		wantSame(t, got[i], want[i])
	}
}
