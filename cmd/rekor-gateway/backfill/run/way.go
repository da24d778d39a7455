// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// wayFinder says where the signatures of a run will be recorded: as --way has it, or else the gateway's policy, which is asked once.
type wayFinder struct {
	plan func(context.Context, *pb.SubmissionHeader) (*pb.Plan, error) // nil: nobody can be asked

	mu  sync.Mutex // over what follows, and held while the gateway is asked
	way gateway.Way
}

func (f *Options) newWayFinder(plan func(context.Context, *pb.SubmissionHeader) (*pb.Plan, error)) *wayFinder {
	return &wayFinder{plan: plan, way: gateway.Way(strings.ToUpper(f.Way))}
}

// find asks by the signature in h. It returns "" where the gateway does not say.
func (w *wayFinder) find(ctx context.Context, h *pb.SubmissionHeader) gateway.Way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.way != "" || w.plan == nil || ctx.Err() != nil {
		return w.way
	}
	p, err := w.plan(ctx, h)
	switch {
	case err == nil && p != nil:
		w.way = gateway.Way(evidence.NameWay(p.GetWay()))
	case err != nil && isForAll(err):
		w.plan = nil
	}
	return w.way
}

// mustSendBytes reports whether err is a gateway's refusal to record a signature of which it has only a digest, while it may attest it.
func mustSendBytes(err error) bool {
	var refusal *client.Error
	if !errors.As(err, &refusal) {
		return false
	}
	switch formats.Reason(refusal.Reason) {
	case formats.ReasonAlgorithmNotLoggable, formats.ReasonNotProjectable, formats.ReasonNotAllowedHere, formats.ReasonRepresentationRefused,
		formats.ReasonAttestationOff, formats.ReasonNeedsBytes:
		return true
	}
	return false
}

// sendBytes has the artifact sent in place of the digest of what is signed. It reports false where there is nothing to put there.
func (c *candidate) sendBytes() bool {
	h := c.submission.Header
	if c.artifact == nil || h.GetSignedDigest() == "" {
		return false
	}
	h = proto.CloneOf(h)
	h.SignedDigest, h.Decompress = "", string(c.kind)
	c.submission.Header, c.submission.Artifact = h, c.openArtifact
	return true
}
