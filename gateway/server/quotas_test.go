// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// newQuotaConfig has red, who may store two submissions a day, and blue, who sends backfill alone.
func newQuotaConfig(t *testing.T) *config.Config {
	cfg := withCallers(newConfig(t), map[string][]string{"red": {"submit", "read"}, "blue": {"submit", "read"}})
	for i := range cfg.Callers {
		switch c := &cfg.Callers[i]; c.Name {
		case "red":
			c.Limits.SubmissionsPerDay = 2
		case "blue":
			c.Priority = "backfill"
		}
	}
	return cfg
}

// headers has one signature of each text.
type headers map[string]*pb.SubmissionHeader

func (h headers) of(text string) *pb.SubmissionHeader {
	if h[text] == nil {
		h[text] = signedBytes([]byte(text)).Header
	}
	return h[text]
}

// reply is an answer over HTTP.
type reply struct {
	answer
	header http.Header
}

// postSigned sends a submission of text, with fields in JSON.
func (r *running) postSigned(name, text string, signed headers, fields map[string]any) reply {
	r.t.Helper()
	body := map[string]any{"signature": signed.of(text).GetSignature(), "keys": signed.of(text).GetKeys(), "artifact": []byte(text)}
	maps.Copy(body, fields)
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions?wait=0", bytes.NewReader(must(json.Marshal(body)))))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", bearer(name))
	resp, err := http.DefaultClient.Do(request)
	return reply{r.answer(resp, err), resp.Header}
}

// TestQuota: what is new is refused once the quota is used up, over HTTP, gRPC and in a batch; what was stored passes, and others go on.
func TestQuota(t *testing.T) {
	t.Parallel()
	cfg, signed := newQuotaConfig(t), headers{}
	r := run(t, cfg)
	for _, text := range []string{"one", "one", "two", "one"} {
		if a := r.postSigned("red", text, signed, nil); a.status > 202 {
			t.Fatalf("%s: %d %v", text, a.status, a.body)
		}
	}
	over := r.postSigned("red", "three", signed, nil)
	wait, err := strconv.Atoi(over.header.Get("Retry-After"))
	if over.status != http.StatusTooManyRequests || over.body["reason"] != "QUOTA_EXCEEDED" || err != nil || wait < 1 || wait > 24*60*60 {
		t.Errorf("over the quota: %d %v, Retry-After %d", over.status, over.body, wait)
	}
	if a := r.postSigned("red", "two", signed, nil); a.status > 202 {
		t.Errorf("what was stored: %d %v", a.status, a.body)
	}
	r.checkQuotaOverGRPC(signed)
	r.awaitMetric(`caller_submissions_total{caller="red",outcome="accepted"}`, "2")
	r.awaitMetric(`caller_submissions_total{caller="red",outcome="refused"}`, "3")
	r.awaitMetric(`quota_refusals_total{caller="red",of="caller",quota="submissions"}`, "3")
	cfg.Callers[0].Limits.SubmissionsPerDay, cfg.Callers[1].Limits.SubmissionsPerDay = 3, 3
	if err := r.ReloadCallers(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if a := r.postSigned("red", "three", signed, nil); a.status > 202 {
		t.Errorf("with more allowed: %d %v", a.status, a.body)
	}
	r.stop()
	r = run(t, cfg)
	defer r.stop()
	if a := r.postSigned("red", "four", signed, nil); a.status != http.StatusTooManyRequests {
		t.Errorf("after a restart: %d %v", a.status, a.body)
	}
	if a := r.postSigned("blue", "four", signed, nil); a.status > 202 {
		t.Errorf("another caller: %d %v", a.status, a.body)
	}
}

// checkQuotaOverGRPC: red has used up his quota; item by item of a batch that says so.
func (r *running) checkQuotaOverGRPC(signed headers) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	remote, ctx := pb.NewGatewayServiceClient(conn), metadata.AppendToOutgoingContext(r.t.Context(), "authorization", bearer("red"))
	stream := must(remote.Submit(ctx))
	_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: signed.of("three")}}})
	_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: []byte("three")}})
	_, err := stream.CloseAndRecv()
	var retry *errdetails.RetryInfo
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			retry = info
		}
	}
	if status.Code(err) != codes.ResourceExhausted || retry.GetRetryDelay().AsDuration() <= 0 || retry.GetRetryDelay().AsDuration() > 24*time.Hour {
		r.t.Errorf("over gRPC: %v, %v", err, retry)
	}
	batch := must(remote.SubmitBatch(ctx))
	for _, text := range []string{"three", "one"} {
		_ = batch.Send(&pb.SubmitBatchRequest{Header: signed.of(text), Artifact: []byte(text)})
	}
	_ = batch.CloseSend()
	refused := 0
	for {
		answer, err := batch.Recv()
		if err != nil {
			break
		}
		if answer.GetProblem().GetReason() == "QUOTA_EXCEEDED" && answer.GetRetryAfter() != nil {
			refused++
		}
	}
	if refused != 1 {
		r.t.Errorf("%d of a batch are refused, want 1", refused)
	}
}

// TestSignerQuota: a key's submissions are counted by tenant, whoever sends them.
func TestSignerQuota(t *testing.T) {
	t.Parallel()
	cfg, signed := newQuotaConfig(t), headers{}
	cfg.Limits.SignerSubmissionsPerDay = 1
	r := run(t, cfg)
	defer r.stop()
	for _, c := range []struct {
		name, text string
		over       bool
	}{{"red", "one", false}, {"red", "two", true}, {"red", "one", false}, {"blue", "two", false}, {"blue", "one", true}} {
		if a := r.postSigned(c.name, c.text, signed, nil); (a.status == http.StatusTooManyRequests) != c.over {
			t.Errorf("%s of %s: %d %v", c.text, c.name, a.status, a.body)
		}
	}
}

// TestPriorityOfCaller: it is that of what he sends, and the highest that he may ask for.
func TestPriorityOfCaller(t *testing.T) {
	t.Parallel()
	r := run(t, newQuotaConfig(t))
	defer r.stop()
	for _, c := range []struct{ name, asked, want string }{
		{"red", "", "interactive"}, {"red", "backfill", "backfill"}, {"red", "interactive", "interactive"},
		{"blue", "", "backfill"}, {"blue", "backfill", "backfill"}, {"blue", "interactive", "FORBIDDEN"},
	} {
		a := r.postSigned(c.name, c.name+c.asked, headers{}, map[string]any{"priority": c.asked})
		if c.want == "FORBIDDEN" {
			if a.status != http.StatusForbidden || a.body["reason"] != c.want {
				t.Errorf("%s asks for %s: %d %v", c.name, c.asked, a.status, a.body)
			}
			continue
		}
		if a.status != http.StatusTooManyRequests && a.body["priority"] != c.want {
			t.Errorf("%s asks for %q: %d %v", c.name, c.asked, a.status, a.body)
		}
	}
}
