// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// The exit codes, and how a command fails, by short names.
const (
	exitYes   = fault.ExitYes
	exitNo    = fault.ExitNo
	exitInput = fault.ExitInput
	exitSome  = fault.ExitSome
	exitLater = fault.ExitLater
)

func withHint(err error, hint string, args ...any) error { return fault.WithHint(err, hint, args...) }

func fail(reason formats.Reason, err error, hint string, args ...any) error {
	return fault.Fail(reason, err, hint, args...)
}

// describeFailure is fault.Describe, and knows how flags can be given.
func describeFailure(err error) fault.Failure {
	if strings.HasPrefix(err.Error(), "required flag") {
		err = explainRequired(err)
	}
	return fault.Describe(err)
}

// explainRequired says how the flag can be given that cobra misses.
func explainRequired(err error) error {
	for _, name := range environmentFlags {
		if strings.Contains(err.Error(), `"`+name+`"`) {
			return withHint(err, "give --%s, or set $%s", name, environmentName(name))
		}
	}
	return withHint(err, "see the command's --help")
}

// withResult returns err with the result that there is all the same.
func withResult(err error, result proto.Message) error {
	raw, merr := output.MarshalMessage(result)
	if merr != nil {
		return errors.Join(err, merr)
	}
	return fault.NewWithResult(err, raw)
}

// printError tells what went wrong, and what to do about it where that is known.
func printError(w io.Writer, err error) {
	for _, line := range fault.Lines(err) {
		output.Line(w, "rekor-gateway: %s", line)
	}
	if hint := describeFailure(err).Hint; hint != "" {
		output.Line(w, "hint: %s", hint)
	}
}

// printFailure prints err as JSON: as the member "error" of the result that there is, or alone.
func printFailure(w io.Writer, err error) {
	raw, merr := json.Marshal(describeFailure(err))
	if merr != nil {
		return // a struct of strings
	}
	result := []byte("{}")
	var partial *fault.WithResult
	if errors.As(err, &partial) {
		result = partial.Result
	}
	_, _ = fmt.Fprintf(w, "%s\n", output.EscapeJSON(addMember(result, "error", raw)))
}

// addMember returns the JSON object with one more member.
func addMember(object []byte, name string, value []byte) []byte {
	head := bytes.TrimSuffix(bytes.TrimSpace(object), []byte("}"))
	if !bytes.HasSuffix(bytes.TrimSpace(head), []byte("{")) {
		head = append(bytes.Clone(head), ',')
	}
	return fmt.Appendf(bytes.Clone(head), "%q:%s}", name, value)
}
