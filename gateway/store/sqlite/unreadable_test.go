// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestClaimUnreadable: where SQLite finds the body of an entry damaged, or it is not there, the entry is claimed without, and all
// others of the claim with theirs.
func TestClaimUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	const n, damaged, missing, large = 100, 13, 77, 30_000
	subs := make([]gateway.NewSubmission, n)
	for i := range subs {
		subs[i] = storetest.NewSubmission("tenant", fmt.Sprint(i), "log")
		subs[i].Entries[0].Body = bytes.Repeat([]byte{byte(i + 1)}, large)
	}
	if _, err := s.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.Exec(`DELETE FROM entry_blob WHERE entry = ?`, missing+1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // which moves all from the write-ahead log into the file
		t.Fatal(err)
	}
	damagePage(t, path, byte(damaged+1))
	s = open(t, path, Options{})
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: n, InFlight: n})
	if err != nil || len(claimed) != n {
		t.Fatalf("claimed %d of %d, %v", len(claimed), n, err)
	}
	for i, c := range claimed {
		want := subs[i].Entries[0].Body
		if i == damaged || i == missing {
			want = nil
		}
		if !bytes.Equal(c.Body, want) || (c.Body == nil) != (want == nil) {
			t.Errorf("entry %d has a body of %d bytes, want %d", i, len(c.Body), len(want))
		}
	}
}

// damagePage breaks the chain of pages of a large value that has nothing but the byte fill.
func damagePage(t *testing.T, path string, fill byte) {
	t.Helper()
	const pageSize, pointer = 4096, 4
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.Repeat([]byte{fill}, pageSize-pointer)
	for at := 0; at < len(content); at += pageSize {
		if bytes.Equal(content[at+pointer:at+pageSize], page) {
			copy(content[at:], []byte{0xff, 0xff, 0xff, 0xff})
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no such page")
}
