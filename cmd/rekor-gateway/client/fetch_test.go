// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	gone := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "content") })
	mux.HandleFunc("/packed.gz", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the client asks for another encoding than the file's")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "content")
		_ = z.Close()
	})
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/file", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { // no length is said
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(make([]byte, 2000))
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "content")
	})
	mux.HandleFunc("/silent", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "con")
		_ = http.NewResponseController(w).Flush()
		<-gone
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	defer close(gone)
	limits := FetchLimits{MaxBytes: 1000, MaxTime: time.Minute, MaxIdle: 200 * time.Millisecond}
	for path, want := range map[string]string{
		"/file": "", "/here": "", "/packed.gz": "", "/none": "404", "/loop": "redirected 10 times", "/elsewhere": "from http to file",
		"/long": "more than 1000 bytes", "/cut": "unexpected EOF", "/silent": "nothing came",
	} {
		u, err := ParseFetchURL(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		n, err := Fetch(t.Context(), u, &got, limits)
		switch {
		case want == "" && (err != nil || n != int64(got.Len()) || n == 0):
			t.Errorf("%s: %q, %v", path, &got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", path, err, want)
		}
		if isGzip := bytes.HasPrefix(got.Bytes(), []byte{0x1f, 0x8b}); isGzip != (path == "/packed.gz") {
			t.Errorf("%s is not as it is stored: %q", path, &got)
		}
	}
	limits.MaxTime = 50 * time.Millisecond
	u, _ := ParseFetchURL(s.URL + "/silent")
	if _, err := Fetch(t.Context(), u, io.Discard, limits); err == nil || !strings.Contains(err.Error(), "longer than 50ms") {
		t.Errorf("too slow: %v", err)
	}
}

// A download that began in TLS does not leave it, and one that is told so goes on in TLS alone.
func TestFetchStaysInTLS(t *testing.T) {
	for _, c := range []struct {
		from, to  string
		onlyToTLS bool
		fine      bool
	}{
		{"https://example.org/a", "https://example.net/b", false, true},
		{"https://example.org/a", "http://example.org/b", false, false},
		{"https://example.org/a", "ftp://example.org/b", false, false},
		{"http://example.org/a", "http://example.org/b", false, true},
		{"http://example.org/a", "http://example.org/b", true, false},
		{"http://example.org/a", "https://example.org/b", true, true},
	} {
		via := httptest.NewRequest(http.MethodGet, c.from, nil)
		err := FetchLimits{OnlyToTLS: c.onlyToTLS}.checkRedirect(httptest.NewRequest(http.MethodGet, c.to, nil), []*http.Request{via})
		if (err == nil) != c.fine {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}

func TestFetchURLs(t *testing.T) {
	for raw, name := range map[string]string{
		"https://example.org/a/app.tar.gz?x=1": "app.tar.gz", "http://example.org": "artifact", "https://example.org/..": "artifact",
	} {
		if u, err := ParseFetchURL(raw); err != nil || FileName(u) != name {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{"ftp://example.org/a", "file:///etc/passwd", "https://", "https://user:secret@example.org/a", "data://x", "://"} {
		if _, err := ParseFetchURL(raw); !IsURL(raw) || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
