// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Lines reads the lines of a batch: a submission each, in the JSON that is taken alone, too, beside a ref. Each byte is looked at once,
// and no line takes more than its bound. It is for one goroutine.
type Lines struct {
	src    io.Reader
	rest   func(between bool) // says whether the next read begins a line; nil: nobody wants to know
	held   *gateway.Held
	max    int // bytes of a line
	number int // of the last line that was read

	buffer, ahead []byte // what was read, and what of it is not part of a line yet
	ended         error  // what src ends with
	skipped       int64  // bytes of lines that are refused

	// Relieve is called when there is no memory for a line, as Call.Relieve is.
	Relieve func() bool
}

// Line is one line, without its end and the blanks around it. Close it once nothing of it is needed any more.
type Line struct {
	Number int    // from 1; empty lines count
	Text   []byte // nil where there is a Refusal
	// Refusal says why the line was not read, nil: it was. The next one may be read.
	Refusal error

	held *gateway.Held
}

// lineBuffer is how much is read ahead, in bytes.
const lineBuffer = 64 << 10

var (
	errLineTooLong = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the line is longer than %d MiB", MaxLine>>20), "send this one alone, as multipart/form-data")

	errTooMuchSkipped = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("there are %d MiB of lines that are too long", LingerBytes>>20), "send a line for each submission")

	errByteOrderMark = problem.Malformed("the line begins with a byte order mark", "send UTF-8 without one")
)

// newLines reads src, with at most longest bytes in a line. It does not count its buffer.
func newLines(src io.Reader, longest int, held *gateway.Held) *Lines {
	return &Lines{src: src, max: longest, held: held, buffer: make([]byte, lineBuffer)}
}

// Next returns the next line that is not empty. What ends all lines is the error: io.EOF as a rule.
func (l *Lines) Next() (Line, error) {
	for {
		line, err := l.readLine()
		if err != nil {
			return Line{}, err
		}
		if line.Refusal != nil || len(line.Text) > 0 {
			return line, nil
		}
		line.Close()
	}
}

// readLine reads up to a line's end, or that of all. The last line needs none.
func (l *Lines) readLine() (Line, error) {
	line := Line{Number: l.number + 1, held: l.held.Part()}
	for begun, whole := false, false; !whole; begun = true {
		piece, isLast, err := l.takePiece(!begun)
		if errors.Is(err, io.EOF) && begun {
			break
		}
		if err == nil {
			err = l.addPiece(&line, piece)
		}
		if err != nil {
			line.Close()
			return Line{}, err
		}
		whole = isLast
	}
	l.number++
	line.Text = bytes.Trim(line.Text, " \t\r")
	return line, nil
}

// takePiece returns what has come of a line, at least a byte or its end, and whether that is its last.
func (l *Lines) takePiece(between bool) (piece []byte, isLast bool, err error) {
	for len(l.ahead) == 0 {
		if l.ended != nil {
			return nil, false, l.ended
		}
		if l.rest != nil {
			l.rest(between)
		}
		var n int
		n, l.ended = l.src.Read(l.buffer)
		l.ahead = l.buffer[:n]
	}
	if end := bytes.IndexByte(l.ahead, '\n'); end >= 0 {
		piece, l.ahead = l.ahead[:end], l.ahead[end+1:]
		return piece, true, nil
	}
	piece, l.ahead = l.ahead, nil
	return piece, false, nil
}

// addPiece adds a piece to its line, or drops it where that is refused. The error is for all lines.
func (l *Lines) addPiece(line *Line, piece []byte) error {
	if line.Refusal == nil {
		line.Refusal = l.growLine(line, piece)
	}
	if line.Refusal == nil {
		line.Text = append(line.Text, piece...)
		return nil
	}
	line.drop()
	if l.skipped += int64(len(piece)); l.skipped > LingerBytes {
		return errTooMuchSkipped
	}
	return nil
}

func (l *Lines) growLine(line *Line, piece []byte) (err error) {
	if len(line.Text)+len(piece) > l.max {
		return errLineTooLong
	}
	if line.Text, err = growFor(line.Text, len(piece), l.max, line.held); err != nil && l.Relieve != nil && l.Relieve() {
		line.Text, err = growFor(line.Text, len(piece), l.max, line.held)
	}
	return err
}

// Size returns how many bytes the line has.
func (l *Line) Size() int64 { return int64(len(l.Text)) }

// Held returns what the line counts for, and what is made of it.
func (l *Line) Held() *gateway.Held { return l.held }

// ReadSubmission reads the submission in the line. ref is what its sender calls it, as far as that was read, also beside an error. Nothing of
// the text is held any more when it returns; what was made of it is, until the line is closed.
func (l *Line) ReadSubmission() (out *Submission, ref string, err error) {
	defer l.drop()
	if l.Refusal != nil {
		return nil, "", l.Refusal
	}
	if bytes.HasPrefix(l.Text, []byte("\ufeff")) {
		return nil, "", errByteOrderMark
	}
	made := l.held.Part()
	if out, err = readJSON(bytes.NewReader(l.Text), made, &ref); err != nil {
		made.Close()
	}
	return out, ref, err
}

// drop gives the text back.
func (l *Line) drop() {
	l.held.Shrink(int64(cap(l.Text)))
	l.Text = nil
}

// Close gives everything back.
func (l *Line) Close() {
	l.Text = nil
	l.held.Close()
}
