// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// csvRows reads rows below a header.
type csvRows struct {
	csv     *csv.Reader
	bounded *boundedReader
	columns []string // by position
	line    int      // of the last row
}

func newCSVRows(r io.Reader) (*csvRows, error) {
	b := &boundedReader{r: r}
	c := &csvRows{csv: csv.NewReader(b), bounded: b}
	header, _, err := c.readRecord()
	if errors.Is(err, io.EOF) {
		return nil, withHint("is empty", hintManifest)
	}
	if err != nil {
		return nil, err
	}
	for _, column := range header {
		column = strings.ToLower(strings.TrimSpace(column))
		if !slices.Contains(strings.Split(columnNames, ", "), column) {
			return nil, withHint(fmt.Sprintf("has a column that is not known: %.100q", column), hintManifest)
		}
		if slices.Contains(c.columns, column) {
			return nil, withHint("has a column twice: "+column, hintManifest)
		}
		c.columns = append(c.columns, column)
	}
	if !slices.Contains(c.columns, "signature") {
		return nil, withHint("has no column signature", hintManifest)
	}
	c.csv.ReuseRecord = true
	return c, nil
}

// readRecord returns the next record and the line that it begins on.
func (c *csvRows) readRecord() ([]string, int, error) {
	c.bounded.left = maxRow
	record, err := c.csv.Read()
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, errRowTooLong):
		return nil, c.line + 1, errLongRow()
	case errors.Is(err, csv.ErrFieldCount):
		line, _ := c.csv.FieldPos(0)
		return nil, line, withHint(fmt.Sprintf("has %d columns, and the header %d", len(record), len(c.columns)), "put quotes around values with a comma in them")
	case errors.As(err, &syntax):
		return nil, syntax.StartLine, withHint("is no CSV: "+syntax.Err.Error(), `put quotes around values with a comma, a quote or a line end in them, and write a quote twice: "a ""b"""`)
	case err != nil:
		return nil, c.line + 1, err
	}
	c.line, _ = c.csv.FieldPos(0)
	return record, c.line, nil
}

func (c *csvRows) readRow() (r row, line int, err error) {
	record, line, err := c.readRecord()
	if err != nil {
		return row{}, line, err
	}
	for i, column := range c.columns {
		value := record[i]
		switch column {
		case "signature":
			r.Signature = value
		case "keys":
			r.Keys = splitKeys(value)
		case "artifact":
			r.Artifact = value
		case "digest":
			r.Digest = value
		case "format":
			r.Format = value
		case "labels":
			r.Labels, err = parseLabels(value)
		case "decompress":
			r.Decompress, err = parseTruth(value)
		}
		if err != nil {
			return row{}, line, err
		}
	}
	return r, line, nil
}

func splitKeys(value string) (keys []string) {
	for _, k := range strings.Split(value, ";") {
		if k = strings.TrimSpace(k); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func parseTruth(value string) (*bool, error) {
	if value == "" {
		return nil, nil
	}
	truth, err := strconv.ParseBool(value)
	if err != nil {
		return nil, withHint("has in the column decompress neither true nor false", "write true, false or nothing")
	}
	return &truth, nil
}

// boundedReader ends a row that does not end by itself. What is read ahead counts, which is little.
type boundedReader struct {
	r    io.Reader
	left int
}

var errRowTooLong = errors.New("the row is too long")

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
