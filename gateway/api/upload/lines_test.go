// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// readAll returns what Next returns, as number:text, or number!reason, and what ended it.
func (l *Lines) readAll() (got []string, end error) {
	for {
		line, err := l.Next()
		if err != nil {
			return got, err
		}
		if line.Refusal != nil {
			got = append(got, fmt.Sprintf("%d!%s", line.Number, problem.FromError(line.Refusal).Reason))
		} else {
			got = append(got, fmt.Sprintf("%d:%s", line.Number, line.Text))
		}
		line.Close()
	}
}

func testHeld(t testing.TB, limit int64) (*gateway.Memory, *gateway.Held) {
	t.Helper()
	memory := gateway.NewMemory(limit)
	held, err := memory.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	return memory, held
}

func TestLines(t *testing.T) {
	const longest = 8
	long := strings.Repeat("x", longest+1)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"none":                {"", nil},
		"empty":               {"\n\r\n \t \n", nil},
		"two":                 {"a\nb\n", []string{"1:a", "2:b"}},
		"without the end":     {"a\nb", []string{"1:a", "2:b"}},
		"CRLF, empty between": {"a\r\n\r\n\nb\r\n", []string{"1:a", "4:b"}},
		"blanks around":       {"  a b\t\n", []string{"1:a b"}},
		"the longest":         {long[1:] + "\nb", []string{"1:" + long[1:], "2:b"}},
		"too long":            {"a\n" + long + "\nb\n", []string{"1:a", "2!TOO_LARGE", "3:b"}},
		"too long, the last":  {"a\n" + long, []string{"1:a", "2!TOO_LARGE"}},
		"all too long":        {strings.Repeat(long, 3) + "\n" + long + "\n", []string{"1!TOO_LARGE", "2!TOO_LARGE"}},
		"a lone CR":           {"a\rb\n", []string{"1:a\rb"}},
	} {
		for how, src := range map[string]io.Reader{"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text)), "with the end": iotest.DataErrReader(strings.NewReader(c.text))} {
			memory, held := testHeld(t, 1<<20)
			got, err := newLines(src, longest, held).readAll()
			if !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, c.want) || memory.Used() != 0 {
				t.Errorf("%s, %s: %q, %v, %d bytes held; want %q", name, how, got, err, memory.Used(), c.want)
			}
		}
	}
}

// A line that a broken connection has cut off is none.
func TestLinesCutOff(t *testing.T) {
	_, held := testHeld(t, 1<<20)
	got, err := newLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrUnexpectedEOF)), 8, held).readAll()
	if !errors.Is(err, io.ErrUnexpectedEOF) || !reflect.DeepEqual(got, []string{"1:a"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// What is too long is dropped up to a bound, of all lines together.
func TestLinesSkipBounded(t *testing.T) {
	memory, held := testHeld(t, 1<<20)
	long := io.LimitReader(endless{'x'}, 2*LingerBytes)
	got, err := newLines(long, 8, held).readAll()
	if formats.ReasonOf(err) != formats.ReasonTooLarge || len(got) != 0 || memory.Used() != 0 {
		t.Errorf("%q, %v, %d bytes held", got, err, memory.Used())
	}
}

type endless struct{ of byte }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.of
	}
	return len(p), nil
}

// Without memory a line is refused, once others have given back what they can; the next one may fit.
func TestLinesWithoutMemory(t *testing.T) {
	const size = 128 << 10
	memory, held := testHeld(t, size)
	other := held.Part()
	if err := other.Grow(size - 16); err != nil {
		t.Fatal(err)
	}
	asked := 0
	l := newLines(strings.NewReader(strings.Repeat("x", 32)+"\nb\n"+strings.Repeat("y", 32)), size, held)
	l.Relieve = func() bool {
		if asked++; asked == 2 {
			other.Close()
		}
		return asked == 2
	}
	got, err := l.readAll()
	if want := []string{"1!MEMORY_FULL", "2:b", "3:" + strings.Repeat("y", 32)}; !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, want) || memory.Used() != 0 {
		t.Errorf("%q, %v, %d bytes held", got, err, memory.Used())
	}
}

