// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
)

// indexHeader tells where a duplicate is.
const indexHeader = "x-log-index"

// Add implements gateway.Log.
func (l *Log) Add(ctx context.Context, name gateway.Shard, p gateway.Prepared) (inclusion *gateway.Inclusion, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallAdd, start, err) }(time.Now())
	s, done, err := l.useCurrent(name)
	if err != nil {
		return nil, err
	}
	defer done()
	request, err := newRequest(&p)
	if err != nil {
		return nil, err
	}
	if err := s.checkpoints.Guard(ctx); errors.Is(err, gateway.ErrFork) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	until := time.Now().Add(s.requestTimeout + s.readTimeout)
	answer, err := s.createEntry(ctx, request, len(p.Body)+answerSlack)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if err != nil {
		return s.answerTo(ctx, err, p.Body)
	}
	return s.verifyAnswer(ctx, answer, p.Body)
}

// answerTo returns what Add does after an error of createEntry.
func (s *shard) answerTo(ctx context.Context, err error, body []byte) (*gateway.Inclusion, error) {
	var dup *duplicateError
	if errors.As(err, &dup) {
		return s.findDuplicate(ctx, dup.index, body)
	}
	return nil, err
}

// useCurrent is useShard for the shard that is written to now. Its error is ErrNotSent.
func (l *Log) useCurrent(name gateway.Shard) (*shard, func(), error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, writable := l.currentLocked()
	if s == nil || !writable || s.name != name {
		return nil, nil, fmt.Errorf("%w: nothing is written to this shard of the log now", gateway.ErrNotSent)
	}
	s.calls.Add(1)
	return s, s.calls.Done, nil
}

// newRequest rebuilds the request from the stored body. Errors are ErrOtherKind, and ErrRefused: the log would
// not make such a body, so that it would be another entry.
func newRequest(p *gateway.Prepared) (*rekortilespb.CreateEntryRequest, error) {
	if p.Kind != hashedrekord.Kind {
		return nil, fmt.Errorf("%w: %.40q, and a Rekor v2 log takes %s", gateway.ErrOtherKind, p.Kind, hashedrekord.Kind)
	}
	r, err := hashedrekord.Parse(p.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrRefused, err)
	}
	if p.LeafHash != hashedrekord.LeafHash(p.Body) {
		return nil, fmt.Errorf("%w: stored entry does not match its hash", gateway.ErrRefused)
	}
	verifier := &rekortilespb.Verifier{KeyDetails: r.KeyDetails}
	if len(r.Certificate) > 0 {
		verifier.Verifier = &rekortilespb.Verifier_X509Certificate{
			X509Certificate: &commonpb.X509Certificate{RawBytes: r.Certificate},
		}
	} else {
		verifier.Verifier = &rekortilespb.Verifier_PublicKey{PublicKey: &rekortilespb.PublicKey{RawBytes: r.SPKI}}
	}
	return &rekortilespb.CreateEntryRequest{
		Spec: &rekortilespb.CreateEntryRequest_HashedRekordRequestV002{
			HashedRekordRequestV002: &rekortilespb.HashedRekordRequestV002{
				Digest:    r.Digest,
				Signature: &rekortilespb.Signature{Content: r.Signature, Verifier: verifier},
			},
		},
	}, nil
}

// createEntry sends the request; the answer has at most maxAnswer bytes. Errors are as Add's, and *duplicateError.
func (s *shard) createEntry(ctx context.Context, request *rekortilespb.CreateEntryRequest, maxAnswer int) (*rekorpb.TransparencyLogEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, s.requestTimeout)
	defer cancel()
	ctx, sent := withSent(ctx)
	var header, trailer metadata.MD
	answer, err := s.writers.nextClient().CreateEntry(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer), grpc.MaxCallRecvMsgSize(maxAnswer))
	if err != nil {
		return nil, explainStatus(err, sent.Load(), header, trailer)
	}
	return answer, nil
}

// explainStatus returns createEntry's error for the status of a call, with the metadata that came with it.
func explainStatus(err error, sent bool, md ...metadata.MD) error {
	err = shortenStatus(err)
	switch {
	case !sent:
		return fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	case status.Code(err) == codes.AlreadyExists:
		return duplicateAt(metadata.Join(md...))
	default:
		return mapStatus(err, metadata.Join(md...))
	}
}

// duplicateError says that the log has the entry already.
type duplicateError struct{ index uint64 }

func (e *duplicateError) Error() string { return fmt.Sprintf("already logged at index %d", e.index) }

// duplicateAt reads the index from an answer's metadata.
func duplicateAt(md metadata.MD) error {
	values := md.Get(indexHeader)
	if len(values) != 1 {
		return fmt.Errorf("%w: duplicate without an index", gateway.ErrBadAnswer)
	}
	index, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return fmt.Errorf("%w: duplicate with a malformed index", gateway.ErrBadAnswer)
	}
	return &duplicateError{index}
}
