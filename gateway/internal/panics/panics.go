// SPDX-License-Identifier: Apache-2.0

// Package panics keeps one request's panic from ending the process. Every goroutine that touches bytes
// from elsewhere, of a caller or of a log, defers Recover first: a panic there is a fault of ours
// which anybody who finds it may cause at will.
package panics

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
)

// Err is what a function returns that panicked. Callers see it as any other fault of ours.
var Err = errors.New("panic")

// Reporter counts and logs panics. A nil Reporter recovers them in silence, for tests.
type Reporter struct {
	logger *slog.Logger
	count  func(where string)
}

// NewReporter returns a Reporter; count is told of each panic, and where it happened: a fixed word.
func NewReporter(logger *slog.Logger, count func(where string)) *Reporter {
	return &Reporter{logger: logger, count: count}
}

// Recover is deferred: after a panic it reports it and sets *err to Err; a nil err is for functions
// that return none. attributes are what the log line names besides, as the request's id.
func (r *Reporter) Recover(where string, err *error, attributes ...any) {
	p := recover()
	if p == nil {
		return
	}
	r.Report(p, where, attributes...)
	if err != nil {
		*err = Err
	}
}

// Report counts and logs what recover returned, with the stack. Of a value that is no error of Go itself
// only the type is logged, since its text may hold what was submitted.
func (r *Reporter) Report(p any, where string, attributes ...any) {
	if r == nil {
		return
	}
	r.count(where)
	text := fmt.Sprintf("%T", p)
	if fault, ok := p.(runtime.Error); ok {
		text = fault.Error()
	}
	r.logger.Error("panic", append([]any{"where", where, "panic", text, "stack", string(debug.Stack())}, attributes...)...)
}
