// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

func TestSubmitForm(t *testing.T) {
	s := serve(t)
	sig, key, artifact, format := parts(t, "hello")
	label := field{"label", "build=42=x"}
	first := s.post("/v1/submissions", sig, key, format, label, artifact)
	s.expect(first, http.StatusCreated, "")
	if first.text("state") != "LOGGED" || first.text("representation") != "NATIVE" || first.body["receipt"] == nil {
		t.Fatalf("answer %.400s", first.raw)
	}
	if loc := first.header.Get("Location"); loc != "/v1/submissions/"+first.text("id") {
		t.Errorf("Location %q", loc)
	}
	if l, _ := first.body["labels"].(map[string]any); l["build"] != "42=x" {
		t.Errorf("labels %v", first.body["labels"])
	}
	// In any order of the parts it is the same submission.
	for _, order := range [][]field{{artifact, sig, key, format}, {sig, artifact, key, format}, {format, key, artifact, sig}} {
		again := s.post("/v1/submissions", order...)
		s.expect(again, http.StatusOK, "")
		if again.text("id") != first.text("id") {
			t.Errorf("order %v gave another submission", order)
		}
	}
	get := s.do(http.MethodGet, first.header.Get("Location"), "", nil)
	s.expect(get, http.StatusOK, "")
	receipt := s.do(http.MethodGet, first.header.Get("Location")+"/receipt", "", nil)
	s.expect(receipt, http.StatusOK, "")
	if receipt.text("submissionId") != first.text("id") {
		t.Errorf("receipt %.200s", receipt.raw)
	}
	if left, _ := os.ReadDir(s.spoolDir); len(left) != 0 {
		t.Errorf("%d spool files are left behind", len(left))
	}
}

func TestSubmitJSONAndDigest(t *testing.T) {
	s := serve(t)
	r := gatewaytest.Signed(t, "hello")
	send := func(extra map[string]any) answered {
		m := map[string]any{"signature": r.Signature, "keys": r.Keys, "format": "x509"}
		for k, v := range extra {
			m[k] = v
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return s.do(http.MethodPost, "/v1/submissions", "application/json", bytes.NewReader(body))
	}
	s.expect(send(map[string]any{"artifact": []byte("hello")}), http.StatusCreated, "")
	s.expect(send(map[string]any{"digest": r.Digest.String(), "labels": map[string]string{"a": "b"}}), http.StatusCreated, "")
	s.expect(send(map[string]any{"artifact": []byte("other")}), http.StatusUnprocessableEntity, "SIGNATURE_INVALID")
	s.expect(send(map[string]any{"artifakt": []byte("hello")}), http.StatusBadRequest, "MALFORMED_REQUEST")
	s.expect(send(map[string]any{"digest": "sha256:00"}), http.StatusBadRequest, "MALFORMED_DIGEST")
	s.expect(send(map[string]any{"digest": r.Digest.String(), "artifact": []byte("hello")}), http.StatusBadRequest, "MALFORMED_DIGEST")
	s.expect(send(nil), http.StatusBadRequest, "MISSING_ARTIFACT")
}

func TestAcceptedIsAnsweredBeforeItIsLogged(t *testing.T) {
	s := serve(t)
	s.log.SetDown(gateway.ErrUnavailable)
	sig, key, artifact, format := parts(t, "hello")
	accepted := s.post("/v1/submissions?wait=0", sig, key, format, artifact)
	s.expect(accepted, http.StatusAccepted, "")
	s.expect(s.post("/v1/submissions?wait=20ms", sig, key, format, artifact), http.StatusAccepted, "")
	s.expect(s.do(http.MethodGet, accepted.header.Get("Location")+"/receipt", "", nil), http.StatusConflict, "NOT_LOGGED_YET")
	list := s.do(http.MethodGet, "/v1/submissions?state=pending", "", nil)
	s.expect(list, http.StatusOK, "")
	if subs, _ := list.body["submissions"].([]any); len(subs) != 1 {
		t.Errorf("list %.300s", list.raw)
	}
	s.log.SetDown(nil)
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusOK, "")
}

