// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func record(id string) gateway.AuditRecord {
	return gateway.AuditRecord{Time: time.UnixMilli(1_800_000_000_123), Event: gateway.AuditRefused, AuditOrigin: gateway.AuditOrigin{RequestID: id}}
}

func openTest(t *testing.T, path string) (f *File, lost *int) {
	t.Helper()
	lost = new(int)
	f, err := Open(path, func() { *lost++ })
	if err != nil {
		t.Fatal(err)
	}
	return f, lost
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	f, _ := openTest(t, path)
	full := gateway.AuditRecord{
		Time: time.UnixMilli(1_800_000_000_123), Event: gateway.AuditAccepted, AuditOrigin: gateway.AuditOrigin{Caller: "farm", Address: "192.0.2.1:9", RequestID: "r\n1"},
		Tenant: "builds", Submission: "id", Signers: [][32]byte{{1}}, Artifacts: []formats.Digest{{Algorithm: formats.SHA256, Value: []byte{2}}},
	}
	if err := errors.Join(f.Write(full), f.Write(record("2")), f.Close()); err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2027-01-15T08:00:00.123Z","event":"ACCEPTED","caller":"farm","tenant":"builds","address":"192.0.2.1:9","requestId":"r\n1","submissionId":"id",` +
		`"signers":["sha256:01` + strings.Repeat("00", 31) + `"],"artifactDigests":["sha256:02"]}` + "\n" +
		`{"time":"2027-01-15T08:00:00.123Z","event":"REFUSED","requestId":"2"}` + "\n"
	if got := read(t, path); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A file is gone on with, and never written over. What rotates it gets a file of its own.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	for _, id := range []string{"1", "2"} {
		f, _ := openTest(t, path)
		if err := errors.Join(f.Write(record(id)), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	f, _ := openTest(t, path)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Write(record("3")), f.Reopen(), f.Write(record("4")), f.Close()); err != nil {
		t.Fatal(err)
	}
	if old, now := read(t, path+".1"), read(t, path); strings.Count(old, "\n") != 3 || strings.Count(now, "\n") != 1 {
		t.Errorf("rotated:\n%snow:\n%s", old, now)
	}
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a folder is opened")
	}
}

// failing writes only so many bytes.
type failing struct {
	io.WriteCloser
	room int
}

func (w *failing) Write(b []byte) (int, error) {
	n := min(len(b), w.room)
	w.room -= n
	n, err := w.WriteCloser.Write(b[:n])
	if err == nil && n < len(b) {
		err = errors.New("no space left")
	}
	return n, err
}

// What cannot be written waits, and is written in order, once each, when there is room. A torn line is one of its own.
func TestNoRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	f, lost := openTest(t, path)
	full := &failing{f.out, 100}
	f.out = full
	for i := range 5 {
		if err := f.Write(record(fmt.Sprint(i))); (err != nil) != (i > 0) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if f.Check() == nil {
		t.Error("all is well")
	}
	full.room = 1 << 20
	if err := errors.Join(f.Check(), f.Write(record("5")), f.Close()); err != nil || *lost != 0 {
		t.Errorf("%v, %d are lost", err, *lost)
	}
	whole := ""
	for _, l := range strings.Split(read(t, path), "\n") {
		if _, id, ok := strings.Cut(l, `"requestId":"`); ok && strings.HasSuffix(l, `"}`) {
			whole += strings.TrimSuffix(id, `"}`)
		}
	}
	if whole != "012345" {
		t.Errorf("whole lines are %s:\n%s", whole, read(t, path))
	}
}

// A file that was left with a torn line, by a process that was killed or by this one, loses nothing but that.
func TestTornBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	if err := os.WriteFile(path, []byte("{\"time\":\"20"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ := openTest(t, path)
	if err := errors.Join(f.Write(record("1")), os.Truncate(path, 20), f.Reopen(), f.Write(record("2")), f.Close()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(read(t, path), "\n")
	if len(lines) != 4 || lines[0] != `{"time":"20` || len(lines[1]) != 8 || !strings.HasSuffix(lines[2], `"requestId":"2"}`) {
		t.Errorf("lines are %q", lines)
	}
}

// What waits is bounded; what is more is counted. Refusals leave room for what is accepted.
func TestHeldIsBounded(t *testing.T) {
	f, lost := openTest(t, filepath.Join(t.TempDir(), "audit"))
	f.out = &failing{f.out, 0}
	accepted := record("x")
	accepted.Event = gateway.AuditAccepted
	for _, r := range []gateway.AuditRecord{record("x"), accepted} {
		for range maxHeld/2 + 7 {
			if f.Write(r) == nil {
				t.Fatal("written")
			}
		}
	}
	if len(f.held) != maxHeld || *lost != 14 {
		t.Errorf("%d wait, %d are lost", len(f.held), *lost)
	}
	if f.Close() == nil || *lost != maxHeld+14 {
		t.Errorf("%d are lost in the end", *lost)
	}
}
