// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// Bounds of answers, in bytes.
const (
	// maxSubmission is of an answer with one submission: a receipt is the most of it.
	maxSubmission = receipt.MaxSize + 1<<20
	// maxAnswer is of one with a page of submissions, which have no receipts, and of files.
	maxAnswer = 64 << 20
	// maxPlan is of a plan, and of a refusal.
	maxPlan = 1 << 20
	// LargeAnswer is what may be read and held of an answer without room for it: most receipts have a tenth of that.
	LargeAnswer = 256 << 10
)

type roomKey struct{}

// WithRoom has take called before more of an answer is read than LargeAnswer, and again by TakeRoom. Whoever makes thousands of calls at once
// so has few large answers in memory: take waits until there is room, which the caller gives back once he has done with the answer.
func WithRoom(ctx context.Context, take func(context.Context) error) context.Context {
	return context.WithValue(ctx, roomKey{}, take)
}

// TakeRoom waits for the room of ctx, if it has any.
func TakeRoom(ctx context.Context) error {
	if take, ok := ctx.Value(roomKey{}).(func(context.Context) error); ok {
		return take(ctx)
	}
	return nil
}

// readAnswer reads an answer of at most so many bytes.
func readAnswer(ctx context.Context, body io.Reader, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, LargeAnswer+1))
	if err == nil && len(raw) > LargeAnswer {
		if err := TakeRoom(ctx); err != nil {
			return nil, err
		}
		rest := io.LimitReader(body, most+1-int64(len(raw)))
		raw, err = io.ReadAll(io.MultiReader(bytes.NewReader(raw), rest))
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: reading the answer: %w", ErrConnection, err)
	case int64(len(raw)) > most:
		return nil, errLargeAnswer(most)
	}
	return raw, nil
}

func errLargeAnswer(most int64) error {
	return fmt.Errorf("%w: is this a rekor-gateway? It is larger than %d bytes", ErrUnreadable, most)
}

// eachReader bounds the bytes that each of several values in a stream may have.
type eachReader struct {
	src  io.Reader
	left int64 // of the value that is being read
}

// next begins another value.
func (r *eachReader) next() { r.left = maxSubmission }

// Read implements io.Reader.
func (r *eachReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLargeAnswer(maxSubmission)
	}
	n, err := r.src.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}
