// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestStoreCopyKilled kills store copy again and again, and runs it until it is done: at random moments, some of them while the tables are made;
// and as it has closed the original, and the copy is not open yet. Never can both stores be opened, and the copy is as the store was.
func TestStoreCopyKilled(t *testing.T) {
	t.Parallel() // it mostly waits
	postgrestest.Require(t)
	program, server := buildProgram(t, "../rekor-gateway"), postgrestest.NewServer(t)
	for name, c := range map[string]struct {
		kills int
		due   func(path string) <-chan time.Time
	}{
		"at random":  {30, func(string) <-chan time.Time { return time.After(rand.N(250 * time.Millisecond)) }},
		"as it ends": {1, func(path string) <-chan time.Time { return whenThere(t, path+".moved") }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			want := fillCopied(t, path)
			dsn := server.NewDatabase(t, "")
			arguments := configureCopy(t, filepath.Dir(path), dsn)
			outcomes, done := map[string]int{}, false
			for n := 0; n < c.kills && !done; n++ {
				if _, done = runCopy(t, program, arguments, c.due(path)); !done {
					outcomes[checkNotBoth(t, path, dsn)]++
				}
			}
			t.Logf("after kills there can be opened: %v", outcomes)
			out, done := runCopy(t, program, arguments, nil)
			if !done || !strings.Contains(out, "read back and the same") && !strings.Contains(out, "the copy is complete") {
				t.Fatalf("not done, or it is not said:\n%s", out)
			}
			if is := checkNotBoth(t, path, dsn); is != "the copy" {
				t.Errorf("at the end %s can be opened", is)
			}
			checkCopied(t, dsn, want)
		})
	}
}

// whenThere tells when a file is there.
func whenThere(t *testing.T, path string) <-chan time.Time {
	there := make(chan time.Time, 1)
	go func() {
		for !exists(path) && t.Context().Err() == nil {
			time.Sleep(100 * time.Microsecond)
		}
		there <- time.Now()
	}()
	return there
}

// configureCopy returns the arguments that name the two stores.
func configureCopy(t *testing.T, dir, dsn string) []string {
	t.Helper()
	from, to := filepath.Join(dir, "sqlite.yaml"), filepath.Join(dir, "postgres.yaml")
	for file, store := range map[string]string{from: "{sqlite: {path: store.db}}", to: fmt.Sprintf("{postgres: {dsn: '%s'}}", dsn)} {
		text := strings.Replace(logConfig, "{sqlite: {path: store.db}}", store, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"store", "copy", "--config", from, "--to", to}
}

// runCopy runs the command, and kills it when that is due. It is done where it came to its end before.
func runCopy(t *testing.T, program string, arguments []string, due <-chan time.Time) (out string, done bool) {
	t.Helper()
	var said bytes.Buffer
	copying := exec.Command(program, arguments...)
	copying.Stdout, copying.Stderr = &said, &said
	if err := copying.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- copying.Wait() }()
	select {
	case <-due:
		_ = copying.Process.Kill()
		err := <-ended // and what it said is written
		return said.String(), err == nil
	case err := <-ended:
		if err != nil {
			t.Fatalf("the copy failed: %v\n%s", err, &said)
		}
		return said.String(), true
	}
}

func checkCopied(t *testing.T, dsn string, want map[string]kept) {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Fatalf("%d submissions of %d are there", len(got), len(want))
	}
	for id := range want {
		if !reflect.DeepEqual(got[id], want[id]) {
			t.Fatalf("%s is\n%+v, was\n%+v", id, got[id], want[id])
		}
	}
}

// checkNotBoth says which of two stores can be opened, and that is never both.
func checkNotBoth(t *testing.T, path, dsn string) (which string) {
	t.Helper()
	original, originalErr := sqlite.OpenBeside(t.Context(), path, sqlite.Options{})
	if originalErr == nil {
		which = "the original"
		_ = original.Close()
	}
	copied, copyErr := postgres.OpenBeside(t.Context(), dsn, postgres.Options{MaxConnections: 2})
	if copyErr == nil {
		which = "the copy"
		_ = copied.Close()
	}
	if originalErr == nil && copyErr == nil {
		t.Fatal("both stores can be opened")
	}
	if which == "" {
		which = "none"
	}
	return which
}

// kept is all that callers can read of a submission.
type kept struct {
	gateway.Submission
	gateway.Archived
}

// readAll reads what a store has of the tenant.
func readAll(t *testing.T, s gateway.Reader) map[string]kept {
	t.Helper()
	all := map[string]kept{}
	for token := ""; ; {
		page, next, err := s.List(t.Context(), "tenant", gateway.ListParams{PageSize: gateway.MaxPageSize, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range page {
			archived, err := s.Archived(t.Context(), "tenant", sub.ID)
			if err != nil {
				t.Fatal(err)
			}
			all[sub.ID] = kept{sub, archived}
		}
		if token = next; token == "" {
			return all
		}
	}
}

// fillCopied makes a store with submissions that wait and that are logged.
func fillCopied(t *testing.T, path string) map[string]kept {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		var subs []gateway.NewSubmission
		for i := range 150 {
			subs = append(subs, storetest.NewSubmission("tenant", fmt.Sprint(round, " ", i), "old"))
		}
		if _, err := s.Enqueue(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "old", Lease: time.Minute, Limit: 100, InFlight: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		var outcomes []gateway.Outcome
		for _, e := range claimed {
			outcomes = append(outcomes, gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: storetest.NewInclusion(e.ID)})
		}
		if _, err := s.Finish(t.Context(), outcomes); err != nil {
			t.Fatal(err)
		}
	}
	all := readAll(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}
