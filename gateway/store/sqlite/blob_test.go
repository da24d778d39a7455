// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// blobMutants are queries with one rule of spooled artifacts broken.
var blobMutants = mutants{
	"takes parts behind a short one":   {&extendBlob, "size = ?4 * ?5 AND ", "?5 > 0 AND ", "Blob/parts"},
	"adds to what is enqueued":         {&extendBlob, " AND attached = 0", "", "Blob/closed"},
	"does not count":                   {&extendBlob, "size = size + ?1", "size = size + 0 * ?1", "Blob/another"},
	"reads another part":               {&selectPart, "part = ?", "part = 0 * ?", "Blob/another leaf"},
	"enqueues what is being removed":   {&attachBlob, " AND doomed = 0", "", "Blob/orphans"},
	"enqueues another size":            {&attachBlob, "size = ?3", "size >= 0 * ?3", "Blob/another"},
	"enqueues another digest":          {&attachBlob, " AND COALESCE(sha256, ?1) = ?1", "", "Blob/another"},
	"does not note that it is":         {&attachBlob, "attached = 1, ", "", "Blob/another leaf"},
	"sends the last one":               {&blobOfLeaf, "ORDER BY u.place", "ORDER BY u.place DESC", "Blob/twice"},
	"has all in one place":             {&useBlob, "MAX(place) + 1", "MAX(place)", "Blob/twice"},
	"sends nothing stored":             {&leavesToSend, "se.submission = ?", "se.submission < 0 * ?", "Blob/another leaf"},
	"keeps what is not sent":           {&isUnused, "f.place < u.place", "f.place < 0", "Blob/twice"},
	"forgets what is sent":             {&isUnused, "f.place < u.place", "f.place <= u.place", "Blob/another leaf"},
	"keeps uses":                       {&removeUses, "doomed = 1", "doomed > 1", "Blob/another leaf"},
	"drops what is enqueued":           {&dropBlob, " AND attached = 0", "", "Blob/closed"},
	"drops nothing":                    {&dropBlob, "doomed = 1", "doomed = 0", "Blob/open bound"},
	"forgets what is open":             {&isUnused, "abs(b.touched_at - ?1) > ?2", "?1 + ?2 > 0", "Blob/open bound"},
	"forgets nothing that is open":     {&isUnused, "abs(b.touched_at - ?1) > ?2", "?1 + ?2 < 0", "Blob/orphans"},
	"keeps what a later clock has":     {&isUnused, "abs(b.touched_at - ?1) > ?2", "b.touched_at - ?1 > ?2", "Blob/orphans"},
	"keeps what is logged":             {&isUnused, " AND e.state = 'PENDING'", "", "Blob/another leaf"},
	"keeps what failed":                {&isUnused, "e.state = 'PENDING'", "e.state <> 'LOGGED'", "Blob/another leaf"},
	"removes what waits":               {&isUnused, "e.state = 'PENDING'", "e.state = 'FAILED'", "Blob/another leaf"},
	"removes what waits for any other": {&isUnused, "e.log = l.id", "e.log = l.id AND l.id = 1", "Blob/moved"},
	"removes the parts of all":         {&removeParts, "b.doomed = 1", "b.doomed >= 0", "Blob/shared, and moved"},
	"removes no parts":                 {&removeParts, "b.doomed = 1", "b.doomed > 1", "Blob/another leaf"},
	"leaves the blob":                  {&removeBlobs, "doomed = 1", "doomed > 1", "Blob/another leaf"},
	"finds what is being removed":      {&blobOfLeaf, "u.leaf_hash = ?", "u.leaf_hash > ?", "Blob/another leaf"},
	"counts nothing that is open":      {&countOpen, "attached = 0", "attached = 2", "Blob/open bound"},
	"counts what waits as open":        {&countOpen, "attached = 0", "attached >= 0", "Blob/bound"},
	"counts what is dropped as open":   {&countOpen, " AND doomed = 0", "", "Blob/open bound"},
	"counts no blobs":                  {&countBlobs, "COALESCE(SUM(size), 0)", "0", "Blob/another leaf"},
}

// TestBlobMutants: a store that forgets a rule of spooled artifacts fails a test.
func TestBlobMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		opts := Options{Now: o.Now, MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes}
		another := func() gateway.Store { return open(t, path, opts) }
		return storetest.Opened{Store: another(), Another: another, Crash: another}
	}
	if failed := storetest.FailBlobs(t, driver, ""); failed != "" {
		t.Fatalf("a good store fails %q", failed)
	}
	blobMutants.failAll(t, driver, storetest.FailBlobs)
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
