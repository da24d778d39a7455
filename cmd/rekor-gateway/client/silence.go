// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"io"
	"time"
)

// silence bounds the time in which a gateway neither takes more of an artifact nor gives its whole answer. It is more
// than a gateway waits for the log.
const silence = 90 * time.Second

// errSilent: the gateway took longer than silence. It is not asked again.
var errSilent = errors.New("the gateway does not answer; check that this is the URL of a rekor-gateway")

// awaitAnswer ends call with errSilent when it makes no progress for longer than patience.
func awaitAnswer[T any](ctx context.Context, patience time.Duration, call func(ctx context.Context, progress func()) (T, error)) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer late.Stop()
	answer, err := call(ctx, func() { late.Reset(patience) })
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return answer, err
}

// noteReads returns s with an artifact that calls progress for each read: what was read before has been taken.
func noteReads(s Submission, progress func()) Submission {
	open := s.Artifact
	if open == nil {
		return s
	}
	s.Artifact = func() (io.ReadCloser, error) {
		artifact, err := open()
		if err != nil {
			return nil, err
		}
		return &notedReader{artifact, progress}, nil
	}
	return s
}

type notedReader struct {
	io.ReadCloser
	progress func()
}

func (r *notedReader) Read(p []byte) (int, error) {
	r.progress()
	return r.ReadCloser.Read(p)
}
