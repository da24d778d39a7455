// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// publishedLog is a log that has a checkpoint, one tile and one bundle.
type publishedLog struct{ *gatewaytest.Log }

func (publishedLog) ReadCheckpoint(context.Context, gateway.Shard) (*gateway.Checkpoint, error) {
	return &gateway.Checkpoint{Size: 256, Envelope: []byte("log.example\n256\n")}, nil
}

func (publishedLog) ReadTile(_ context.Context, _ gateway.Shard, level, index uint64, partial uint8) ([]byte, error) {
	if level == 2 {
		return nil, fmt.Errorf("%w: reading the tile", gateway.ErrUnavailable)
	}
	if level != 0 || index != 0 || partial != 0 {
		return nil, gateway.ErrNotFound
	}
	return []byte("tile"), nil
}

func (publishedLog) ReadEntries(_ context.Context, _ gateway.Shard, index uint64, partial uint8) ([]byte, error) {
	if index != 0 || partial != 0 {
		return nil, gateway.ErrNotFound
	}
	return []byte("entries"), nil
}

// serveRekor is serve with Rekor v2's own routes, which wait for the log as long as that.
func serveRekor(t *testing.T, wait time.Duration, faults ...gatewaytest.Fault) *server {
	t.Helper()
	log := gatewaytest.NewLog(faults...)
	s := start(t, log)
	published := publishedLog{log}
	v2 := rekorcompat.NewV2(rekorcompat.V2Config{
		Service: s, Wait: wait, Log: func() rekorcompat.Log { return published }, Logger: slog.New(slog.DiscardHandler),
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact, Pace: upload.Pace{Idle: 200 * time.Millisecond}},
		Await: func(ctx context.Context, sub *gateway.Submission, wait time.Duration) error {
			return AwaitLog(ctx, s, sub, wait)
		},
	})
	routes := NewHTTP(s, HTTPConfig{Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler), RekorV2: v2})
	out := &server{Server: httptest.NewServer(rekorcompat.AnswerAsRekor(routes)), t: t, log: log}
	t.Cleanup(out.Close)
	return out
}

