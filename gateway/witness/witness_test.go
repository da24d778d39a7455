// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	checkpoint "github.com/transparency-dev/formats/log"
	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness/witnesstest"
)

const origin = "gateway.test/own"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// history is a log in memory.
type history struct {
	signer note.Signer
	vkey   string
	tree   tiletree.Tree
	tiles  map[tiletree.Tile][]byte
}

func newHistory() *history {
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return &history{signer: must(note.NewSigner(secret)), vkey: public, tree: tiletree.EmptyTree(), tiles: map[tiletree.Tile][]byte{}}
}

func (h *history) read(tiles []tiletree.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		all = append(all, h.tiles[tiletree.Tile{Level: t.Level, Index: t.Index}][:t.Width*tiletree.HashSize])
	}
	return all, nil
}

// grow adds so many records, and returns the checkpoint then.
func (h *history) grow(what string, n int) []byte {
	leaves := make([][32]byte, n)
	for i := range leaves {
		leaves[i] = sha256.Sum256(fmt.Append(nil, what, i))
	}
	tree, tiles, err := tiletree.AppendRecords(h.tree, leaves, h.read)
	if err != nil {
		panic(err)
	}
	h.tree = tree
	for _, t := range tiles {
		h.tiles[tiletree.Tile{Level: t.Level, Index: t.Index}] = t.Hashes
	}
	return h.sign()
}

func (h *history) sign() []byte {
	c := checkpoint.Checkpoint{Origin: origin, Size: h.tree.Size, Hash: h.tree.Root[:]}
	return must(note.Sign(&note.Note{Text: string(c.Marshal())}, h.signer))
}

// TestWitness: a real witness cosigns what grows, says what it has, and refuses another history.
func TestWitness(t *testing.T) {
	lite := witnesstest.Start(t)
	w := must(witness.New(witness.Config{Key: lite.Key, URL: lite.URL}))
	log := newHistory()
	if _, err := w.AddCheckpoint(t.Context(), 0, nil, log.grow("one", 5)); !errors.Is(err, gateway.ErrNotCosigned) {
		t.Errorf("a log that it does not know: %v", err)
	}
	lite.AddLog(t, origin, log.vkey)
	empty := newHistory().withKey(log).sign()
	wantCosigned(t, w, 0, nil, empty)
	wantCosigned(t, w, 0, nil, log.sign())
	wantCosigned(t, w, 5, nil, log.sign())
	older := *log
	signed := log.grow("two", 300)
	wantCosigned(t, w, 5, must(tiletree.ProveConsistency(log.tree, 5, log.read)), signed)

	var other *gateway.WitnessSizeError
	if _, err := w.AddCheckpoint(t.Context(), 5, nil, older.sign()); !errors.As(err, &other) || other.Size != 305 {
		t.Errorf("an older state: %v", err)
	}
	if _, err := w.AddCheckpoint(t.Context(), 0, nil, empty); !errors.As(err, &other) || other.Size != 305 {
		t.Errorf("the empty log: %v", err)
	}
	fork := newHistory().withKey(log)
	same := fork.grow("else", 305)
	if _, err := w.AddCheckpoint(t.Context(), 305, nil, same); !errors.Is(err, gateway.ErrOtherHistory) {
		t.Errorf("another root of the same size: %v", err)
	}
	more := fork.grow("else", 5)
	if _, err := w.AddCheckpoint(t.Context(), 305, must(tiletree.ProveConsistency(fork.tree, 305, fork.read)), more); !errors.Is(err, gateway.ErrOtherHistory) {
		t.Errorf("another history: %v", err)
	}
	stranger := newHistory()
	if _, err := w.AddCheckpoint(t.Context(), 305, nil, stranger.grow("one", 305)); !errors.Is(err, gateway.ErrNotCosigned) {
		t.Errorf("signed by another key: %v", err)
	}
	lite.Stop()
	if _, err := w.AddCheckpoint(t.Context(), 305, nil, signed); err == nil || errors.Is(err, gateway.ErrOtherHistory) {
		t.Errorf("a witness that is gone: %v", err)
	}
}

