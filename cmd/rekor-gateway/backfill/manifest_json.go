// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// jsonRows reads an object on each line.
type jsonRows struct {
	lines *bufio.Scanner
	line  int
}

func newJSONRows(r io.Reader) *jsonRows {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRow)
	return &jsonRows{lines: lines}
}

func (j *jsonRows) readRow() (row, int, error) {
	for j.lines.Scan() {
		j.line++
		text := bytes.TrimSpace(j.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		var r row
		err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true))
		return r, j.line, explainJSON(err)
	}
	switch err := j.lines.Err(); {
	case err == nil:
		return row{}, j.line, io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return row{}, j.line + 1, errLongRow()
	default:
		return row{}, j.line + 1, err
	}
}

func errLongRow() error {
	return withHint(fmt.Sprintf("is longer than %d bytes", maxRow), "write a row for each signature")
}

// explainJSON says what is wrong with a line without Go's words for it.
func explainJSON(err error) error {
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, json.ErrUnknownName):
		errors.As(err, &semantic)
		return withHint(fmt.Sprintf("has a member that is not known: %.100q", semantic.JSONPointer.LastToken()), hintManifest)
	case errors.As(err, &semantic):
		return withHint(fmt.Sprintf("has something else than it should at %.100q", semantic.JSONPointer),
			`write texts, "keys" as a list of texts, "labels" as an object of texts, "decompress" as true or false`)
	}
	return withHint("is no JSON object in UTF-8, or has a member twice", "write one JSON object a line; names that are not UTF-8 can stand in CSV")
}
