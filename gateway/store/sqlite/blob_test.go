// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// blobMutants are queries with one rule of spooled artifacts broken.
var blobMutants = map[string]struct {
	query    *string
	old, new string
}{
	"takes parts behind a short one":   {&extendBlob, "size = ?4 * ?5 AND ", "?5 > 0 AND "},
	"adds to what is enqueued":         {&extendBlob, " AND attached = 0", ""},
	"does not count":                   {&extendBlob, "size = size + ?1", "size = size + 0 * ?1"},
	"reads another part":               {&selectPart, "part = ?", "part = 0 * ?"},
	"enqueues what is being removed":   {&attachBlob, " AND doomed = 0", ""},
	"enqueues another size":            {&attachBlob, "size = ?3", "size >= 0 * ?3"},
	"enqueues another digest":          {&attachBlob, " AND COALESCE(sha256, ?1) = ?1", ""},
	"does not note that it is":         {&attachBlob, "attached = 1, ", ""},
	"sends the last one":               {&blobOfLeaf, "ORDER BY u.place", "ORDER BY u.place DESC"},
	"has all in one place":             {&useBlob, "MAX(place) + 1", "MAX(place)"},
	"sends nothing stored":             {&leavesToSend, "se.submission = ?", "se.submission < 0 * ?"},
	"keeps what is not sent":           {&isUnused, "f.place < u.place", "f.place < 0"},
	"forgets what is sent":             {&isUnused, "f.place < u.place", "f.place <= u.place"},
	"keeps uses":                       {&removeUses, "doomed = 1", "doomed > 1"},
	"drops what is enqueued":           {&dropBlob, " AND attached = 0", ""},
	"drops nothing":                    {&dropBlob, "doomed = 1", "doomed = 0"},
	"forgets what is open":             {&isUnused, "abs(b.touched_at - ?1) > ?2", "?1 + ?2 > 0"},
	"forgets nothing that is open":     {&isUnused, "abs(b.touched_at - ?1) > ?2", "?1 + ?2 < 0"},
	"keeps what a later clock has":     {&isUnused, "abs(b.touched_at - ?1) > ?2", "b.touched_at - ?1 > ?2"},
	"keeps what is logged":             {&isUnused, " AND e.state = 'PENDING'", ""},
	"keeps what failed":                {&isUnused, "e.state = 'PENDING'", "e.state <> 'LOGGED'"},
	"removes what waits":               {&isUnused, "e.state = 'PENDING'", "e.state = 'FAILED'"},
	"removes what waits for any other": {&isUnused, "e.log = l.id", "e.log = l.id AND l.id = 1"},
	"removes the parts of all":         {&removeParts, "b.doomed = 1", "b.doomed >= 0"},
	"removes no parts":                 {&removeParts, "b.doomed = 1", "b.doomed > 1"},
	"leaves the blob":                  {&removeBlobs, "doomed = 1", "doomed > 1"},
	"finds what is being removed":      {&blobOfLeaf, "u.leaf_hash = ?", "u.leaf_hash > ?"},
	"counts nothing that is open":      {&countOpen, "attached = 0", "attached = 2"},
	"counts what waits as open":        {&countOpen, "attached = 0", "attached >= 0"},
	"counts what is dropped as open":   {&countOpen, " AND doomed = 0", ""},
	"counts no blobs":                  {&countBlobs, "COALESCE(SUM(size), 0)", "0"},
}

// TestBlobMutants: a store that forgets a rule of spooled artifacts fails a test.
func TestBlobMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		opts := Options{Now: o.Now, MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes}
		another := func() gateway.Store { return open(t, path, opts) }
		return storetest.Opened{Store: another(), Another: another, Crash: another}
	}
	if failed := storetest.FailBlobs(t, driver); failed != "" {
		t.Fatalf("a good store fails %q", failed)
	}
	for name, m := range blobMutants {
		t.Run(name, func(t *testing.T) {
			good := *m.query
			t.Cleanup(func() { *m.query = good })
			if *m.query = strings.Replace(good, m.old, m.new, 1); *m.query == good {
				t.Fatal("the query has no such part")
			}
			failed := storetest.FailBlobs(t, driver)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}

// TestOpenBlobsAreForgotten: what an earlier process had not spooled to its end is removed at once.
func TestOpenBlobsAreForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	if err := s.AppendBlob(t.Context(), gateway.BlobID{1}, 0, []byte("open")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	if swept, err := s.SweepBlobs(t.Context()); err != nil || swept.Blobs != 0 {
		t.Errorf("%d are left, %v", swept.Blobs, err)
	}
}
