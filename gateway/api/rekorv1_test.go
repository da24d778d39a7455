// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// shownLog has one entry, which stands for all that is recorded: what a log of Rekor v1 says is verified, which is tested where it is done.
type shownLog struct {
	source   string
	down     error
	recorded error
}

var (
	shownID    = rekorjson.ID{Tree: 7, Leaf: [32]byte{1}}
	shownEntry = rekorjson.Entry{
		Body: []byte(`{"kind":"hashedrekord"}`), IntegratedTime: 1, LogID: hex.EncodeToString(make([]byte, 32)), LogIndex: 5,
		Verification: rekorjson.Verification{SignedEntryTimestamp: []byte("set"), InclusionProof: &rekorjson.InclusionProof{
			Checkpoint: "log.example - 7\n", Hashes: []string{}, RootHash: hex.EncodeToString(make([]byte, 32)), TreeSize: 1,
		}},
	}
)

func (l *shownLog) Source() string { return l.source }

func (l *shownLog) Recorded(context.Context, gateway.Submission, []byte) (rekorjson.ID, rekorjson.Entry, error) {
	return shownID, shownEntry, l.recorded
}

func (l *shownLog) Info(context.Context) (rekorjson.LogInfo, error) {
	return rekorjson.LogInfo{TreeInfo: rekorjson.TreeInfo{RootHash: hex.EncodeToString(make([]byte, 32)), TreeID: "7", TreeSize: 1}}, l.down
}

func (l *shownLog) PublicKey(_ context.Context, tree int64) ([]byte, error) {
	if tree != 0 && tree != 7 {
		return nil, gateway.ErrNotFound
	}
	return []byte("-----BEGIN PUBLIC KEY-----\n"), l.down
}

func (l *shownLog) Proof(_ context.Context, tree int64, _, last uint64) (rekorjson.ConsistencyProof, error) {
	if last > 1 || tree > 7 {
		return rekorjson.ConsistencyProof{}, gateway.ErrNotFound
	}
	return rekorjson.ConsistencyProof{Hashes: []string{}, RootHash: hex.EncodeToString(make([]byte, 32))}, l.down
}

func (l *shownLog) EntryByIndex(_ context.Context, index int64) (rekorjson.ID, rekorjson.Entry, error) {
	if index != 5 {
		return shownID, shownEntry, gateway.ErrNotFound
	}
	return shownID, shownEntry, l.down
}

func (l *shownLog) EntryByID(_ context.Context, id rekorjson.ID) (rekorjson.ID, rekorjson.Entry, error) {
	if id.Leaf != shownID.Leaf {
		return shownID, shownEntry, gateway.ErrNotFound
	}
	return shownID, shownEntry, l.down
}

func (l *shownLog) Search(context.Context, rekorjson.Search) ([]rekorjson.ID, error) {
	return []rekorjson.ID{shownID}, l.down
}

// serveRekorV1 is serve with Rekor v1's own routes, which show log and wait for a log that submissions go to as long as that.
func serveRekorV1(t *testing.T, wait time.Duration, log *shownLog) *server {
	t.Helper()
	into := gatewaytest.NewLog()
	log.source = into.Describe().ID
	s := start(t, into)
	v1 := rekorcompat.NewV1(rekorcompat.V1Config{
		Service: s, Log: func() rekorcompat.V1Log { return log }, Logger: slog.New(slog.DiscardHandler),
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact, Pace: upload.Pace{Idle: 200 * time.Millisecond}},
		Await: func(ctx context.Context, sub *gateway.Submission, longest time.Duration) error {
			if wait > 0 {
				longest = wait
			}
			return AwaitLog(ctx, s, sub, longest)
		},
	})
	routes := NewHTTP(s, HTTPConfig{Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler), RekorV1: v1})
	out := &server{Server: httptest.NewServer(rekorcompat.AnswerAsRekor(routes)), t: t, log: into}
	t.Cleanup(out.Close)
	return out
}

