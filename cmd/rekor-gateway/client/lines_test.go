// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// sendLines sends three submissions, and returns the answers as they came.
func sendLines(t *testing.T, c Client) (answers []string, err error) {
	t.Helper()
	three := make([]Submission, 3)
	for i := range three {
		three[i] = submission(nil)
		three[i].Header.Way = receiptpb.RecordedSignature_BATCHED
	}
	err = c.(*retrying).SubmitLines(t.Context(), three, func(i int, a *pb.SubmitResponse, err error) {
		var refusal *Error
		switch {
		case errors.As(err, &refusal):
			answers = append(answers, fmt.Sprintf("%d %s %v %v", i, refusal.Reason, refusal.Temporary, refusal.RetryAfter))
		case err == nil:
			answers = append(answers, fmt.Sprintf("%d %s %v", i, a.GetSubmission().GetId(), a.GetCreated()))
		default:
			t.Errorf("%d: %v", i, err)
		}
	})
	return answers, err
}

// Each line of an answer is its submission's. What ends an answer early is told of all that have none.
func TestSubmitLines(t *testing.T) {
	const stored, busy = `"status":202,"submission":{"id":"a"}}`, `"status":429,"retryAfter":2,"problem":{"reason":"RATE_LIMITED","detail":"d"}}`
	for name, c := range map[string]struct {
		status  int
		answer  string
		answers string
		want    func(error) bool
	}{
		"all":       {200, `{"line":3,` + stored + `{"line":1,` + busy + `{"line":2,"status":200,"submission":{"id":"b","later":1}}`, "[2 a true 0 RATE_LIMITED true 2s 1 b false]", func(err error) bool { return err == nil }},
		"cut off":   {200, `{"line":1,` + stored + `{"line":2,`, "[0 a true]", func(err error) bool { return errors.Is(err, ErrConnection) }},
		"two short": {200, `{"line":1,` + stored, "[0 a true]", func(err error) bool { return errors.Is(err, ErrConnection) }},
		"ended": {200, `{"line":1,` + stored + `{"endedAfter":1,"status":503,"retryAfter":3,"problem":{"reason":"SHUTTING_DOWN"}}`, "[0 a true]", func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Reason == "SHUTTING_DOWN" && e.Temporary && e.RetryAfter == 3*time.Second
		}},
		"twice":          {200, `{"line":1,` + stored + `{"line":1,` + stored, "[0 a true]", func(err error) bool { return errors.Is(err, ErrUnreadable) }},
		"another line":   {200, `{"line":4,` + stored, "[]", func(err error) bool { return errors.Is(err, ErrUnreadable) }},
		"a page":         {200, "<html>", "[]", func(err error) bool { return errors.Is(err, ErrUnreadable) }},
		"another form":   {200, `{"line":"1"}`, "[]", func(err error) bool { return errors.Is(err, ErrUnreadable) }},
		"no submission":  {200, `{"line":1,"status":202,"submission":[]}`, "[]", func(err error) bool { return errors.Is(err, ErrUnreadable) }},
		"no such route":  {404, "404 page not found", "[]", func(err error) bool { var e *Error; return errors.As(err, &e) && e.Code == codes.NotFound }},
		"refused before": {401, `{"reason":"UNAUTHENTICATED"}`, "[]", func(err error) bool { var e *Error; return errors.As(err, &e) && e.Reason == "UNAUTHENTICATED" }},
	} {
		t.Run(name, func(t *testing.T) {
			client, tries := dial(t, time.Minute, func(_ int64, w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				var line struct {
					Signature []byte
					Keys      [][]byte
					Way       string
				}
				if err := json.Unmarshal([]byte(strings.Split(string(body), "\n")[2]), &line); err != nil || string(line.Signature) != "sig" || len(line.Keys) != 2 || line.Way != "BATCHED" {
					t.Errorf("sent %q", body)
				}
				if r.Header.Get("Content-Type") != "application/x-ndjson" || r.ContentLength != int64(len(body)) {
					t.Errorf("sent with %v", r.Header)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			})
			answers, err := sendLines(t, client)
			if fmt.Sprint(answers) != c.answers || !c.want(err) || tries.Load() != 1 {
				t.Errorf("%v, %v, in %d tries", answers, err, tries.Load())
			}
		})
	}
}

// A gateway that takes lines and says nothing is not waited for without end.
func TestSubmitLinesSilent(t *testing.T) {
	c, _ := dial(t, time.Minute, func(_ int64, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c.(*retrying).retries.Silence = 50 * time.Millisecond
	if answers, err := sendLines(t, c); !errors.Is(err, gatewayclient.ErrSilent) || len(answers) != 0 {
		t.Errorf("%v, %v", answers, err)
	}
}