func TestBadRequests(t *testing.T) {
	s := serve(t)
	sig, key, artifact, format := parts(t, "hello")
	_, otherKey, _, _ := parts(t, "hello")
	secret := field{"key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n"}
	for name, c := range map[string]struct {
		fields []field
		status int
		reason string
	}{
		"nothing":                {nil, 400, "MISSING_SIGNATURE"},
		"no signature":           {[]field{key, format, artifact}, 400, "MISSING_SIGNATURE"},
		"empty signature":        {[]field{{"signature", ""}, key, format, artifact}, 400, "MISSING_SIGNATURE"},
		"no key":                 {[]field{sig, format, artifact}, 400, "MISSING_KEY"},
		"no artifact":            {[]field{sig, key, format}, 400, "MISSING_ARTIFACT"},
		"unknown format":         {[]field{sig, key, {"format", "gif"}, artifact}, 415, "UNKNOWN_FORMAT"},
		"unrecognised":           {[]field{{"signature", "what is this"}, key, artifact}, 415, "UNKNOWN_FORMAT"},
		"wrong format":           {[]field{sig, key, {"format", "pgp"}, artifact}, 415, "WRONG_FORMAT"},
		"unknown part":           {[]field{sig, key, {"artefact", "hello"}}, 400, "MALFORMED_REQUEST"},
		"two signatures":         {[]field{sig, sig, key, format, artifact}, 400, "MALFORMED_REQUEST"},
		"two artifacts":          {[]field{artifact, artifact, sig, key, format}, 400, "MALFORMED_REQUEST"},
		"odd part after it":      {[]field{sig, key, format, artifact, {"lable", "a=b"}}, 400, "MALFORMED_REQUEST"},
		"format twice":           {[]field{sig, key, format, artifact, format}, 400, "MALFORMED_REQUEST"},
		"no format at all":       {[]field{sig, key, artifact, {"label", "a=b"}, {"decompress", "gzip"}}, 400, "MALFORMED_CONTAINER"},
		"no certificate":         {[]field{sig, key, format, {"publish_certificate", "true"}, artifact}, 422, "NO_CERTIFICATE"},
		"neither true nor false": {[]field{sig, key, format, {"publish_certificate", "perhaps"}, artifact}, 400, "MALFORMED_REQUEST"},
		"neither all nor known":  {[]field{sig, key, format, {"signatures", "some"}, artifact}, 400, "MALFORMED_REQUEST"},
		"label without value":    {[]field{sig, key, format, {"label", "a"}, artifact}, 400, "MALFORMED_REQUEST"},
		"wrong key":              {[]field{sig, otherKey, format, artifact}, 422, "SIGNATURE_INVALID"},
		"other artifact":         {[]field{sig, key, format, {"artifact", "other"}}, 422, "SIGNATURE_INVALID"},
		"secret key":             {[]field{sig, secret, format, artifact}, 422, "SECRET_KEY"},
		"artifact too large":     {[]field{sig, key, format, {"artifact", strings.Repeat("x", testMaxArtifact+1)}}, 413, "TOO_LARGE"},
		"too large, first":       {[]field{{"artifact", strings.Repeat("x", testMaxArtifact+1)}, sig, key, format}, 413, "TOO_LARGE"},
		"signature too large":    {[]field{{"signature", strings.Repeat("x", 5<<20)}, key, format, artifact}, 413, "TOO_LARGE"},
		"malformed digest":       {[]field{sig, key, format, {"digest", "sha256:xyz"}}, 400, "MALFORMED_DIGEST"},
		"digest twice":           {[]field{sig, key, format, {"digest", "a"}, {"digest", "b"}}, 400, "MALFORMED_REQUEST"},
		"representation":         {[]field{sig, key, format, {"representation", "PROJECTED"}, artifact}, 422, "REPRESENTATION_NOT_POSSIBLE"},
		"no such wish":           {[]field{sig, key, format, {"representation", "GILDED"}, artifact}, 422, "REPRESENTATION_NOT_POSSIBLE"},
		"wrong key, after it":    {[]field{sig, artifact, otherKey, format}, 422, "SIGNATURE_INVALID"},
		"signature is the file":  {[]field{{"signature", "hello"}, key, format, artifact}, 400, "MALFORMED_SIGNATURE"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{Server: s.Server, t: t, log: s.log, spoolDir: s.spoolDir}
			s.expect(s.post("/v1/submissions", c.fields...), c.status, c.reason)
		})
	}
	if _, sent := s.log.Count(); sent != 0 {
		t.Errorf("%d refused submissions were logged", sent)
	}
	list := s.do(http.MethodGet, "/v1/submissions", "", nil)
	if subs, _ := list.body["submissions"].([]any); len(subs) != 0 {
		t.Errorf("refused submissions were stored: %.300s", list.raw)
	}
	if left, _ := os.ReadDir(s.spoolDir); len(left) != 0 {
		t.Errorf("%d spool files are left behind", len(left))
	}
}

