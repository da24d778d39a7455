// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// row is a line of a manifest. In CSV, keys are separated by semicolons, and labels too: name=value;name=value.
type row struct {
	Signature  string            `json:"signature"`
	Keys       []string          `json:"keys"`
	Artifact   string            `json:"artifact"`
	Digest     string            `json:"digest"`
	Format     string            `json:"format"`
	Labels     map[string]string `json:"labels"`
	Decompress *bool             `json:"decompress"` // nil: as the names say
}

// rowReader reads a manifest row by row. The line is that on which the row begins; io.EOF is the end.
type rowReader interface {
	readRow() (r row, line int, err error)
}

// ReadManifest yields the items of the manifest called name: JSON lines, or CSV with a header, with the members or columns signature, keys, artifact or digest,
// format, labels, decompress. Paths are relative to the folder that the manifest is in, or to the working directory when it is called "-"; what is
// not there to be named is looked for beside the signature, as Scan does. URLs are passed on.
//
// A row that cannot be submitted is an Item with a Problem, which names the line. What is no manifest ends it with an
// error, which does so too: whoever reads on might take one column for another.
func ReadManifest(name string, r io.Reader, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s, err := newScanner(o, yield)
		if err == nil {
			err = s.readManifest(name, r)
		}
		s.finish(err)
	}
}

func (s *scanner) readManifest(name string, r io.Reader) error {
	rows, err := openManifest(r)
	if err != nil {
		return errManifest(name, 1, err)
	}
	t, err := openTree(filepath.Dir(name), s.AllowOutside)
	if err != nil {
		return err
	}
	defer t.close()
	for {
		if err := s.Context.Err(); err != nil {
			return err
		}
		row, line, err := rows.readRow()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errManifest(name, line, err)
		}
		if err := s.giveRow(t, row, line); err != nil {
			return err
		}
	}
}

// openManifest finds out of which kind a manifest is.
func openManifest(r io.Reader) (rowReader, error) {
	b := bufio.NewReader(r)
	start, err := b.Peek(len(byteOrderMark))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return nil, withHint("is in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 FILE")
	}
	if bytes.HasPrefix(start, byteOrderMark) {
		_, _ = b.Discard(len(byteOrderMark)) // was read
		if start, err = b.Peek(1); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	switch {
	case len(start) == 0:
		return nil, withHint("is empty", hintManifest)
	case start[0] == '[':
		return nil, withHint("is a JSON array", "write one object a line: jq -c '.[]' FILE")
	case start[0] == '{':
		return newJSONRows(b), nil
	}
	return newCSVRows(b)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

const hintManifest = "write JSON lines, or CSV with commas and a header, of: " + columnNames

// columnNames are the members and columns that there are.
const columnNames = "signature, keys, artifact, digest, format, labels, decompress"

// withHint returns what is wrong with a manifest. The message goes on after its name.
func withHint(message, hint string) error {
	return formats.NewError(ReasonMalformedManifest, message, hint)
}

// errManifest names the manifest and the line. What is no refusal is a failure to read it.
func errManifest(name string, line int, err error) error {
	var p *formats.Error
	if !errors.As(err, &p) {
		return fmt.Errorf("reading %s: %w", show(name), err)
	}
	return formats.WrapError(err, p.Reason, fmt.Sprintf("%s, line %d: %s", show(name), line, p.Message), p.Hint)
}

// parseLabels reads name=value;name=value.
func parseLabels(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	labels := map[string]string{}
	for _, l := range strings.Split(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(l), "=")
		if _, twice := labels[name]; !ok || name == "" || twice {
			return nil, withHint(fmt.Sprintf("%q is no label, or is there twice", l), "write labels as name=value;name=value")
		}
		labels[name] = value
	}
	return labels, nil
}
