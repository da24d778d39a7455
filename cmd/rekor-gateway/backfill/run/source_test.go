// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
		s := must(openSource(t.Context(), path))
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

// What a manifest names by a URL is fetched, and leaves nothing behind.
func TestSourceFetched(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(offline("."))))
	mux.Handle("/elsewhere", http.RedirectHandler("/artifact", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("TMPDIR", t.TempDir())
	s, err := openSource(t.Context(), server.URL+"/artifact")
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
		if _, err := openSource(t.Context(), bad); err == nil || fault.Describe(err).Reason != fault.ReasonFetch {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
