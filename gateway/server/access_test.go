// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// What is sent and must not come into the log. Of keys and signatures any encoding would do harm.
const (
	secretLabel = "label-secret"
	secretToken = "token-secret"
	secretQuery = "query-secret"
)

func secretBytes(b []byte) []string {
	half := b[len(b)/2:]
	return []string{string(half), hex.EncodeToString(half), base64.StdEncoding.EncodeToString(b)[8:24]}
}

// TestAccessLog: each request has one line, which says who asked for what and which submission it was, and nothing of
// what must stay with the sender.
func TestAccessLog(t *testing.T) {
	r := run(t, newConfig(t))
	digest := sha256.Sum256([]byte("access"))
	signature := must(ecdsa.SignASN1(rand.Reader, key, digest[:]))
	spki := must(x509.MarshalPKIXPublicKey(key.Public()))
	signer := sha256.Sum256(spki)

	r.postJSON(map[string]any{"signature": signature, "keys": [][]byte{spki}, "digest": "sha256:" + hex.EncodeToString(digest[:]), "labels": map[string]string{"l": secretLabel}}, 201)
	r.postJSON(map[string]any{"signature": signature[:len(signature)-1], "keys": [][]byte{spki}, "digest": "sha256:" + hex.EncodeToString(digest[:])}, 400)
	hostile := must(http.Get(r.Addresses().HTTP + "/v1/%0a%0dlevel=ERROR%22%ff" + strings.Repeat("x", 500) + "?token=" + secretQuery))
	hostile.Body.Close()
	r.sendBatchOf(digest[:], signature, spki)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	text := r.log.String()
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool {
		return !strings.Contains(l, " msg=request ") && !strings.Contains(l, " msg=call ")
	})
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4:\n%s", len(lines), text)
	}
	for i, want := range [][]string{
		{"request=json-1", "tenant=default", "remote=127.0.0.1:", `route="POST /v1/submissions"`, "status=201", "duration=", "bytes_in=", "submission=0", "format=x509", "representation=NATIVE",
			"signer=sha256:" + hex.EncodeToString(signer[:]), "artifact=sha256:" + hex.EncodeToString(digest[:])},
		{"status=400", "reason=MALFORMED_SIGNATURE"},
		{`path="/v1/\n\rlevel=ERROR\"`, "status=404", "reason=NOT_FOUND"},
		{"request=batch-1", "tenant=default", "remote=127.0.0.1:", "method=/rekorgateway.v1.GatewayService/SubmitBatch", "code=OK", "submissions=1", "refused=1", "bytes_in="},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d lacks %q:\n%s", i+1, w, lines[i])
			}
		}
		if len(lines[i]) > 800 {
			t.Errorf("line %d has %d bytes", i+1, len(lines[i]))
		}
	}
	for _, secret := range slices.Concat([]string{secretLabel, secretToken, secretQuery}, secretBytes(signature), secretBytes(spki)) {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q:\n%s", secret, text)
		}
	}
}

func (r *running) postJSON(body map[string]any, want int) {
	r.t.Helper()
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions", bytes.NewReader(must(json.Marshal(body)))))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+secretToken)
	request.Header.Set("X-Request-Id", "json-1")
	if a := r.answer(http.DefaultClient.Do(request)); a.status != want {
		r.t.Errorf("%d %v, want %d", a.status, a.body, want)
	}
}

// sendBatchOf sends a submission that is taken, and one that is not.
func (r *running) sendBatchOf(digest, signature, spki []byte) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(r.t.Context(), "x-request-id", "batch-1", "authorization", "Bearer "+secretToken)
	stream := must(pb.NewGatewayServiceClient(conn).SubmitBatch(ctx))
	for _, s := range [][]byte{signature, []byte("none")} {
		header := &pb.SubmissionHeader{Signature: s, Keys: [][]byte{spki}, Digest: "sha256:" + hex.EncodeToString(digest), Labels: map[string]string{"l": secretLabel}}
		if err := stream.Send(&pb.SubmitBatchRequest{Header: header}); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		r.t.Fatal(err)
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestAccessLogOff(t *testing.T) {
	cfg := newConfig(t)
	cfg.Logging.Access = false
	r := run(t, cfg)
	r.checkHealth(insecure.NewCredentials())
	must(http.Get(r.Addresses().HTTP + "/v1/formats")).Body.Close()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if text := r.log.String(); strings.Contains(text, "msg=request") || strings.Contains(text, "msg=call") {
		t.Errorf("log:\n%s", text)
	}
}