// hashedRekord returns a hashedrekord of Rekor v1 for text, and rekord the same with the text.
func hashedRekord(t *testing.T, text string) (hashed, rekord string) {
	t.Helper()
	r := gatewaytest.Signed(t, text)
	signature := fmt.Sprintf(`"content":"%s","publicKey":{"content":"%s"}`, base64.StdEncoding.EncodeToString(r.Signature), base64.StdEncoding.EncodeToString(r.Keys[0]))
	hashed = fmt.Sprintf(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},"signature":{%s}}}`, r.Digest.Value, signature)
	rekord = fmt.Sprintf(`{"apiVersion":"0.0.1","spec":{"data":{"content":"%s"},"signature":{"format":"x509",%s}},"kind":"rekord"}`, base64.StdEncoding.EncodeToString([]byte(text)), signature)
	return hashed, rekord
}

func (s *server) postV1(path, body string) answered {
	s.t.Helper()
	return s.do(http.MethodPost, path, "application/json", strings.NewReader(body))
}

// expectV1: an answer is Rekor v1's error, with the reason first in its message.
func (s *server) expectV1(a answered, status int, reason string) {
	s.t.Helper()
	if a.status != status || !strings.HasPrefix(a.text("message"), reason+": ") || fmt.Sprint(a.body["code"]) != fmt.Sprint(status) || len(a.body) != 2 || a.header.Get("Content-Type") != "application/json" {
		s.t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, reason)
	}
}

// What Rekor v1's routes answer is as openapi.json says, which the exchanges are held to.
func TestRekorV1Routes(t *testing.T) {
	s := serveRekorV1(t, 0, new(shownLog))
	hashed, rekord := hashedRekord(t, "hello")
	for i, body := range []string{hashed, rekord} {
		a := s.postV1(rekorcompat.V1EntriesPath, body)
		if i == 1 && a.status == http.StatusConflict { // over the same bytes: the same submission
			continue
		}
		if a.status != http.StatusCreated || a.header.Get("Location") != "/api/v1/log/entries/"+shownID.String() || a.header.Get("ETag") != shownID.String() || a.body[shownID.String()] == nil {
			t.Errorf("%d %s %v", a.status, a.raw, a.header)
		}
	}
	again := s.postV1(rekorcompat.V1EntriesPath, hashed)
	if again.status != http.StatusConflict || again.header.Get("Location") != "/api/v1/log/entries/"+shownID.String() || !strings.Contains(again.text("message"), "already exists") {
		t.Errorf("again: %d %s %v", again.status, again.raw, again.header)
	}
	for _, path := range []string{"/api/v1/log", "/api/v1/log/publicKey", "/api/v1/log/publicKey?treeID=7", "/api/v1/log/proof?lastSize=1", "/api/v1/log/entries?logIndex=5", "/api/v1/log/entries/" + shownID.String(), "/ping"} {
		if a := s.getBytes(path); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	queries := fmt.Sprintf(`{"entryUUIDs":["%s"],"logIndexes":[5,6],"entries":[%s]}`, shownID, hashed)
	if a := s.getPosted(rekorcompat.V1RetrievePath, queries); strings.Count(a, `"body"`) != 2 {
		t.Errorf("retrieve: %s", a)
	}
	if a := s.getPosted(rekorcompat.V1IndexPath, `{"hash":"`+strings.Repeat("AB", 32)+`"}`); a != `["`+shownID.String()+"\"]\n" {
		t.Errorf("search: %s", a)
	}
	for path, want := range map[string]int{
		"log/entries?logIndex=6": 404, "log/entries": 400, "log/entries?logIndex=-1": 400, "log/entries?logIndex=5&logIndex=5": 400, "log/entries?logIndex=9999999999999999999": 400,
		"log/entries/" + strings.Repeat("0", 64): 404, "log/entries/x": 400, "log/publicKey?treeID=8": 404, "log/publicKey?treeID=x": 400, "log/publicKey?treeID=0": 400,
		"log/proof": 400, "log/proof?firstSize=2&lastSize=1": 400, "log/proof?firstSize=0&lastSize=1": 400, "log/proof?lastSize=2": 404, "log/nothing": 404,
	} {
		reason := map[int]string{400: "MALFORMED_REQUEST", 404: "NOT_FOUND"}[want]
		s.expectV1(s.do(http.MethodGet, "/api/v1/"+path, "", nil), want, reason)
	}
	off := serve(t)
	if _, a := off.send(http.MethodGet, "/api/v1/log", "", nil); a.status != http.StatusNotFound {
		t.Errorf("where it is off: %d %s", a.status, a.raw)
	}
}

// getPosted returns what is answered with 200.
func (s *server) getPosted(path, body string) string {
	s.t.Helper()
	r, out := s.send(http.MethodPost, path, "application/json", strings.NewReader(body))
	recordExchange(s.t, r, []byte(body), out)
	if out.status != http.StatusOK {
		s.t.Errorf("%s: %d %s", path, out.status, out.raw)
	}
	return string(out.raw)
}

