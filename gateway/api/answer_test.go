// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// ask sends a request with headers, and returns the answer as it is sent.
func (s *server) ask(method, path string, headers map[string]string, body io.Reader) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r) // follows no redirects
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(raw)
}

// submitted submits a text and returns the path of its submission.
func (s *server) submitted(text string) string {
	s.t.Helper()
	sig, key, artifact, format := parts(s.t, text)
	a := s.post("/v1/submissions", sig, key, format, artifact)
	s.expect(a, http.StatusCreated, "")
	return a.header.Get("Location")
}

// A path that is nearly right is not found: a redirect would be success to curl.
func TestNoRedirects(t *testing.T) {
	s := serve(t)
	for _, path := range []string{
		"//v1/submissions", "/v1//submissions", "/v1/submissions/", "/v1/submissions//x", "/v1/./submissions", "/v1/x/../submissions", "//", "/v1", "/v1/",
		"/v1/submissions/%2e%2e/formats", "/v1/formats/", "/v1/submissions:plan/", "//healthz", "/.", "/v1/submissions/x/", "//evil.example/v1/submissions",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut} {
			res, body := s.ask(method, path, nil, nil)
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %d %s %s", method, path, res.StatusCode, res.Header.Get("Location"), body)
			}
			if method != http.MethodHead && !strings.Contains(body, "NOT_FOUND") {
				t.Errorf("%s %s: %s", method, path, body)
			}
		}
	}
}

// Who asks for the receipt alone gets it, under a name that goes with the artifact's.
func TestReceiptAlone(t *testing.T) {
	s := serve(t)
	sig, key, artifact, format := parts(t, "hello")
	for name, want := range map[string]string{
		"app-1.0.tar.gz": "app-1.0.tar.gz.receipt.json", "../../etc/passwd": "passwd.receipt.json", ".bashrc": "bashrc.receipt.json", "a b\"c;d\u00fc.zip": "a_b_c_d_.zip.receipt.json",
		"": "receipt.json", "...": "receipt.json", "-rf": "rf.receipt.json", strings.Repeat("x", 300): strings.Repeat("x", maxName) + ".receipt.json",
	} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, f := range []field{sig, key, format} {
			part, _ := w.CreateFormField(f.name)
			_, _ = io.WriteString(part, f.value)
		}
		part, _ := w.CreateFormFile("artifact", name)
		_, _ = io.WriteString(part, artifact.value)
		w.Close()
		res, text := s.ask(http.MethodPost, "/v1/submissions", map[string]string{"Accept": receipt.MediaType, "Content-Type": w.FormDataContentType()}, &body)
		disposition := res.Header.Get("Content-Disposition")
		if res.StatusCode >= 300 || res.Header.Get("Content-Type") != receipt.MediaType || disposition != "attachment; filename="+want {
			t.Errorf("%q: %d %s %s", name, res.StatusCode, res.Header.Get("Content-Type"), disposition)
		}
		if r, err := receipt.Unmarshal([]byte(text)); err != nil || "/v1/submissions/"+r.GetSubmissionId() != res.Header.Get("Location") {
			t.Errorf("%q: %v", name, err)
		}
	}
	path := s.submitted("another")
	for accept, want := range map[string]string{
		receipt.MediaType: receipt.MediaType, "application/json, " + receipt.MediaType: receipt.MediaType, receipt.MediaType + "; q=0.5": receipt.MediaType,
		"": jsonType, "*/*": jsonType, "application/*": jsonType, receipt.MediaType + ";q=0": jsonType, "application/json, " + receipt.MediaType + ";q=0.5": jsonType, ",;": jsonType,
	} {
		res, _ := s.ask(http.MethodGet, path, map[string]string{"Accept": accept}, nil)
		if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != want || !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept,") {
			t.Errorf("Accept %q: %d %s, Vary %q", accept, res.StatusCode, got, res.Header.Values("Vary"))
		}
	}
}

