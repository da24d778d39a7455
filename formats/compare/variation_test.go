// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// How many submissions are made per format: COMPARE=full for a long run, or any number.
const (
	usualCount = 600
	fullCount  = 3000
)

func wantedCount(t *testing.T) int {
	switch v := os.Getenv("COMPARE"); v {
	case "":
		return usualCount
	case "full":
		return fullCount
	default:
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// seeded is the source of all choices for a format: the same in every run, unless
// COMPARE_SEED says otherwise.
func seeded(t *testing.T, format string) *rand.Rand {
	seed := uint64(1)
	if v := os.Getenv("COMPARE_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	h := fnv.New64a()
	h.Write([]byte(format))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func seededRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// asMade is the kind of submissions that nothing was done to.
const asMade = "as made"

// variations returns the bases as they are, then count submissions made from them: half changed
// in bytes, half in the format's own fields.
func variations(t *testing.T, format string, count int) []submission {
	r := seeded(t, format)
	var bases, out []submission
	for _, s := range samples[format]() {
		s.format, s.kind = format, asMade
		bases = append(bases, s)
	}
	out = append(out, bases...)
	for i := range count {
		if i%2 == 0 {
			out = append(out, changeBytes(r, bases))
			continue
		}
		s := crafters[format](r, bases)
		s.format = format
		out = append(out, s)
	}
	return out
}

// samples are the submissions that real tools made, by format.
var samples = map[string]func() []submission{
	"pgp": pgpSamples, "minisign": minisignSamples, "ssh": sshSamples, "pkcs7": pkcs7Samples, "x509": x509Samples, "tuf": tufSamples,
}

// crafters make submissions with changes in the format's fields, by format.
var crafters = map[string]func(*rand.Rand, []submission) submission{
	"pgp": craftPGP, "minisign": craftMinisign, "ssh": craftSSH, "pkcs7": craftPKCS7, "x509": craftX509, "tuf": craftTUF,
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// change is one way to change a submission that needs no knowledge of its format.
type change struct {
	kind  string
	apply func(*rand.Rand, *submission, []submission)
}

func appended(tail string) func(*rand.Rand, *submission, []submission) {
	return func(_ *rand.Rand, s *submission, _ []submission) { s.signature = append(s.signature, tail...) }
}

var changes = []change{
	{"signature: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, s.signature) }},
	{"signature: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, s.signature) }},
	{"signature: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, s.signature) }},
	{"signature: byte removed", func(r *rand.Rand, s *submission, _ []submission) { s.signature = without(r, s.signature) }},
	{"signature: cut", func(r *rand.Rand, s *submission, _ []submission) {
		s.signature = s.signature[:r.IntN(len(s.signature))]
	}},
	{"signature: zero byte appended", appended("\x00")},
	{"signature: line end appended", appended("\n")},
	{"signature: text appended", appended("some text\n")},
	{"signature: twice", func(_ *rand.Rand, s *submission, _ []submission) { s.signature = append(s.signature, s.signature...) }},
	{"signature: followed by another", func(r *rand.Rand, s *submission, all []submission) {
		s.signature = append(s.signature, pick(r, all...).signature...)
	}},
	{"signature: text before", func(_ *rand.Rand, s *submission, _ []submission) {
		s.signature = append([]byte("some text\n"), s.signature...)
	}},
	{"signature: line ends as CRLF", func(_ *rand.Rand, s *submission, _ []submission) { s.signature = crlf(s.signature) }},
	{"artifact: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, s.artifact) }},
	{"artifact: byte appended", func(_ *rand.Rand, s *submission, _ []submission) {
		if s.artifact != nil {
			s.artifact = append(s.artifact, 'x')
		}
	}},
	{"artifact: line ends as CRLF", func(_ *rand.Rand, s *submission, _ []submission) { s.artifact = crlf(s.artifact) }},
	{"artifact: empty", func(_ *rand.Rand, s *submission, _ []submission) { s.artifact = s.artifact[:0] }},
	{"key: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, pickKey(r, s)) }},
	{"key: bit flipped", func(r *rand.Rand, s *submission, _ []submission) { flip(r, pickKey(r, s)) }},
	{"key: cut", func(r *rand.Rand, s *submission, _ []submission) {
		if len(s.keys) > 0 {
			s.keys[0] = s.keys[0][:r.IntN(len(s.keys[0]))]
		}
	}},
	{"key: another's", func(r *rand.Rand, s *submission, all []submission) { s.keys = pick(r, all...).clone().keys }},
}

func pickKey(r *rand.Rand, s *submission) []byte {
	if len(s.keys) == 0 {
		return nil
	}
	return pick(r, s.keys...)
}

func changeBytes(r *rand.Rand, bases []submission) submission {
	base := pick(r, bases...)
	s, c := base.clone(), pick(r, changes...)
	c.apply(r, &s, bases)
	if s.kind = c.kind; strings.HasPrefix(c.kind, "signature: ") {
		s.origin = &base
	}
	return s
}

func (s submission) clone() submission {
	s.signature, s.artifact = bytes.Clone(s.signature), bytes.Clone(s.artifact)
	keys := make([][]byte, len(s.keys))
	for i := range keys {
		keys[i] = bytes.Clone(s.keys[i])
	}
	s.keys = keys
	return s
}

func flip(r *rand.Rand, b []byte) {
	if len(b) > 0 {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
}

func without(r *rand.Rand, b []byte) []byte {
	i := r.IntN(len(b))
	return append(b[:i], b[i+1:]...)
}

// crlf keeps nil, which stands for no artifact.
func crlf(b []byte) []byte {
	if b == nil {
		return nil
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}
