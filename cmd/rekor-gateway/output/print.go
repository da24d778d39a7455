// SPDX-License-Identifier: Apache-2.0

// Package output has what the commands print by: text without what a terminal takes for commands, JSON, and notes on the way.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// Line prints a line, with cleaned arguments. A failure to print is nobody's to hear.
func Line(w io.Writer, format string, args ...any) {
	clean := make([]any, len(args))
	for i, a := range args {
		clean[i] = cleanArgument(a)
	}
	_, _ = fmt.Fprintf(w, format+"\n", clean...)
}

// Report prints what a receipt proves as Report.String has it.
func Report(w io.Writer, r *receipt.Report) {
	for _, l := range r.Proven {
		Line(w, "%s", l)
	}
	Line(w, "not proven:")
	for _, l := range r.Unproven {
		Line(w, "  %s", l)
	}
}

// cleanArgument cleans what is printed as text.
func cleanArgument(a any) any {
	switch a := a.(type) {
	case error:
		return CleanText(a.Error())
	case fmt.Stringer:
		return CleanText(a.String())
	}
	if v := reflect.ValueOf(a); v.Kind() == reflect.String {
		return CleanText(v.String())
	}
	return a
}

// CleanText returns s on one line and without what a terminal takes for commands, or what changes the
// order in which text is read: servers, receipts and keys may say what they like.
func CleanText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case isUnprintable(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// isUnprintable reports whether r is a control (ANSI sequences begin with one), a format character
// such as the bidirectional overrides, or a line or paragraph separator.
func isUnprintable(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// EscapeJSON escapes those of the same characters that JSON allows as they are.
func EscapeJSON(raw []byte) []byte {
	var out []byte
	for _, r := range string(raw) {
		if r < utf8.RuneSelf && r != 0x7f || !isUnprintable(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

// JSON prints v on one line.
func JSON(w io.Writer, v any) error {
	raw, err := jsonv2.Marshal(v, jsonv2.Deterministic(true)) // lists that are nil are empty, nothing is escaped for HTML
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", EscapeJSON(raw))
	return err
}

// Message prints m as the HTTP API does.
func Message(w io.Writer, m proto.Message) error {
	raw, err := MarshalMessage(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", EscapeJSON(raw))
	return err
}

// MarshalMessage returns m on one line.
func MarshalMessage(m proto.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	var out bytes.Buffer // protojson varies its spaces on purpose
	if err := json.Compact(&out, raw); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	return out.Bytes(), nil
}

// OneLine returns s on one line.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