// withKey has a history signed as another one is.
func (h *history) withKey(of *history) *history {
	h.signer = of.signer
	return h
}

// wantCosigned checks that anybody can verify what w signs.
func wantCosigned(t *testing.T, w *witness.Witness, old uint64, proof [][32]byte, signed []byte) gateway.Cosignature {
	t.Helper()
	c, err := w.AddCheckpoint(t.Context(), old, proof, signed)
	if err != nil {
		t.Fatal(err)
	}
	verifier := must(trustroot.ParseWitnessKey(w.Key()))
	if _, err := note.Open(append(bytes.Clone(signed), c.Line+"\n"...), note.VerifierList(verifier)); err != nil {
		t.Errorf("%q does not verify: %v", c.Line, err)
	}
	if age := time.Since(c.Time); age < -time.Second || age > time.Minute || c.Witness != w.Key() {
		t.Errorf("cosignature is %+v", c)
	}
	return c
}

// testKey is a witness's own, which is not asked.
func testKey(t *testing.T) (*cosign.Signer, string) {
	secret, public, err := note.GenerateKey(rand.Reader, "witness.test/fake")
	if err != nil {
		t.Fatal(err)
	}
	signer := must(cosign.NewSignerForCosignatureV1(secret))
	raw := must(base64.StdEncoding.DecodeString(strings.SplitN(public, "+", 3)[2]))
	return signer, fmt.Sprintf("witness.test/fake+%08x+%s", signer.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, raw[1:]...)))
}

// TestHostileAnswers: what a witness answers that is not its cosignature of what it was sent is none, whatever it is, and costs little.
func TestHostileAnswers(t *testing.T) {
	signer, key := testKey(t)
	stranger, _ := testKey(t)
	log := newHistory()
	other := log.grow("one", 3)
	signed := log.grow("two", 4)
	cosignature := func(s note.Signer, text []byte) string {
		body, _, _ := bytes.Cut(text, []byte("\n\n"))
		both := must(note.Sign(&note.Note{Text: string(body) + "\n"}, s))
		return string(both[len(body)+2:])
	}
	const size = "text/x.tlog.size"
	mine := cosignature(signer, signed) // it has the time in it
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect was followed")
		fmt.Fprint(rw, cosignature(signer, signed))
	}))
	defer elsewhere.Close()
	for name, test := range map[string]struct {
		status      int
		contentType string
		body        string
		want        string // in the error; "" for none
	}{
		"its cosignature":           {200, "", mine, ""},
		"and another's beside it":   {200, "", cosignature(stranger, signed) + mine, ""},
		"nothing":                   {200, "", "", "no verifiable signatures"},
		"garbage":                   {200, "", "\x00\xff", "malformed note"},
		"a line of garbage":         {200, "", "— witness.test/fake AAAAAAAAAAAA\n", "no verifiable signatures"},
		"of another checkpoint":     {200, "", cosignature(signer, other), "invalid signature"},
		"another's":                 {200, "", cosignature(stranger, signed), "no verifiable signatures"},
		"a checkpoint, too":         {200, "", string(signed) + cosignature(signer, signed), "invalid signature"},
		"of the checkpoint as text": {200, "", string(must(note.Sign(&note.Note{Text: string(signed)}, signer))[len(signed):]), "not the checkpoint"},
		"of more than it was sent":  {200, "", string(must(note.Sign(&note.Note{Text: string(signed) + "more\n"}, signer))[len(signed):]), "not the checkpoint"},
		"without the line's end":    {200, "", strings.TrimSuffix(cosignature(signer, signed), "\n"), "malformed note"},
		"endless":                   {200, "", strings.Repeat(cosignature(signer, signed), 1000), "over 32768 bytes"},
		"another success":           {204, "", "", "status 204"},
		"no size":                   {409, size, "many\n", "no size"},
		"negative size":             {409, size, "-1\n", "no size"},
		"size in another spelling":  {409, size, "007\n", "no size"},
		"size beyond all":           {409, size, "9223372036854775808\n", "no size"},
		"size and more":             {409, size, "7\n7\n", "no size"},
		"size":                      {409, size, "7\n", "cosigned 7 records"},
		"size without line's end":   {409, size + "; charset=utf-8", "7", "cosigned 7 records"},
		"conflict":                  {409, "text/plain", "7\n", "another history"},
		"bad proof":                 {422, "", "bad proof", "another history"},
		"unknown":                   {404, "", "", "does not cosign"},
		"forbidden":                 {403, "", "", "does not cosign"},
		"broken":                    {500, "", "panic: \x1b[31m", `status 500, "panic: \x1b[31m"`},
		"redirect":                  {307, "", "", "status 307"},
		"moved":                     {301, "", "", "status 301"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/prefix/add-checkpoint" {
					t.Errorf("asked for %s %s", r.Method, r.URL)
				}
				rw.Header().Set("Content-Type", test.contentType)
				if test.status/100 == 3 {
					rw.Header().Set("Location", elsewhere.URL)
				}
				rw.WriteHeader(test.status)
				fmt.Fprint(rw, test.body)
			}))
			defer server.Close()
			w := must(witness.New(witness.Config{Key: key, URL: server.URL + "/prefix"}))
			c, err := w.AddCheckpoint(t.Context(), 7, nil, signed)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err == nil && c.Line+"\n" != mine {
				t.Errorf("the line is %q", c.Line)
			}
		})
	}
}

