// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// The gateway is asked once which way its policy has, and not where --way says it.
func TestWayFinder(t *testing.T) {
	for name, c := range map[string]struct {
		flag  string
		err   error
		want  gateway.Way
		asked int
	}{
		"asked":            {"", nil, gateway.Batched, 1},
		"named":            {"direct", nil, gateway.Direct, 0},
		"this one refused": {"", &client.Error{Reason: "KEY_NOT_TRUSTED"}, "", 3},
		"no such call":     {"", &client.Error{Message: "404"}, "", 1},
		"away":             {"", client.ErrConnection, "", 3},
	} {
		asked := 0
		f := &Options{}
		f.Way = c.flag
		ways := f.newWayFinder(func(context.Context, *pb.SubmissionHeader) (*pb.Plan, error) {
			asked++
			return &pb.Plan{Way: receiptpb.RecordedSignature_BATCHED}, c.err
		})
		for range 3 {
			if got := ways.find(t.Context(), nil); got != c.want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if asked != c.asked {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
	if !mustSendBytes(&client.Error{Reason: "ALGORITHM_NOT_LOGGABLE"}) || mustSendBytes(&client.Error{Reason: "WEAK_ALGORITHM"}) || mustSendBytes(errors.New("ALGORITHM_NOT_LOGGABLE")) {
		t.Error("what is sent again with its bytes")
	}
}
