// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// fillDisk writes a file until there is no room for more.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
}

// TestServerDiskFull: while the server's disk is full, nothing is acknowledged, for a reason that passes; afterwards all is there
// that was acknowledged, and the gateway goes on by itself.
func TestServerDiskFull(t *testing.T) {
	postgrestest.Require(t)
	folder := storetest.MountSmall(t, 220<<20)
	server, err := postgrestest.Start(folder, "shared_buffers=16MB", "min_wal_size=32MB", "max_wal_size=32MB")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	s := open(t, server.DSN("postgres"), Options{Patience: 2 * time.Second})
	var acknowledged []string
	number := 0
	enqueue := func() error {
		var subs []gateway.NewSubmission
		for range 200 {
			number++
			subs = append(subs, storetest.NewSubmission("alice", fmt.Sprint(number), "log"))
		}
		stored, err := s.Enqueue(t.Context(), subs)
		for _, e := range stored {
			acknowledged = append(acknowledged, e.Submission.ID)
		}
		return err
	}
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(folder, "filler")
	fillDisk(t, filler)
	refused := 0
	for deadline := time.Now().Add(time.Minute); refused < 3; {
		err := enqueue()
		if err != nil && !errors.Is(err, gateway.ErrStoreUnavailable) {
			t.Fatalf("with a full disk: %v", err)
		}
		if err != nil {
			refused++
			t.Log(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the disk does not get full: %d are stored", number)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	_ = server.Stop() // it may have ended for that
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := enqueue()
		if err == nil {
			break
		}
		if !errors.Is(err, gateway.ErrStoreUnavailable) || time.Now().After(deadline) {
			t.Fatalf("with room again: %v", err)
		}
	}
	there := 0
	for ids := acknowledged; len(ids) > 0; {
		n := min(len(ids), 500)
		found, err := s.Progress(t.Context(), ids[:n])
		if err != nil {
			t.Fatal(err)
		}
		there, ids = there+len(found), ids[n:]
	}
	if there != len(acknowledged) {
		t.Errorf("%d of %d that were acknowledged are there", there, len(acknowledged))
	}
	t.Logf("%d acknowledged, all there; refused %d times", there, refused)
}
