// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// SubmitLines sends submissions without artifacts as one batch over HTTP, and calls answered with what the gateway says of each as soon as it
// says so: its index, and an *Error for a refusal. It tries once. The error is that of all that were not answered, which may have
// been stored.
func (r *retrying) SubmitLines(ctx context.Context, submissions []Submission, answered func(int, *pb.SubmitResponse, error)) error {
	lines, ok := r.Client.(*httpClient)
	if !ok {
		return errors.ErrUnsupported
	}
	once := gatewayclient.Retries{Silence: r.retries.Silence}
	_, err := gatewayclient.Do(ctx, once, func(ctx context.Context, progress func()) (struct{}, error) {
		return struct{}{}, lines.submitLines(ctx, submissions, answered, progress)
	})
	return err
}

// lineAnswer is a line of a batch's answer (openapi.json, BatchAnswer).
type lineAnswer struct {
	Line       int             `json:"line"`
	EndedAfter *int            `json:"endedAfter"`
	Status     int             `json:"status"`
	RetryAfter int             `json:"retryAfter"` // seconds
	Submission json.RawMessage `json:"submission"`
	Problem    *lineProblem    `json:"problem"`
}

type lineProblem struct{ Reason, Detail, Hint string }

func (c *httpClient) submitLines(ctx context.Context, submissions []Submission, answered func(int, *pb.SubmitResponse, error), progress func()) error {
	body, err := encodeLines(submissions)
	if err != nil {
		return err
	}
	u := c.base.JoinPath("v1", "submissions:batch")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), &notedReader{io.NopCloser(bytes.NewReader(body)), progress})
	if err != nil {
		return fmt.Errorf("making request: %w", err)
	}
	request.ContentLength = int64(len(body)) // proxies in front need not keep the body back to count it
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := c.startRequest(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return readLines(ctx, response, len(submissions), answered, progress)
}

// encodeLines writes each header as the object that POST /v1/submissions takes.
func encodeLines(submissions []Submission) ([]byte, error) {
	var body []byte
	for _, s := range submissions {
		var err error
		if body, err = (protojson.MarshalOptions{}).MarshalAppend(body, s.Header); err != nil {
			return nil, fmt.Errorf("writing a submission as JSON: %w", err)
		}
		body = append(body, '\n')
	}
	return body, nil
}

// readLines reads the answers to n lines, each once.
func readLines(ctx context.Context, response *http.Response, n int, answered func(int, *pb.SubmitResponse, error), progress func()) error {
	each := &eachReader{src: response.Body}
	lines := json.NewDecoder(each)
	open := make(map[int]bool, n)
	for i := range n {
		open[i+1] = true
	}
	for len(open) > 0 {
		var a lineAnswer
		each.next()
		if err := lines.Decode(&a); err != nil {
			return explainBroken(ctx, err)
		}
		progress()
		switch {
		case a.EndedAfter != nil:
			return a.refusal(response)
		case !open[a.Line]:
			return fmt.Errorf("%w: line %d is answered, and was not asked", ErrUnreadable, a.Line)
		}
		delete(open, a.Line)
		answer, err := a.read(response)
		if errors.Is(err, ErrUnreadable) || errors.Is(err, gatewayclient.ErrIncomplete) {
			return err
		}
		answered(a.Line-1, answer, err)
	}
	return nil
}

// explainBroken says why no more answers come.
func explainBroken(ctx context.Context, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrUnreadable):
		return err
	case errors.As(err, &syntax), errors.As(err, &kind):
		return fmt.Errorf("%w: is this a rekor-gateway? %w", ErrUnreadable, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the gateway has ended the batch", ErrConnection)
	}
	return fmt.Errorf("%w: reading the answers: %w", ErrConnection, err)
}

func (a *lineAnswer) read(response *http.Response) (*pb.SubmitResponse, error) {
	if a.Status >= http.StatusMultipleChoices || a.Problem != nil {
		return nil, a.refusal(response)
	}
	var s pb.Submission
	err := readMessage(a.Submission, &s)
	if err == nil {
		err = gatewayclient.CheckAccepted(&s)
	}
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{Submission: &s, Created: a.Status != http.StatusOK}, nil
}

func (a *lineAnswer) refusal(response *http.Response) *Error {
	p := lineProblem{Detail: fmt.Sprintf("the server answered a line with status %d", a.Status)}
	if a.Problem != nil {
		p = *a.Problem
	}
	e := &Error{Reason: p.Reason, Message: p.Detail, Hint: p.Hint, RequestID: response.Header.Get("X-Request-Id")}
	classifyStatus(e, a.Status, time.Duration(a.RetryAfter)*time.Second)
	return e
}