func TestMalformedHTTP(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		method, path, kind, body string
		status                   int
		reason                   string
	}{
		"no content type":      {"POST", "/v1/submissions", "", "x", 400, "MALFORMED_REQUEST"},
		"other content type":   {"POST", "/v1/submissions", "text/plain", "x", 400, "MALFORMED_REQUEST"},
		"no boundary":          {"POST", "/v1/submissions", "multipart/form-data", "x", 400, "MALFORMED_REQUEST"},
		"form cut off":         {"POST", "/v1/submissions", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\nab", 400, "MALFORMED_REQUEST"},
		"artifact cut off":     {"POST", "/v1/submissions", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"artifact\"\r\n\r\nab", 400, "MALFORMED_REQUEST"},
		"JSON cut off":         {"POST", "/v1/submissions", "application/json", `{"signature":`, 400, "MALFORMED_REQUEST"},
		"JSON of another kind": {"POST", "/v1/submissions", "application/json", `[1]`, 400, "MALFORMED_REQUEST"},
		"two JSON objects":     {"POST", "/v1/submissions", "application/json", `{"signature":"YQ=="}{}`, 400, "MALFORMED_REQUEST"},
		"wait too long":        {"POST", "/v1/submissions?wait=2h", "application/json", `{}`, 400, "MALFORMED_REQUEST"},
		"wait is no time":      {"POST", "/v1/submissions?wait=soon", "application/json", `{}`, 400, "MALFORMED_REQUEST"},
		"no such submission":   {"GET", "/v1/submissions/0", "", "", 404, "NOT_FOUND"},
		"no such state":        {"GET", "/v1/submissions?state=odd", "", "", 400, "MALFORMED_REQUEST"},
		"odd page size":        {"GET", "/v1/submissions?page_size=x", "", "", 400, "MALFORMED_REQUEST"},
		"odd page token":       {"GET", "/v1/submissions?page_token=x", "", "", 400, "MALFORMED_REQUEST"},
		"odd signer":           {"GET", "/v1/submissions?signer=x", "", "", 400, "MALFORMED_REQUEST"},
		"unknown parameter":    {"GET", "/v1/submissions?artefact=x", "", "", 400, "MALFORMED_REQUEST"},
		"repeated parameter":   {"GET", "/v1/submissions?state=failed&state=logged", "", "", 400, "MALFORMED_REQUEST"},
		"malformed query":      {"GET", "/v1/submissions?state=logged;x", "", "", 400, "MALFORMED_REQUEST"},
		"misspelt wait":        {"POST", "/v1/submissions?wiat=0", "application/json", `{}`, 400, "MALFORMED_REQUEST"},
		"wait for a plan":      {"POST", "/v1/submissions:plan?wait=0", "application/json", `{}`, 400, "MALFORMED_REQUEST"},
		"no such path":         {"GET", "/v2/submissions", "", "", 404, "NOT_FOUND"},
		"other method":         {"DELETE", "/v1/submissions/0", "", "", 405, "MALFORMED_REQUEST"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{Server: s.Server, t: t}
			s.expect(s.do(c.method, c.path, c.kind, strings.NewReader(c.body)), c.status, c.reason)
		})
	}
}

// Clients that hang up in the middle of a body are no failures of the gateway's.
func TestBodiesCutOff(t *testing.T) {
	s := serve(t)
	for name, head := range map[string]string{
		"JSON":         "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"JSON, chunks": "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
		"no chunks":    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{",
		"form":         "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100\r\n\r\n--x\r\n",
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "POST /v1/submissions HTTP/1.1\r\nHost: x\r\n"+head)
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), "MALFORMED_REQUEST") {
			t.Errorf("%s: %s", name, answer)
		}
		_ = conn.Close()
	}
}

