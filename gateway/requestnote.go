// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"sync"
	"sync/atomic"
)

// RequestNote takes down what is learned of a request while it is worked on, for its line in the access log: the
// parts that learn it know nothing of that log. It has no keys, signatures or labels. A nil note takes nothing down.
// It is safe for concurrent use.
type RequestNote struct {
	bytesIn atomic.Int64

	mu    sync.Mutex // over what follows
	facts RequestFacts
}

// RequestFacts are what a note has learned.
type RequestFacts struct {
	Caller  Caller
	Address string // where it comes from
	BytesIn int64  // of the body, or of the messages, as far as they were read
	// Submission is the one that was stored, or nil. Of a batch it is the first.
	Submission *SubmissionFields
	// Submissions are how many of a request were stored, and Refused how many of a batch were not.
	Submissions, Refused int
}

// NoteCaller takes down who sends the request.
func (n *RequestNote) NoteCaller(c Caller) {
	n.change(func(f *RequestFacts) { f.Caller = c })
}

// NoteAddress takes down where the request comes from.
func (n *RequestNote) NoteAddress(address string) {
	n.change(func(f *RequestFacts) { f.Address = address })
}

// NoteBytes takes down that size more bytes were read.
func (n *RequestNote) NoteBytes(size int) {
	if n != nil {
		n.bytesIn.Add(int64(size))
	}
}

// NoteStored takes down a submission that was stored, or that was there already.
func (n *RequestNote) NoteStored(sub Submission) {
	n.change(func(f *RequestFacts) {
		if f.Submissions++; f.Submissions == 1 {
			f.Submission = &sub.SubmissionFields
		}
	})
}

// NoteRefused takes down that one submission of a batch was refused.
func (n *RequestNote) NoteRefused() {
	n.change(func(f *RequestFacts) { f.Refused++ })
}

func (n *RequestNote) change(change func(*RequestFacts)) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.facts)
}

// Facts returns what has been learned so far.
func (n *RequestNote) Facts() RequestFacts {
	if n == nil {
		return RequestFacts{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.facts
	f.BytesIn = n.bytesIn.Load()
	return f
}

type noteKey struct{}

// WithRequestNote returns a context of the request that n is about.
func WithRequestNote(ctx context.Context, n *RequestNote) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

// NoteFrom returns what WithRequestNote put into ctx, or nil.
func NoteFrom(ctx context.Context) *RequestNote {
	n, _ := ctx.Value(noteKey{}).(*RequestNote)
	return n
}
