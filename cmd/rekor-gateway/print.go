// SPDX-License-Identifier: Apache-2.0

package main

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

// printLine prints a line, with cleaned arguments. A failure to print is nobody's to hear.
func printLine(w io.Writer, format string, args ...any) {
	clean := make([]any, len(args))
	for i, a := range args {
		clean[i] = cleanArgument(a)
	}
	_, _ = fmt.Fprintf(w, format+"\n", clean...)
}

// printReport prints what a receipt proves as Report.String has it.
func printReport(w io.Writer, r *receipt.Report) {
	for _, l := range r.Proven {
		printLine(w, "%s", l)
	}
	printLine(w, "not proven:")
	for _, l := range r.Unproven {
		printLine(w, "  %s", l)
	}
}

// cleanArgument cleans what is printed as text.
func cleanArgument(a any) any {
	switch a := a.(type) {
	case error:
		return cleanText(a.Error())
	case fmt.Stringer:
		return cleanText(a.String())
	}
	if v := reflect.ValueOf(a); v.Kind() == reflect.String {
		return cleanText(v.String())
	}
	return a
}

// cleanText returns s on one line and without what a terminal takes for commands, or what changes the
// order in which text is read: servers, receipts and keys may say what they like.
func cleanText(s string) string {
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

// escapeJSON escapes those of the same characters that JSON allows as they are.
func escapeJSON(raw []byte) []byte {
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

// printJSON prints v on one line.
func printJSON(w io.Writer, v any) error {
	raw, err := jsonv2.Marshal(v, jsonv2.Deterministic(true)) // lists that are nil are empty, nothing is escaped for HTML
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", escapeJSON(raw))
	return err
}

// printMessage prints m as the HTTP API does.
func printMessage(w io.Writer, m proto.Message) error {
	raw, err := marshalMessage(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", escapeJSON(raw))
	return err
}

// marshalMessage returns m on one line.
func marshalMessage(m proto.Message) ([]byte, error) {
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