func TestOtherMethodsAreTold(t *testing.T) {
	s := serve(t)
	if a := s.do(http.MethodPut, "/v1/submissions", "", nil); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("%d, Allow: %s", a.status, a.header.Get("Allow"))
	}
}

func TestKeysAreBoundTogether(t *testing.T) {
	s := serve(t)
	sig, _, artifact, format := parts(t, "hello")
	half := field{"key", strings.Repeat("k", formats.MaxKeySize/2+1)}
	s.expect(s.post("/v1/submissions", sig, half, half, format, artifact), http.StatusRequestEntityTooLarge, "TOO_LARGE")
}

func TestPlanRoute(t *testing.T) {
	s := serve(t)
	sig, key, _, format := parts(t, "hello")
	plan := s.post("/v1/submissions:plan", sig, key, format)
	s.expect(plan, http.StatusOK, "")
	if plan.text("chosen") != "NATIVE" || plan.text("need") != "digest" {
		t.Errorf("plan %.300s", plan.raw)
	}
	body := `{"format":"x509","signature":"` + base64.StdEncoding.EncodeToString([]byte(sig.value)) +
		`","keys":["` + base64.StdEncoding.EncodeToString([]byte(key.value)) + `"]}`
	s.expect(s.do(http.MethodPost, "/v1/submissions:plan", "application/json", strings.NewReader(body)), http.StatusOK, "")
	s.expect(s.post("/v1/submissions:plan", field{"signature", "x"}), http.StatusUnsupportedMediaType, "UNKNOWN_FORMAT")
}

func TestListFilters(t *testing.T) {
	s := serve(t)
	var last answered
	for range 3 {
		sig, key, artifact, format := parts(t, "hello")
		last = s.post("/v1/submissions", sig, key, format, artifact)
		s.expect(last, http.StatusCreated, "")
	}
	signer := last.body["signers"].([]any)[0].(string)
	digest := last.body["artifactDigests"].([]any)[0].(string)
	for query, want := range map[string]int{
		"": 3, "?signer=" + signer: 1, "?artifact=" + digest: 3, "?state=LOGGED": 3, "?state=FAILED": 0, "?page_size=2": 2,
	} {
		page := s.do(http.MethodGet, "/v1/submissions"+query, "", nil)
		subs, _ := page.body["submissions"].([]any)
		if len(subs) != want {
			t.Errorf("%s: %d submissions, want %d", query, len(subs), want)
		}
		if token := page.text("nextPageToken"); token != "" {
			next := s.do(http.MethodGet, "/v1/submissions"+query+"&page_token="+token, "", nil)
			if rest, _ := next.body["submissions"].([]any); len(rest) != 1 {
				t.Errorf("the second page has %d submissions", len(rest))
			}
		}
	}
}

func TestQueueFullSaysWhenToComeBack(t *testing.T) {
	s := serve(t)
	s.log.SetDown(gateway.ErrUnavailable)
	for range 60 {
		sig, key, artifact, format := parts(t, "hello")
		a := s.post("/v1/submissions?wait=0", sig, key, format, artifact)
		if a.status == http.StatusServiceUnavailable {
			s.expect(a, http.StatusServiceUnavailable, "QUEUE_FULL")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("the queue never filled")
}

func TestSmallRoutes(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/v1/formats", "/healthz", "/readyz", "/openapi.json"} {
		s.expect(s.do(http.MethodGet, path, "", nil), http.StatusOK, "")
	}
}

// Whoever wants no limit may write the largest number.
func TestLargestLimit(t *testing.T) {
	s := serveWith(t, func(c *HTTPConfig) { c.Upload.MaxArtifact, c.Upload.MaxSpool = math.MaxInt64, math.MaxInt64 })
	sig, key, artifact, format := parts(t, "hello")
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusCreated, "")
}

