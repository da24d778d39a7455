// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Whatever the reason, google.rpc.Status has its code, and all words in one line.
func TestConvertToStatus(t *testing.T) {
	for _, reason := range Reasons() {
		w := httptest.NewRecorder()
		p := FromError(formats.NewError(reason, "what <is> wrong", "what to do"))
		p.WriteHTTP(w)
		raw := ConvertToStatus(w.Header(), w.Body.Bytes())
		var got struct {
			Code    codes.Code
			Message string
			Details []any
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		if want := string(reason) + ": what <is> wrong; what to do"; got.Code != p.Code || got.Message != want || got.Details == nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %s", reason, raw)
		}
	}
	problem := http.Header{"Content-Type": {contentType}}
	for name, raw := range map[string][]byte{
		"another type": ConvertToStatus(http.Header{"Content-Type": {"text/plain"}}, []byte(`{"reason":"BUSY"}`)),
		"no JSON":      ConvertToStatus(problem, []byte(`{`)),
	} {
		if raw != nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	if raw := ConvertToStatus(problem, []byte(`{"reason":"","detail":"d"}`)); string(raw) != `{"code":13,"message":"d","details":[]}`+"\n" {
		t.Errorf("without a reason: %s", raw)
	}
}

// A gRPC status keeps its code and details.
func TestWithWordsInMessage(t *testing.T) {
	err := WithRequestID(WithWordsInMessage(RateLimited(3*time.Second).GRPCError()), "id")
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted || !strings.HasPrefix(s.Message(), "RATE_LIMITED: there are too many requests") || !strings.HasSuffix(s.Message(), "RetryInfo says") ||
		GRPCReason(err) != "RATE_LIMITED" || GRPCRequestID(err) != "id" || len(s.Details()) != 2 {
		t.Errorf("%v %v", err, s.Details())
	}
	if WithWordsInMessage(nil) != nil {
		t.Error("nil is an error")
	}
	if got := WithWordsInMessage(context.Canceled); got != context.Canceled { //nolint:errorlint // it is passed on
		t.Errorf("%v", got)
	}
}
