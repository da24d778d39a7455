// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	tlogproof "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// noteKey returns a signer of notes and its verifier.
func noteKey(tb testing.TB, name string) (note.Signer, note.Verifier) {
	tb.Helper()
	secret, public, err := note.GenerateKey(nil, name)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		tb.Fatal(err)
	}
	return signer, verifier
}

// signNote signs a checkpoint's text, by one key after the other.
func signNote(tb testing.TB, text string, by ...note.Signer) string {
	tb.Helper()
	b, err := note.Sign(&note.Note{Text: text}, by...)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func TestAnchoredBytesLeaveCosignaturesOut(t *testing.T) {
	own, _ := noteKey(t, "own.example/log")
	witness, _ := noteKey(t, "witness.example")
	other, _ := noteKey(t, "witness.example")
	text := "own.example/log\n7\n" + base64Of(make([]byte, 32)) + "\n"
	want := signNote(t, text, own)
	for name, checkpoint := range map[string]string{
		"alone": want, "after it": signNote(t, text, own, witness, other), "before it": signNote(t, text, witness, own),
	} {
		got, err := receipt.AnchoredBytes([]byte(checkpoint))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestAnchoredBytesRefuses(t *testing.T) {
	own, _ := noteKey(t, "own.example")
	rotated, _ := noteKey(t, "own.example")
	witness, _ := noteKey(t, "witness.example")
	root := base64Of(bytes.Repeat([]byte{0xff}, 32))
	text := "own.example\n7\n" + root + "\n"
	good := signNote(t, text, own)
	if _, err := receipt.AnchoredBytes([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":               "",
		"unsigned":            text + "\n",
		"cosigned only":       signNote(t, text, witness),
		"two keys of the log": signNote(t, text, own, rotated),
		"same line twice":     good + strings.SplitAfter(good, "\n")[4],
		"extension line":      signNote(t, text+"more\n", own),
		"no root":             signNote(t, "own.example\n7\n", own),
		"leading zero":        strings.Replace(good, "\n7\n", "\n07\n", 1),
		"signed size":         strings.Replace(good, "\n7\n", "\n+7\n", 1),
		"size of 64 bits":     strings.Replace(good, "\n7\n", "\n9223372036854775808\n", 1),
		"short root":          strings.Replace(good, root, base64Of(make([]byte, 31)), 1),
		"root of other bits":  strings.Replace(good, "8=", "9=", 1),
		"root in base64url":   strings.Replace(good, "/", "_", 1),
		"CRLF":                strings.ReplaceAll(good, "\n", "\r\n"),
		"CR in the root":      strings.Replace(good, "="+"\n", "=\r\n", 1),
		"another origin":      strings.Replace(good, "own.example", "own.examplf", 1),
		"origin with a space": signNote(t, strings.Replace(text, "own", "own ", 1), own),
		"not ended":           strings.TrimSuffix(good, "\n"),
		"ended twice":         good + "\n",
		"more after it":       good + "more\n",
		"empty line between":  strings.Replace(signNote(t, text, own, witness), "\n— witness", "\n\n— witness", 1),
		"hyphen for a dash":   strings.Replace(good, "— ", "- ", 1),
		"empty signature":     text + "\n— own.example AAAAAA==\n",
		"not UTF-8":           strings.Replace(good, "own.example\n7", "own.example\xff\n7", 1),
		"too many":            good + strings.Repeat(strings.SplitAfter(signNote(t, text, witness), "\n")[4], 64),
		"too large":           good + "— witness.example " + base64Of(make([]byte, receipt.MaxOwnCheckpoint)) + "\n",
	} {
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if got, err := receipt.AnchoredBytes([]byte(bad)); err == nil || got != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// ownProof is a proof with as many hashes as asked for, which prove nothing.
func ownProof(tb testing.TB, hashes int) receipt.OwnProof {
	tb.Helper()
	own, _ := noteKey(tb, "own.example")
	p := receipt.OwnProof{Index: 4711, Checkpoint: []byte(signNote(tb, "own.example\n4712\n"+base64Of(make([]byte, 32))+"\n", own))}
	for i := range hashes {
		p.Hashes = append(p.Hashes, sha256.Sum256(fmt.Append(nil, i)))
	}
	return p
}

func TestOwnProofText(t *testing.T) {
	for _, n := range []int{0, 1, 20, 63} {
		p := ownProof(t, n)
		text, err := receipt.FormatOwnProof(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := receipt.ParseOwnProof(text)
		if err != nil || got.Index != p.Index || len(got.Hashes) != n || !bytes.Equal(got.Checkpoint, p.Checkpoint) {
			t.Errorf("%d hashes: %+v, %v", n, got, err)
		}
		if theirs := (tlogproof.TLogProof{Index: p.Index, Hashes: p.Hashes, Checkpoint: p.Checkpoint}).Marshal(); !bytes.Equal(text, theirs) {
			t.Errorf("%d hashes: %q, and by the library %q", n, text, theirs)
		}
	}
	for name, p := range map[string]receipt.OwnProof{
		"64 hashes": ownProof(t, 64), "no checkpoint": {Index: 1}, "index of 64 bits": {Index: 1 << 63, Checkpoint: ownProof(t, 0).Checkpoint},
	} {
		if text, err := receipt.FormatOwnProof(p); err == nil || text != nil {
			t.Errorf("%s: formatted", name)
		}
	}
}

func TestParseOwnProofRefuses(t *testing.T) {
	text, err := receipt.FormatOwnProof(ownProof(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	head, checkpoint, _ := strings.Cut(good, "\n\n")
	hash := strings.Split(head, "\n")[2]
	for name, bad := range map[string]string{
		"empty":              "",
		"another version":    strings.Replace(good, "@v1", "@v2", 1),
		"no header":          strings.Replace(good, "c2sp.org/tlog-proof@v1\n", "", 1),
		"extra data":         strings.Replace(good, "index", "extra AAAA\nindex", 1),
		"no index":           strings.Replace(good, "index 4711\n", "", 1),
		"leading zero":       strings.Replace(good, "index 4711", "index 04711", 1),
		"negative":           strings.Replace(good, "index 4711", "index -1", 1),
		"signed":             strings.Replace(good, "index 4711", "index +4711", 1),
		"two spaces":         strings.Replace(good, "index 4711", "index  4711", 1),
		"space after":        strings.Replace(good, "index 4711", "index 4711 ", 1),
		"index of 64 bits":   strings.Replace(good, "index 4711", "index 9223372036854775808", 1),
		"index twice":        strings.Replace(good, "index 4711", "index 4711\nindex 4711", 1),
		"CRLF":               strings.ReplaceAll(good, "\n", "\r\n"),
		"CR after a hash":    strings.Replace(good, hash, hash+"\r", 1),
		"CR within a hash":   strings.Replace(good, hash, hash[:8]+"\r"+hash[8:], 1),
		"not canonical":      strings.Replace(good, hash, hash[:42]+string(hash[42]+1)+"=", 1),
		"unpadded":           strings.Replace(good, hash, hash[:43], 1),
		"short hash":         strings.Replace(good, hash, base64Of(make([]byte, 31)), 1),
		"empty hash":         strings.Replace(good, hash, "", 1),
		"64 hashes":          strings.Replace(good, hash+"\n", strings.Repeat(hash+"\n", 63), 1),
		"two empty lines":    strings.Replace(good, "\n\n", "\n\n\n", 1),
		"no empty line":      strings.Replace(good, "\n\n", "\n", 1),
		"empty line first":   "\n" + good,
		"byte order mark":    "\ufeff" + good,
		"no checkpoint":      head + "\n\n",
		"no signature":       good[:strings.Index(good, "— ")],
		"trailing data":      good + "more\n",
		"trailing line":      good + "\n",
		"not ended":          good[:len(good)-1],
		"two checkpoints":    good + "\n" + checkpoint,
		"another checkpoint": strings.Replace(good, "\n4712\n", "\n04712\n", 1),
		"too large":          good + strings.Repeat("x", receipt.MaxOwnProof),
	} {
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if p, err := receipt.ParseOwnProof([]byte(bad)); err == nil || p.Checkpoint != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzOwnProof: what is accepted has one spelling, and means the same to a library that reads more.
func FuzzOwnProof(f *testing.F) {
	for _, n := range []int{0, 3} {
		text, err := receipt.FormatOwnProof(ownProof(f, n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(bytes.Replace(text, []byte("index "), []byte("index 0"), 1))
		f.Add(bytes.Replace(text, []byte("\n4712\n"), []byte("\r\n4712\n"), 1))
		f.Add(append(text, '\n'))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := receipt.ParseOwnProof(text)
		if err != nil {
			return
		}
		if again, err := receipt.FormatOwnProof(p); err != nil || !bytes.Equal(again, text) {
			t.Errorf("formatted again as %q, %v", again, err)
		}
		var theirs tlogproof.TLogProof
		if err := theirs.Unmarshal(text); err != nil {
			t.Fatalf("formats/proof: %v", err)
		}
		if theirs.Index != p.Index || len(theirs.Hashes) != len(p.Hashes) || !bytes.Equal(theirs.Checkpoint, p.Checkpoint) || theirs.ExtraData != nil {
			t.Errorf("formats/proof reads %+v, not %+v", theirs, p)
		}
		for i, h := range theirs.Hashes {
			if h != p.Hashes[i] {
				t.Errorf("formats/proof reads another hash %d", i)
			}
		}
		var unverified *note.UnverifiedNoteError // that is, a note in order
		if _, err := note.Open(p.Checkpoint, note.VerifierList()); !errors.As(err, &unverified) {
			t.Errorf("x/mod does not read the checkpoint: %v", err)
		}
	})
}