// A client that stops sending is cut off; one that is slow is not.
func TestStalledUpload(t *testing.T) {
	log := gatewaytest.NewLog()
	s := start(t, log)
	server := httptest.NewServer(NewHTTP(s, HTTPConfig{
		Upload: upload.Config{
			MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact, Pace: upload.Pace{Idle: 150 * time.Millisecond},
		},
		Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}))
	defer server.Close()
	sig, key, artifact, format := parts(t, "hello")
	kind, body := formBody(sig, key, format, artifact)
	whole, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	upload := func(pause time.Duration) (int, error) {
		reader, writer := io.Pipe()
		go func() {
			for i := 0; i < len(whole); i += len(whole)/4 + 1 {
				if _, err := writer.Write(whole[i:min(len(whole), i+len(whole)/4+1)]); err != nil {
					return
				}
				time.Sleep(pause)
			}
			_ = writer.Close()
		}()
		res, err := http.Post(server.URL+"/v1/submissions", kind, reader)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		return res.StatusCode, nil
	}
	if status, err := upload(50 * time.Millisecond); err != nil || status != http.StatusCreated {
		t.Errorf("slow upload: %d, %v", status, err)
	}
	if status, err := upload(time.Second); err == nil && status < 400 {
		t.Errorf("stalled upload: %d", status)
	}
}

// A file that two have signed is one submission, and says of each signature how it is recorded. Under signatures=known it
// is taken with one of the keys.
func TestSeveralSignatures(t *testing.T) {
	s := serve(t)
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("../../formats/pgp/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	sig, artifact := field{"signature", read("two.sig")}, field{"artifact", read("artifact")}
	rsa, p256 := field{"key", read("rsa3072.key")}, field{"key", read("p256.key")}
	known := field{"signatures", "known"}
	s.expect(s.post("/v1/submissions", sig, rsa, artifact), http.StatusUnprocessableEntity, "KEY_MISMATCH")
	both := s.post("/v1/submissions", sig, rsa, p256, artifact)
	s.expect(both, http.StatusCreated, "")
	one := s.post("/v1/submissions", sig, rsa, known, artifact)
	s.expect(one, http.StatusCreated, "") // has fewer signers, so it is another submission
	s.expect(s.post("/v1/submissions", sig, p256, rsa, known, artifact), http.StatusOK, "")
	var representations []any
	for _, r := range both.body["signatures"].([]any) {
		representations = append(representations, r.(map[string]any)["representation"])
	}
	if !reflect.DeepEqual(representations, []any{"PROJECTED", "PROJECTED"}) || both.body["representation"] != "PROJECTED" {
		t.Errorf("recorded as %v, which is %v", representations, both.body["representation"])
	}
	unchecked := one.body["receipt"].(map[string]any)["unchecked"].([]any)
	if len(unchecked) != 1 || unchecked[0].(map[string]any)["issuer"] == "" {
		t.Errorf("unchecked: %v", unchecked)
	}
	plan := s.post("/v1/submissions:plan", sig, rsa, p256)
	if parts, _ := plan.body["signatures"].([]any); len(parts) != 2 {
		t.Errorf("planned %s", plan.raw)
	}
}

// The signature is over the file inside the container; the receipt names both.
func TestDecompress(t *testing.T) {
	s := serve(t)
	sig, key, _, format := parts(t, "hello")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("hello"))
	_ = w.Close()
	artifact := field{"artifact", packed.String()}
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusUnprocessableEntity, "SIGNATURE_INVALID")
	logged := s.post("/v1/submissions", sig, key, format, field{"decompress", "gzip"}, artifact)
	s.expect(logged, http.StatusCreated, "")
	xz := exec.Command("xz", "-c")
	xz.Stdin = strings.NewReader("hello")
	other, err := xz.Output()
	if err != nil {
		t.Fatalf("xz: %v (make system-tools installs it)", err)
	}
	another := s.post("/v1/submissions", sig, key, format, field{"decompress", "xz"}, field{"artifact", string(other)})
	s.expect(another, http.StatusCreated, "") // each container is named in a receipt of its own
	s.expect(s.post("/v1/submissions", sig, key, format, field{"decompress", "gzip"}, artifact), http.StatusOK, "")
	inner, outer := sha256.Sum256([]byte("hello")), sha256.Sum256(packed.Bytes())
	if got := logged.body["artifactDigests"].([]any)[0]; got != "sha256:"+hex.EncodeToString(inner[:]) {
		t.Errorf("digest %v is not the inner file's", got)
	}
	recorded := logged.body["receipt"].(map[string]any)["artifact"].(map[string]any)["container"].(map[string]any)["value"]
	if recorded != base64.StdEncoding.EncodeToString(outer[:]) {
		t.Errorf("container %v", recorded)
	}
	s.expect(s.post("/v1/submissions", sig, key, format, field{"decompress", "xz"}, artifact), http.StatusBadRequest, "MALFORMED_CONTAINER")
	s.expect(s.post("/v1/submissions", sig, key, format, field{"decompress", "arj"}, artifact), http.StatusBadRequest, "UNKNOWN_CONTAINER")
	long := field{"artifact", packed.String() + "x"}
	s.expect(s.post("/v1/submissions", sig, key, format, field{"decompress", "gzip"}, long), http.StatusUnprocessableEntity, "TRAILING_DATA")
}

