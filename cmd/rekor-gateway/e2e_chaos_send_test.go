// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// tenantHeader names the tenant, for a gateway that is built with kill points.
const tenantHeader = "X-Test-Tenant"

// errNotNow: an outcome after which a client tries again.
var errNotNow = errors.New("not now")

// temporary are the refusals, of one submission in a batch, after which a client tries again.
var temporary = []formats.Reason{
	problem.ReasonQueueFull, problem.ReasonNotStored, problem.ReasonBusy, problem.ReasonMemoryFull, problem.ReasonShuttingDown, problem.ReasonCancelled,
}

// sender sends the planned submissions of these numbers, all of one tenant, and calls accept for each one that the gateway has
// accepted. The error is errNotNow, or a refusal for good.
type sender func(ctx context.Context, g *deployment, numbers []int, accept func(number int, id string)) error

// sendAll takes submissions and sends each until it is accepted, as clients do. It takes them no sooner than evenly over
// the given time.
func (m *model) sendAll(t *testing.T, pick func(*rand.Rand) *deployment, send sender, random *rand.Rand, over time.Duration) {
	for began := time.Now(); !t.Failed(); {
		numbers := m.take(1+random.IntN(120), time.Since(began).Seconds()/over.Seconds())
		switch {
		case numbers == nil:
			return
		case len(numbers) == 0:
			time.Sleep(20 * time.Millisecond)
			continue
		case random.IntN(10) == 0: // as a client that has lost the answer
			m.sendOnce(t, func() *deployment { return pick(random) }, send, numbers)
		}
		m.sendOnce(t, func() *deployment { return pick(random) }, send, numbers)
	}
}

// sendOnce returns when all are accepted.
func (m *model) sendOnce(t *testing.T, pick func() *deployment, send sender, numbers []int) {
	accepted := map[int]bool{}
	for tries := 0; len(numbers) > 0 && !t.Failed(); tries++ {
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		m.sending.RLock()
		numbers = slices.DeleteFunc(numbers, func(n int) bool { return m.lost[n] })
		if len(numbers) == 0 {
			m.sending.RUnlock()
			cancel()
			return
		}
		err := send(ctx, pick(), numbers, func(number int, id string) {
			accepted[number] = true
			m.noteAccepted(t, number, id)
		})
		m.sending.RUnlock()
		cancel()
		if err != nil && !errors.Is(err, errNotNow) {
			t.Errorf("submitting: %v", err)
			return
		}
		var left []int
		for _, n := range numbers {
			if !accepted[n] {
				left = append(left, n)
			}
		}
		if numbers = left; len(numbers) > 0 {
			time.Sleep(200 * time.Millisecond)
		}
		if tries == 1000 {
			t.Errorf("%d are not accepted after %d tries: %v", len(numbers), tries, err)
		}
	}
}

// sendHTTP posts forms, one after the other.
func (m *model) sendHTTP(ctx context.Context, g *deployment, numbers []int, accept func(int, string)) error {
	for _, n := range numbers {
		answer, err := m.post(ctx, g, n, n%3)
		if err != nil {
			return err
		}
		accept(n, answer.ID)
	}
	return nil
}

// sendWaiting posts a form and waits until it is logged.
func (m *model) sendWaiting(ctx context.Context, g *deployment, numbers []int, accept func(int, string)) error {
	answer, err := m.post(ctx, g, numbers[0], 60)
	if err == nil && answer.State != "LOGGED" {
		err = fmt.Errorf("it is %s after a minute", answer.State)
	}
	if err == nil {
		accept(numbers[0], answer.ID)
	}
	return err
}

// post sends a submission as a form, and waits for so many seconds.
func (m *model) post(ctx context.Context, g *deployment, n, wait int) (submitted, error) {
	m.noteTried(n)
	p := m.planned[n]
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	parts := map[string][]byte{"signature": p.signature, "key": p.key, "artifact": p.artifact}
	if p.batched {
		parts["way"] = []byte("BATCHED")
	}
	for name, content := range parts {
		_, _ = must(w.CreateFormFile(name, name)).Write(content)
	}
	w.Close()
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/submissions?wait="+strconv.Itoa(wait), &body))
	request.Header.Set("Content-Type", w.FormDataContentType())
	return m.ask(request, p.tenant)
}

// ask sends a request for a tenant.
func (m *model) ask(request *http.Request, tenant string) (answer submitted, err error) {
	raw, err := m.fetch(request, tenant)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, err
	}
	return answer, nil
}

// fetch returns the body of an answer with a status of success.
func (m *model) fetch(request *http.Request, tenant string) ([]byte, error) {
	request.Header.Set(tenantHeader, tenant)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotNow, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil, resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: %s: %w", errNotNow, resp.Status, err)
	case resp.StatusCode >= 300:
		return nil, fmt.Errorf("%s: %s", resp.Status, raw)
	}
	return raw, nil
}

// dial returns a client of the gateway, and ctx as the tenant's.
func (m *model) dial(ctx context.Context, g *deployment, tenant string) (pb.GatewayServiceClient, context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	conn := m.conns[g.cfg.GRPC.Listen]
	if conn == nil {
		conn = must(grpc.NewClient(g.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1, MaxDelay: 100 * time.Millisecond}})))
		m.conns[g.cfg.GRPC.Listen] = conn
	}
	return pb.NewGatewayServiceClient(conn), metadata.AppendToOutgoingContext(ctx, tenantHeader, tenant)
}

// notNow tells what a client tries again from refusals.
func notNow(err error) error {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Canceled:
		return fmt.Errorf("%w: %w", errNotNow, err)
	}
	return err
}

func (m *model) header(n int) *pb.SubmissionHeader {
	h := &pb.SubmissionHeader{Signature: m.planned[n].signature, Keys: [][]byte{m.planned[n].key}, Priority: m.priority}
	if m.planned[n].batched {
		h.Way = receiptpb.RecordedSignature_BATCHED
	}
	return h
}

// sendGRPC calls Submit, one after the other.
func (m *model) sendGRPC(ctx context.Context, g *deployment, numbers []int, accept func(int, string)) error {
	remote, ctx := m.dial(ctx, g, m.planned[numbers[0]].tenant)
	for _, n := range numbers {
		m.noteTried(n)
		stream, err := remote.Submit(ctx)
		if err != nil {
			return notNow(err)
		}
		start := &pb.SubmitStart{Header: m.header(n), Wait: durationpb.New(time.Duration(n%3) * time.Second)}
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: start}}) // its failure is the answer's, too
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: m.planned[n].artifact}})
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return notNow(err)
		}
		accept(n, answer.GetSubmission().GetId())
	}
	return nil
}

// sendBatch sends all in one call of SubmitBatch.
func (m *model) sendBatch(ctx context.Context, g *deployment, numbers []int, accept func(int, string)) error {
	m.noteTried(numbers...)
	remote, ctx := m.dial(ctx, g, m.planned[numbers[0]].tenant)
	stream, err := remote.SubmitBatch(ctx)
	if err != nil {
		return notNow(err)
	}
	go func() {
		for _, n := range numbers {
			if stream.Send(&pb.SubmitBatchRequest{Ref: strconv.Itoa(n), Header: m.header(n), Artifact: m.planned[n].artifact}) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	for {
		answer, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return notNow(err)
		case answer.GetSubmission() != nil:
			accept(must(strconv.Atoi(answer.GetRef())), answer.GetSubmission().GetId())
		case !slices.Contains(temporary, formats.Reason(answer.GetProblem().GetReason())):
			return fmt.Errorf("%s is refused: %v", answer.GetRef(), answer.GetProblem())
		}
	}
}