// TestRekorV1Hostile: what is no entry is refused before anything is recorded, and told why.
func TestRekorV1Hostile(t *testing.T) {
	s := serveRekorV1(t, 0, new(shownLog))
	hashed, rekord := hashedRekord(t, "hostile")
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	replace := func(body, old, with string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("%s has no %s", body, old)
		}
		return strings.Replace(body, old, with, 1)
	}
	for name, test := range map[string]struct {
		body   string
		status int
		reason string
	}{
		"nothing":               {``, 400, "MALFORMED_REQUEST"},
		"no object":             {`[]`, 400, "MALFORMED_REQUEST"},
		"cut":                   {rekord[:len(rekord)-1], 400, "MALFORMED_REQUEST"},
		"two":                   {rekord + rekord, 400, "MALFORMED_REQUEST"},
		"no kind":               {replace(rekord, `"kind":"rekord"`, `"kind":null`), 400, "MALFORMED_REQUEST"},
		"another kind":          {replace(rekord, `"kind":"rekord"`, `"kind":"intoto"`), 422, "UNSUPPORTED_FEATURE"},
		"another version":       {replace(rekord, `0.0.1`, `0.0.2`), 422, "UNSUPPORTED_VERSION"},
		"a member twice":        {replace(rekord, `"kind":`, `"kind":"rekord","kind":`), 400, "MALFORMED_REQUEST"},
		"data twice":            {replace(rekord, `"data":`, `"data":{},"data":`), 400, "MALFORMED_REQUEST"},
		"content twice":         {replace(rekord, `"data":{`, `"data":{"content":"AA==",`), 400, "MALFORMED_REQUEST"},
		"an unknown member":     {replace(rekord, `"data":{`, `"data":{"size":1,`), 400, "MALFORMED_REQUEST"},
		"by URL":                {replace(rekord, `"data":{`, `"data":{"url":"https://example.com/",`), 422, "UNSUPPORTED_FEATURE"},
		"a signature by URL":    {replace(rekord, `"signature":{`, `"signature":{"url":"https://example.com/",`), 422, "UNSUPPORTED_FEATURE"},
		"no data":               {replace(rekord, `"data":{"content":"`, `"data":{"hash":{"algorithm":"sha256","value":"`), 400, "MALFORMED_REQUEST"},
		"data is null":          {replace(rekord, `{"content":"`+base64.StdEncoding.EncodeToString([]byte("hostile"))+`"}`, `null`), 400, "MISSING_ARTIFACT"},
		"no PKI":                {replace(rekord, `"format":"x509",`, ``), 415, "UNKNOWN_FORMAT"},
		"another PKI":           {replace(rekord, `"x509"`, `"tuf"`), 415, "UNKNOWN_FORMAT"},
		"no base64":             {replace(rekord, `"data":{"content":"`, `"data":{"content":"!`), 400, "MALFORMED_REQUEST"},
		"no base64, and long":   {replace(rekord, `"data":{"content":"`, `"data":{"content":"`+long+`!`), 400, "MALFORMED_REQUEST"},
		"another hash":          {replace(rekord, `"data":{`, `"data":{"hash":{"algorithm":"sha256","value":"`+strings.Repeat("0", 64)+`"},`), 422, "ARTIFACT_MISMATCH"},
		"another artifact":      {replace(rekord, `"data":{"content":"`, `"data":{"content":"AAAA`), 422, "SIGNATURE_INVALID"},
		"a long kind":           {replace(rekord, `"kind":"rekord"`, `"kind":"`+strings.Repeat("r", 300)+`"`), 400, "MALFORMED_REQUEST"},
		"a very long kind":      {replace(rekord, `"kind":"rekord"`, `"kind":"`+long+`"`), 400, "MALFORMED_REQUEST"},
		"a very long name":      {replace(rekord, `"kind":`, `"`+long+`":1,"kind":`), 400, "MALFORMED_REQUEST"},
		"four long strings":     {`{"a":["` + long + `","` + long + `","` + long + `","` + long + `"]}`, 413, "TOO_LARGE"},
		"deep":                  {replace(rekord, `"data":`, `"x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`,"data":`), 400, "MALFORMED_REQUEST"},
		"a digest of no length": {replace(hashed, `"value":"`, `"value":"00`), 400, "MALFORMED_DIGEST"},
		"SHA-1":                 {replace(hashed, `"sha256"`, `"sha1"`), 400, "MALFORMED_DIGEST"},
		"a digest by another":   {replace(hashed, `"value":"`, `"value":"`+strings.Repeat("0", 64)+`","x":"`), 400, "MALFORMED_REQUEST"},
		"content in a hash":     {replace(hashed, `"data":{`, `"data":{"content":"AAAA",`), 400, "MALFORMED_REQUEST"},
		"a large artifact":      {replace(rekord, `"data":{"content":"`, `"data":{"content":"`+base64.StdEncoding.EncodeToString(make([]byte, testMaxArtifact+3))), 413, "TOO_LARGE"},
		"TUF without a root":    {`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":{}}}}`, 400, "MISSING_KEY"},
		"TUF in base64":         {`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":"e30="},"root":{"content":{}}}}`, 400, "MALFORMED_SIGNATURE"},
		"TUF in no base64":      {`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":"e30"},"root":{"content":{}}}}`, 400, "MALFORMED_REQUEST"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			s.expectV1(s.postV1(rekorcompat.V1EntriesPath, test.body), test.status, test.reason)
		})
	}
	for body, reason := range map[string]string{
		`{}`: "MALFORMED_REQUEST", `{"entryUUIDs":["x"]}`: "MALFORMED_REQUEST", `{"logIndexes":[-1]}`: "MALFORMED_REQUEST", `{"logIndexes":[1.5]}`: "MALFORMED_REQUEST", `{"logIndexes":"1"}`: "MALFORMED_REQUEST",
		`{"entries":[{}]}`: "MALFORMED_REQUEST", `{"all":true}`: "MALFORMED_REQUEST",
	} {
		s.expectV1(s.postV1(rekorcompat.V1RetrievePath, body), 400, reason)
	}
	s.expectV1(s.postV1(rekorcompat.V1RetrievePath, `{"logIndexes":[`+strings.Repeat("1,", 10)+`1]}`), 413, "TOO_LARGE")
	s.expectV1(s.postV1(rekorcompat.V1RetrievePath, `{"entries":[`+rekord+`]}`), 422, "UNSUPPORTED_FEATURE")
	for _, body := range []string{``, `{}`, `{"operator":"or"}`, `{"hash":"x","operator":"xor"}`, `{"artifact":"x"}`} {
		s.expectV1(s.postV1(rekorcompat.V1IndexPath, body), 400, "MALFORMED_REQUEST")
	}
	s.expectV1(s.postV1(rekorcompat.V1IndexPath, `{"hash":"x"}`), 400, "MALFORMED_DIGEST")
	if _, sent := s.log.Count(); sent != 0 {
		t.Errorf("the log was sent %d entries", sent)
	}
}

// Who sends slower than he may is told so, and what he has sent is gone.
func TestRekorV1SlowBody(t *testing.T) {
	s := serveRekorV1(t, 0, new(shownLog))
	stop := make(chan struct{})
	defer close(stop)
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	for _, text := range []string{`{"kind":"rekord"`, `{"spec":{"data":{"content":"` + long} {
		a := s.do(http.MethodPost, rekorcompat.V1EntriesPath, "application/json", &slowBody{text: text, stop: stop})
		s.expectV1(a, 408, "REQUEST_TIMEOUT")
	}
}

// TestRekorV1OtherLog: what would not be recorded in the log that clients see is refused before anything is stored.
func TestRekorV1OtherLog(t *testing.T) {
	log := new(shownLog)
	s := serveRekorV1(t, 0, log)
	source := log.source
	hashed, _ := hashedRekord(t, "of another log")
	log.source = "another"
	s.expectV1(s.postV1(rekorcompat.V1EntriesPath, hashed), 403, "FORBIDDEN")
	log.source = source
	if a := s.postV1(rekorcompat.V1EntriesPath, hashed); a.status != http.StatusCreated {
		t.Errorf("for the first time: %d %s", a.status, a.raw)
	}
}

// TestRekorV1Wait: 503 and Retry-After where the log does not answer in time, and where this log lacks the entry as yet.
func TestRekorV1Wait(t *testing.T) {
	log := &shownLog{}
	s := serveRekorV1(t, 50*time.Millisecond, log)
	s.log.SetDown(fmt.Errorf("%w: for a while", gateway.ErrUnavailable))
	hashed, _ := hashedRekord(t, "waiting")
	late := s.postV1(rekorcompat.V1EntriesPath, hashed)
	s.expectV1(late, 503, "NOT_LOGGED_IN_TIME")
	if late.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", late.header)
	}
	s.log.SetDown(nil)
	for deadline := time.Now().Add(20 * time.Second); s.postV1(rekorcompat.V1EntriesPath, hashed).status != http.StatusConflict; {
		if time.Now().After(deadline) {
			t.Fatal("it is not logged")
		}
	}
	log.recorded = gateway.ErrNotFound
	s.expectV1(s.postV1(rekorcompat.V1EntriesPath, hashed), 403, "FORBIDDEN")
	log.down = fmt.Errorf("%w: for a while", gateway.ErrUnavailable)
	for _, path := range []string{"log", "log/entries?logIndex=5", "log/entries/" + shownID.String(), "log/proof?lastSize=1"} {
		s.expectV1(s.do(http.MethodGet, "/api/v1/"+path, "", nil), 503, "LOG_UNAVAILABLE")
	}
	s.expectV1(s.postV1(rekorcompat.V1IndexPath, `{"hash":"`+strings.Repeat("0", 64)+`"}`), 503, "LOG_UNAVAILABLE")
	log.down = fmt.Errorf("%w: forged", gateway.ErrBadAnswer)
	s.expectV1(s.do(http.MethodGet, "/api/v1/log/entries?logIndex=5", "", nil), 503, "LOG_ANSWER_INVALID")
}