// A build must not go on when the log has refused for good; sent again, it is tried again.
func TestRefusedByTheLog(t *testing.T) {
	s := serve(t, gatewaytest.Fault{Err: gateway.ErrRefused})
	sig, key, artifact, format := parts(t, "hello")
	refused := s.post("/v1/submissions", sig, key, format, artifact)
	s.expect(refused, http.StatusBadGateway, "LOG_REFUSED")
	if got := s.do(http.MethodGet, refused.header.Get("Location"), "", nil); got.text("state") != "FAILED" {
		t.Errorf("state %s", got.text("state"))
	}
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusOK, "")
}

// counting counts how often a format parses.
type counting struct {
	formats.Format
	parses *atomic.Int64
}

func (c counting) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	c.parses.Add(1)
	return c.Format.Parse(ctx, signature, keys, p)
}

// One request is parsed once, whatever the order of its parts, save where a key comes after the artifact.
func TestOneParse(t *testing.T) {
	var parses atomic.Int64
	service := startWith(t, gatewaytest.NewLog(), func(c *gatewaytest.Config) {
		c.Formats = formats.NewRegistry(counting{x509.New(), &parses})
	})
	handler := NewHTTP(service, HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact, MaxSpool: testMaxArtifact, SpoolDir: t.TempDir()}, Logger: slog.New(slog.DiscardHandler),
	})
	s := &server{Server: httptest.NewServer(handler), t: t}
	defer s.Close()
	sig, key, artifact, format := parts(t, "hello")
	other := field{"signature", "no signature"}
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusCreated, "")
	for name, c := range map[string]struct {
		parts  []field
		status int
		want   int64
	}{
		"artifact last":    {[]field{sig, key, format, artifact}, http.StatusOK, 1},
		"artifact first":   {[]field{artifact, sig, key, format}, http.StatusOK, 1},
		"refused at once":  {[]field{other, key, format, artifact}, http.StatusBadRequest, 1},
		"key at the end":   {[]field{sig, format, artifact, key}, http.StatusOK, 2},
		"digest, no bytes": {[]field{sig, key, format, {"digest", gatewaytest.Signed(t, "hello").Digest.String()}}, http.StatusCreated, 1},
	} {
		parses.Store(0)
		a := s.post("/v1/submissions", c.parts...)
		if a.status != c.status || parses.Load() != c.want {
			t.Errorf("%s: %d, parsed %d times, want %d: %s", name, a.status, parses.Load(), c.want, a.raw)
		}
	}
}

// A client whose bytes come too seldom is cut off, although it is never silent for long.
func TestDrippingUpload(t *testing.T) {
	s := serveWith(t, func(c *HTTPConfig) { c.Upload.Pace = upload.Pace{Idle: 200 * time.Millisecond, MinRate: 1 << 20} })
	sig, key, artifact, format := parts(t, "hello")
	kind, body := formBody(sig, key, format, artifact)
	whole, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() {
		for i := range whole {
			if _, err := writer.Write(whole[i : i+1]); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = writer.Close()
	}()
	started := time.Now()
	res, err := http.Post(s.URL+"/v1/submissions", kind, reader)
	if err == nil {
		res.Body.Close()
	}
	if err == nil && res.StatusCode < 400 || time.Since(started) > 5*time.Second {
		t.Errorf("after %s: %v, %v", time.Since(started), res, err)
	}
}