// TestTimes: a cosignature of no time, or of one that is still to come, is none.
func TestTimes(t *testing.T) {
	signer, key := testKey(t)
	signed := newHistory().grow("one", 3)
	body, _, _ := bytes.Cut(signed, []byte("\n\n"))
	for years, good := range map[time.Duration]bool{0: true, 100: false} {
		var line string
		synctest.Test(t, func(*testing.T) { // in which it is the year 2000
			time.Sleep(years * 365 * 24 * time.Hour)
			line = string(must(note.Sign(&note.Note{Text: string(body) + "\n"}, signer))[len(body)+2:])
		})
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, line) }))
		w := must(witness.New(witness.Config{Key: key, URL: server.URL}))
		if c, err := w.AddCheckpoint(t.Context(), 3, nil, signed); (err == nil) != good || good && c.Time.Year() != 2000 {
			t.Errorf("after %d years: %+v, %v", years, c, err)
		}
		server.Close()
	}
}

// TestSlowAnswer: a witness that answers a byte at a time is given up.
func TestSlowAnswer(t *testing.T) {
	_, key := testKey(t)
	log := newHistory()
	signed := log.grow("one", 3)
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			fmt.Fprint(rw, "x")
			_ = http.NewResponseController(rw).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}))
	defer server.Close()
	w := must(witness.New(witness.Config{Key: key, URL: server.URL}))
	begun := time.Now()
	if _, err := w.AddCheckpoint(t.Context(), 3, nil, signed); err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	<-ended
}

// TestNew: what no witness is known by is refused.
func TestNew(t *testing.T) {
	_, key := testKey(t)
	logKey := newHistory().vkey
	for name, test := range map[string]struct {
		key, url string
		good     bool
	}{
		"https":          {key, "https://witness.example/some/prefix", true},
		"local":          {key, "http://127.0.0.1:7380", true},
		"local by name":  {key, "http://localhost:7380/", true},
		"http":           {key, "http://witness.example", false},
		"with user":      {key, "https://user:secret@witness.example", false},
		"with query":     {key, "https://witness.example/?x", false},
		"another scheme": {key, "file:///etc/passwd", false},
		"no URL":         {key, "", false},
		"key of a log":   {logKey, "https://witness.example", false},
	} {
		if _, err := witness.New(witness.Config{Key: test.key, URL: test.url}); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has a secret: %v", name, err)
		}
	}
}