// However a line comes, it is not copied more than a few times.
func TestLineCost(t *testing.T) {
	const size = 4 << 20
	_, held := testHeld(t, 64<<20)
	l := newLines(iotest.OneByteReader(io.MultiReader(io.LimitReader(endless{'x'}, size), strings.NewReader("\n"))), size, held)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	line, err := l.Next()
	runtime.ReadMemStats(&after)
	if err != nil || len(line.Text) != size {
		t.Fatalf("%d bytes, %v", len(line.Text), err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 4*size {
		t.Errorf("a line of %d bytes took %d", size, made)
	}
}

func TestReadLine(t *testing.T) {
	for name, c := range map[string]struct{ text, ref, refusal string }{
		"good":                  {`{"ref":"a","signature":"YQ=="}`, "a", ""},
		"no ref":                {`{"signature":"YQ=="}`, "", ""},
		"ref is null":           {`{"ref":null,"signature":"YQ=="}`, "", ""},
		"ref, then a fault":     {`{"ref":"a","more":1}`, "a", `there is no field "more"`},
		"a fault, then ref":     {`{"more":1,"ref":"a"}`, "", `there is no field "more"`},
		"ref is a number":       {`{"ref":1}`, "", "is not the JSON"},
		"ref is too large":      {`{"ref":"` + strings.Repeat("x", MaxField+1) + `"}`, "", "too large"},
		"ref is not text":       {"{\"ref\":\"\xff\"}", "", "is not the JSON"},
		"two":                   {`{"ref":"a"}{"ref":"b"}`, "a", "something after"},
		"no JSON":               {`{`, "", "is not the JSON"},
		"with byte order mark":  {"\ufeff{}", "", "byte order mark"},
		"with NUL":              {"{\x00}", "", "is not the JSON"},
		"UTF-16":                {"\xff\xfe{\x00}\x00", "", "is not the JSON"},
		"a list of submissions": {`[{"signature":"YQ=="}]`, "", "is not the JSON"},
	} {
		memory, held := testHeld(t, 8<<20)
		line, err := newLines(strings.NewReader(c.text), MaxLine, held).Next()
		if err != nil {
			t.Fatal(err)
		}
		sent, ref, err := line.ReadSubmission()
		if ref != c.ref || (err == nil) != (c.refusal == "") || (sent == nil) != (err != nil) {
			t.Errorf("%s: ref %q, %v beside %v", name, ref, sent, err)
		} else if err != nil && !strings.Contains(problem.FromError(err).Message, c.refusal) {
			t.Errorf("%s: %v", name, err)
		}
		if line.Close(); memory.Used() != 0 {
			t.Errorf("%s: %d bytes stay held", name, memory.Used())
		}
	}
}

// FuzzLines: lines are what lies between line ends, however they come, whatever is too long is refused and nothing else, a source is asked for no more
// than it has, and no more is held than what is read ahead and one line that grows.
func FuzzLines(f *testing.F) {
	const longest = 64
	f.Add([]byte("a\nb\r\n\n c"), uint8(1))
	f.Add([]byte(strings.Repeat("x", 200)+"\n"+strings.Repeat("y", longest)+"\nz"), uint8(7))
	f.Add([]byte("\n\r\n\r\r\n \n"), uint8(0))
	f.Add([]byte("\ufeff{}\n\x00\n"), uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		var want []string
		for i, text := range bytes.Split(raw, []byte("\n")) {
			trimmed := bytes.Trim(text, " \t\r")
			switch {
			case len(text) > longest:
				want = append(want, fmt.Sprintf("%d!TOO_LARGE", i+1))
			case len(trimmed) > 0:
				want = append(want, fmt.Sprintf("%d:%s", i+1, trimmed))
			}
		}
		src := &countedSource{src: bytes.NewReader(raw), step: int(step) + 1}
		memory, held := testHeld(t, 3*longest) // the old text and the new one while it grows
		got, err := newLines(src, longest, held).readAll()
		if !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
		if most := len(raw)/src.step + 2; src.reads > most {
			t.Errorf("%d reads, want %d at most", src.reads, most)
		}
		if memory.Used() != 0 {
			t.Errorf("%d bytes stay held", memory.Used())
		}
	})
}

// countedSource gives at most step bytes at a time.
type countedSource struct {
	src   io.Reader
	step  int
	reads int
}

func (s *countedSource) Read(p []byte) (int, error) {
	s.reads++
	return s.src.Read(p[:min(len(p), s.step)])
}
