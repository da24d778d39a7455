// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// KeyChecker is a Format that reads key files without a signature, so that an operator's faulty one is known before a
// submission needs it.
type KeyChecker interface {
	// CheckKeys reads one file of Policy.Keys at least as strictly as Parse would. The error is nil, a *FileFault, or
	// ctx's own.
	CheckKeys(ctx context.Context, file []byte) error
}

// CheckKeyFile reads a file of the operator's as f does when a submission needs it, without what stands around its
// content (see textlayer). The error is as for KeyChecker.
func CheckKeyFile(ctx context.Context, f KeyChecker, file []byte) error {
	m, err := StartWork(ctx, "")
	if err != nil {
		return err
	}
	if err := CheckSecret(m.Unlimited(), "as a key", file); err != nil {
		return NewFileFault(file, 0, err)
	}
	opened, err := textlayer.Unwrap(file)
	if err != nil {
		return &FileFault{Err: err}
	}
	err = f.CheckKeys(ctx, opened)
	var fault *FileFault
	if at := bytes.Index(file, opened); errors.As(err, &fault) && fault.Line > 0 && at >= 0 {
		fault.Line += bytes.Count(file[:at], []byte{'\n'})
	}
	return err
}

// FileFault is what is wrong with a file that the operator names. It is no refusal of anything a submitter sent.
type FileFault struct {
	Line int // where the faulty part begins; 0: unknown, or the file has no lines
	Err  error
}

// NewFileFault returns err, which is about the part of file at an offset, as a *FileFault, and nil as nil.
func NewFileFault(file []byte, offset int, err error) error {
	if err == nil {
		return nil
	}
	return &FileFault{Line: 1 + bytes.Count(file[:offset], []byte{'\n'}), Err: err}
}

// Error names the line and the cause.
func (f *FileFault) Error() string {
	if f.Line == 0 {
		return f.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", f.Line, f.Err)
}

// Unwrap returns the cause.
func (f *FileFault) Unwrap() error { return f.Err }

// PolicyFault says that keys of the policy cannot be used. It is the operator's to mend: callers are not told what
// is wrong, nor that it were they who are.
type PolicyFault struct {
	Format string
	cause  string
}

// Error names the format and the cause.
func (f *PolicyFault) Error() string {
	return fmt.Sprintf("reading the policy's keys for %s: %s", f.Format, f.cause)
}

// ExplainKeys returns err, met while p.CandidateKeys(format, …) were read, as a *PolicyFault where these are the policy's
// own. What is no refusal stays as it is.
func (p Policy) ExplainKeys(format string, err error) error {
	if ReasonOf(err) == "" || len(p.Keys[format]) == 0 {
		return err
	}
	return &PolicyFault{Format: format, cause: err.Error()}
}
