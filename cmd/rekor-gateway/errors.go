// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// hintedError is an error with advice.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

func withHint(err error, hint string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(hint, args...)}
}

// printError tells what went wrong, and what to do about it where that is known.
func printError(w io.Writer, err error) {
	printLine(w, "rekor-gateway: %s", oneLine(err.Error()))
	if hint := hintOf(err); hint != "" {
		printLine(w, "hint: %s", oneLine(hint))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func hintOf(err error) string {
	var own *hintedError
	var refusal *formats.Error
	var remote *client.Error
	var listen *server.ListenError
	switch {
	case errors.As(err, &own):
		return own.hint
	case errors.As(err, &refusal):
		return refusal.Hint
	case errors.As(err, &remote):
		return remote.Hint
	case errors.As(err, &listen):
		return "is another gateway running? choose another address, or port 0 for a free one"
	case errors.Is(err, fs.ErrNotExist):
		return "check the file's name"
	case strings.HasPrefix(err.Error(), "required flag"):
		return "see the command's --help"
	}
	return ""
}