// What is not logged yet is accepted all the same, and has no receipt.
func TestReceiptAloneNotYet(t *testing.T) {
	s := serve(t)
	s.log.SetDown(gateway.ErrUnavailable)
	kind, body := formBody(func() []field {
		sig, key, artifact, format := parts(t, "hello")
		return []field{sig, key, format, artifact}
	}()...)
	headers := map[string]string{"Accept": receipt.MediaType, "Content-Type": kind}
	res, _ := s.ask(http.MethodPost, "/v1/submissions?wait=0", headers, body)
	if res.StatusCode != http.StatusAccepted || res.Header.Get("Content-Type") != jsonType {
		t.Errorf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	res, text := s.ask(http.MethodGet, res.Header.Get("Location"), headers, nil)
	if res.StatusCode != http.StatusConflict || !strings.Contains(text, "NOT_LOGGED_YET") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

func TestEntityTags(t *testing.T) {
	s := serve(t)
	path := s.submitted("hello")
	for _, path := range []string{path, path + "/receipt", "/v1/submissions", "/v1/formats", "/openapi.json"} {
		first, text := s.ask(http.MethodGet, path, nil, nil)
		tag := first.Header.Get("ETag")
		for _, sent := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			if res, body := s.ask(http.MethodGet, path, map[string]string{"If-None-Match": sent, "Accept-Encoding": "gzip"}, nil); res.StatusCode != http.StatusNotModified || body != "" || res.Header.Get("ETag") != tag {
				t.Errorf("%s, If-None-Match %s: %d %.100s", path, sent, res.StatusCode, body)
			}
		}
		if res, body := s.ask(http.MethodGet, path, map[string]string{"If-None-Match": `W/"x"`}, nil); res.StatusCode != http.StatusOK || body != text || tag == "" {
			t.Errorf("%s, another tag: %d, tag %q", path, res.StatusCode, tag)
		}
	}
	_, _ = s.ask(http.MethodGet, "/v1/formats", nil, nil)
	if a, b := makeTag([]byte("a")), makeTag([]byte("b")); a == b {
		t.Error("two answers have one tag")
	}
}

func TestCompressedAnswers(t *testing.T) {
	s := serve(t)
	path := s.submitted("hello")
	_, plain := s.ask(http.MethodGet, path, nil, nil)
	for accept, want := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "br": false, "": false, "identity": false} {
		res, body := s.ask(http.MethodGet, path, map[string]string{"Accept-Encoding": accept}, nil)
		packed := res.Header.Get("Content-Encoding") == "gzip"
		if packed != want || int64(len(body)) != res.ContentLength {
			t.Errorf("%q: packed %t, %d bytes, length %d", accept, packed, len(body), res.ContentLength)
		}
		if packed {
			r, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(r)
			if len(body) >= len(plain) {
				t.Errorf("%d bytes for %d", len(body), len(plain))
			}
			if body = string(raw); err != nil {
				t.Error(err)
			}
		}
		if body != plain {
			t.Errorf("%q: another answer: %.100s", accept, body)
		}
	}
	if res, _ := s.ask(http.MethodGet, "/healthz", map[string]string{"Accept-Encoding": "gzip"}, nil); res.Header.Get("Content-Encoding") != "" {
		t.Error("a few bytes are compressed")
	}
}

// Zero values are said, lists are never absent, nothing is escaped for HTML.
func TestAnswersAreComplete(t *testing.T) {
	s := serve(t)
	_, list := s.ask(http.MethodGet, "/v1/submissions", nil, nil)
	if list != `{"submissions":[],"nextPageToken":""}`+"\n" {
		t.Errorf("an empty list is %s", list)
	}
	sig, key, artifact, format := parts(t, "hello")
	a := s.post("/v1/submissions", sig, key, format, artifact, field{"label", "a=<b>&c"})
	for _, want := range []string{`"logIndex":"0"`, `"labels":{"a":"<b>&c"}`, `"container":`, `"keys":[`} {
		if want == `"container":` { // a message that is not there stays away
			if bytes.Contains(a.raw, []byte(want)) {
				t.Errorf("%s in %s", want, a.raw)
			}
			continue
		}
		if !bytes.Contains(a.raw, []byte(want)) {
			t.Errorf("no %s in %s", want, a.raw)
		}
	}
	if err := protojson.Unmarshal(a.raw, new(pb.Submission)); err != nil {
		t.Error(err)
	}
	refused := s.post("/v1/submissions", sig, field{"<b>&", "x"})
	if s.expect(refused, http.StatusBadRequest, "MALFORMED_REQUEST"); !bytes.Contains(refused.raw, []byte(`<b>&`)) {
		t.Errorf("%s", refused.raw)
	}
}