// rekorRequest returns a request of Rekor v2 in JSON.
func rekorRequest(t *testing.T, text string) string {
	t.Helper()
	r := gatewaytest.Signed(t, text)
	block, _ := pem.Decode(r.Keys[0])
	raw, err := protojson.Marshal(&rekorv2pb.CreateEntryRequest{Spec: &rekorv2pb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: &rekorv2pb.HashedRekordRequestV002{
		Digest: r.Digest.Value, Signature: &rekorv2pb.Signature{Content: r.Signature, Verifier: &rekorv2pb.Verifier{
			KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, Verifier: &rekorv2pb.Verifier_PublicKey{PublicKey: &rekorv2pb.PublicKey{RawBytes: block.Bytes}},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (s *server) postRekor(body string) answered {
	s.t.Helper()
	return s.do(http.MethodPost, rekorcompat.EntriesPath, "application/json", strings.NewReader(body))
}

// expectStatus: an answer is google.rpc.Status with the reason first in its message.
func (s *server) expectStatus(a answered, status int, reason string) {
	s.t.Helper()
	if a.status != status || !strings.HasPrefix(a.text("message"), reason+": ") || a.body["details"] == nil || a.body["code"] == nil || a.header.Get("Content-Type") != "application/json" {
		s.t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, reason)
	}
}

// What Rekor's routes answer is as openapi.json says, which the exchanges are held to.
func TestRekorRoutes(t *testing.T) {
	s := serveRekor(t, 0)
	body := rekorRequest(t, "hello")
	first, again := s.postRekor(body), s.postRekor(body)
	if first.status != http.StatusCreated || again.status != http.StatusCreated || string(first.raw) == "" || first.text("logIndex") != again.text("logIndex") || first.text("integratedTime") != "0" {
		t.Errorf("%d %s\n%d %s", first.status, first.raw, again.status, again.raw)
	}
	if _, there := first.body["inclusionPromise"]; !there {
		t.Errorf("what is not set is left out: %s", first.raw)
	}
	s.expectStatus(s.postRekor(`{}`), 400, "MALFORMED_REQUEST")
	s.expectStatus(s.postRekor(`{"dsseRequestV002":{}}`), 422, "UNSUPPORTED_FEATURE")
	s.expectStatus(s.postRekor(strings.Repeat(" ", 300<<10)), 413, "TOO_LARGE")
	for path, want := range map[string]string{"checkpoint": "log.example\n256\n", "tile/0/000": "tile", "tile/entries/000": "entries"} {
		if a := s.getBytes("/api/v2/" + path); a.status != 200 || string(a.raw) != want || !isShortLived(a.header.Get("Cache-Control")) {
			t.Errorf("%s: %d %q %v", path, a.status, a.raw, a.header)
		}
	}
	for _, path := range []string{"tile/0/001", "tile/0/000.p/7", "tile/entries/001", "tile/0/x", "tile/entries/x", "tile/x/000"} {
		s.expectStatus(s.do(http.MethodGet, "/api/v2/"+path, "", nil), 404, "NOT_FOUND")
	}
	s.expectStatus(s.do(http.MethodGet, "/api/v2/tile/2/000", "", nil), 503, "LOG_UNAVAILABLE")
	s.expectStatus(s.do(http.MethodGet, "/api/v2/log/entries", "", nil), 405, "MALFORMED_REQUEST")
	s.expectV1(s.do(http.MethodGet, "/api/v1/log", "", nil), 404, "NOT_FOUND") // which is off here
	off := serve(t)
	if _, a := off.send(http.MethodPost, rekorcompat.EntriesPath, "application/json", strings.NewReader(body)); a.status != 404 { // which openapi.json has in Rekor's form
		t.Errorf("where it is off: %d %s", a.status, a.raw)
	}
}

// TestRekorWait: who has waited too long is told to send the same again, and gets the entry then, which was sent to the log once.
func TestRekorWait(t *testing.T) {
	s := serveRekor(t, 50*time.Millisecond)
	s.log.SetDown(fmt.Errorf("%w: for a while", gateway.ErrUnavailable))
	body := rekorRequest(t, "waiting")
	late := s.postRekor(body)
	s.expectStatus(late, 503, "NOT_LOGGED_IN_TIME")
	if late.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %q", late.header.Get("Retry-After"))
	}
	s.log.SetDown(nil)
	deadline := time.Now().Add(20 * time.Second)
	for {
		a := s.postRekor(body)
		if a.status == http.StatusCreated {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	if logged, sent := s.log.Count(); logged != 1 || sent != 1 {
		t.Errorf("%d logged of %d sent", logged, sent)
	}
}

// What the log refuses for good is told as its refusal, and not as a duplicate.
func TestRekorRefusedByLog(t *testing.T) {
	s := serveRekor(t, 0, gatewaytest.Fault{Err: gateway.ErrRefused})
	s.expectStatus(s.postRekor(rekorRequest(t, "refused")), 502, "LOG_REFUSED")
}

// slowBody sends a little, and then nothing, or no end of it.
type slowBody struct {
	text    string
	endless bool
	stop    <-chan struct{}
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.text != "" {
		n := copy(p, b.text)
		if b.text = b.text[n:]; b.endless {
			b.text = strings.Repeat(" ", 1<<10)
		}
		return n, nil
	}
	<-b.stop
	return 0, io.EOF
}

// Who sends slowly, or without end, is refused soon, and in Rekor's form.
func TestRekorHostileBodies(t *testing.T) {
	s := serveRekor(t, 0)
	stop := make(chan struct{})
	defer close(stop)
	for name, test := range map[string]struct {
		body   *slowBody
		status int
		reason string
	}{
		"slow":    {&slowBody{text: `{"hashedRekordRequestV002":`, stop: stop}, 408, "REQUEST_TIMEOUT"},
		"silent":  {&slowBody{stop: stop}, 408, "REQUEST_TIMEOUT"},
		"endless": {&slowBody{text: `{`, endless: true, stop: stop}, 413, "TOO_LARGE"},
	} {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+rekorcompat.EntriesPath, test.body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != test.status || !strings.Contains(string(raw), `"message":"`+test.reason+": ") || time.Since(started) > 30*time.Second {
				t.Errorf("%d %s after %v: %v", resp.StatusCode, raw, time.Since(started), err)
			}
		})
	}
}

// isShortLived: what a path has is of another log once the shard is another.
func isShortLived(cache string) bool {
	return cache == "private, max-age=600" || cache == "private, max-age=1"
}
