// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// A file that is written while it is read is not taken for what it was.
func TestSourceChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app")
	for name, change := range map[string]func(*os.File){
		"grown":   func(f *os.File) { _, _ = f.WriteString("more") },
		"touched": func(*os.File) { _ = os.Chtimes(path, time.Now(), time.Unix(1, 0)) },
		"replaced": func(*os.File) {
			_ = os.Rename(path, path+".old")
			_ = os.WriteFile(path, []byte("begin"), 0o644)
		},
	} {
		f := must(os.Create(path))
		_, _ = f.WriteString("begin")
		s := must(openSource(t.Context(), "", path, 100))
		if _, err := s.readAll(100); err != nil {
			t.Fatal(err)
		}
		r := must(s.open())
		change(f)
		_, err := io.ReadAll(r)
		if err == nil { // another file of that name is seen when it is opened again
			_, err = s.open()
		}
		if formats.ReasonOf(err) != fault.ReasonFileChanged {
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
		f.Close()
	}
}

// TestSourceIsReadOnce: a file is read as far as its size says, and one that grows meanwhile has changed, before its end and at it.
func TestSourceIsReadOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app")
	for _, grows := range []bool{false, true} {
		if err := os.WriteFile(path, []byte("begin"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := must(must(openSource(t.Context(), "", path, 100)).open())
		defer r.Close()
		reads := &countingReader{Reader: r.Reader}
		r.Reader = reads
		buf := make([]byte, 100)
		if n, err := r.Read(buf); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		want := error(io.EOF)
		if grows {
			want = formats.NewError(fault.ReasonFileChanged, "", "")
			if err := os.WriteFile(path, []byte("begin and more"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Read(buf); n != 0 || formats.ReasonOf(err) != formats.ReasonOf(want) || grows == errors.Is(err, io.EOF) {
			t.Errorf("%v: %d, %v", grows, n, err)
		}
		if reads.n != 1 {
			t.Errorf("%d reads", reads.n)
		}
	}
	if raw, err := must(openSource(t.Context(), "", "/proc/self/status", 1<<20)).readAll(1 << 20); err == nil && len(raw) == 0 {
		t.Error("nothing is read of what has no size")
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	r.n++
	return r.Reader.Read(p)
}

// What a manifest names by a URL is fetched, and leaves nothing behind.
func TestSourceFetched(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(offline("."))))
	mux.Handle("/elsewhere", http.RedirectHandler("/artifact", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("TMPDIR", t.TempDir())
	s, err := openSource(t.Context(), "", server.URL+"/artifact", 100)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if raw, err := s.readAll(100); err != nil || !bytes.Equal(raw, must(os.ReadFile(offline("artifact")))) {
			t.Errorf("%q, %v", raw, err)
		}
	}
	if left := must(os.ReadDir(os.Getenv("TMPDIR"))); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
	s.close()
	for _, bad := range []string{server.URL + "/none", server.URL + "/elsewhere", "file:///etc/passwd", "ftp://example.org/x", "https://u:p@example.org/x"} {
		if _, err := openSource(t.Context(), "", bad, 100); err == nil || fault.Describe(err).Reason != fault.ReasonFetch {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestSourceFetchedIsBounded: a signature or key that is fetched is no larger than one may be, whatever its server has.
func TestSourceFetchedIsBounded(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(offline("."))))
	defer server.Close()
	if _, err := openSource(t.Context(), "", server.URL+"/artifact", 5); err == nil || fault.Describe(err).Reason != fault.ReasonFetch {
		t.Errorf("%v", err)
	}
}

// TestSourceFetchedHasRoom: where there is no room for what is fetched, that is no fault of its URL.
func TestSourceFetchedHasRoom(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(offline("."))))
	defer server.Close()
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nowhere"))
	_, err := openSource(t.Context(), "", server.URL+"/artifact", 100)
	checkNoRoom(t, err)
	full := must(os.OpenFile("/dev/full", os.O_WRONLY, 0))
	defer full.Close()
	_, err = (&spoolWriter{full}).Write([]byte("x"))
	checkNoRoom(t, explainFetch(fmt.Errorf("fetching: %w", err)))
}

func checkNoRoom(t *testing.T, err error) {
	t.Helper()
	if f := fault.Describe(errors.Join(err)); err == nil || !isSpoolFault(err) || f.ExitCode != fault.ExitInput || !strings.Contains(f.Hint, "TMPDIR") {
		t.Errorf("%+v", f)
	}
}

// TestSourceOfUnknownAuthority: whoever has an authority of his own learns where it is to be named.
func TestSourceOfUnknownAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.FileServer(http.Dir(offline("."))))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	_, err := openSource(t.Context(), "", server.URL+"/artifact", 100)
	if f := fault.Describe(errors.Join(err)); f.Reason != fault.ReasonFetch || !strings.Contains(f.Hint, "SSL_CERT_FILE") {
		t.Errorf("%+v", f)
	}
}
