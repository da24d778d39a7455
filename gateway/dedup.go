// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// DedupForm decides how a submission is recorded and how its receipt verifies, beside its core: who
// signed what, by which signature, recorded as what.
type DedupForm struct {
	Way   Way
	Logs  []string // IDs of the logs it goes to, sorted; none where Way is Batched
	AnyOf int      // it goes to as many of Logs, whichever can be used; 0 is all
	// Need is how many of Logs must have it, where it goes to all of them and fewer are enough; 0 is all. Keys of releases
	// that had one policy for everybody do not have it.
	Need      int
	Embedded  bool     // the artifact is inside the signature
	Container string   // "ALG:HEX" of the compressed file the artifact was in, or ""
	Form      []byte   // formats.Verified.Form: what else of the signature file its receipt shows
	Findings  []string // reasons of the weaknesses that were let pass, sorted
	// Keys is SHA-256 over the keys that the receipt shows, by which it is judged later, and the certificates that become
	// public with the entry; nil for none of them, and in the keys of releases that did not tell them apart.
	Keys []byte
}

// DedupKey returns the key of a submission with the given core, which package intake computes. A
// submission that differs in anything that enters here is another one, with a receipt of its own.
func DedupKey(core [sha256.Size]byte, f DedupForm) SubmissionKey {
	return digestKey("rekor-gateway submission key v3", core, f, true)
}

// FormerDedupKey returns the key under which releases that did not tell forms apart have stored a submission
// with the given core. It never changes: rows have it.
func FormerDedupKey(core [sha256.Size]byte, f DedupForm) SubmissionKey {
	return digestKey("rekor-gateway submission key v2", core, f, false)
}

func digestKey(version string, core [sha256.Size]byte, f DedupForm, form bool) SubmissionKey {
	h := sha256.New()
	var number [8]byte
	writeLength := func(n int) {
		binary.BigEndian.PutUint64(number[:], uint64(n))
		h.Write(number[:])
	}
	part := func(b []byte) {
		writeLength(len(b))
		h.Write(b)
	}
	list := func(parts []string) {
		writeLength(len(parts))
		for _, p := range parts {
			part([]byte(p))
		}
	}
	if f.AnyOf > 0 {
		version = fmt.Sprintf("%s, any %d of the logs", version, f.AnyOf)
	}
	if form && f.Need > 0 {
		version = fmt.Sprintf("%s, %d needed", version, f.Need)
	}
	part([]byte(version))
	part(core[:])
	part([]byte(f.Way))
	list(f.Logs)
	if f.Embedded {
		part([]byte("embedded"))
	} else {
		part(nil)
	}
	part([]byte(f.Container))
	list(f.Findings)
	if form {
		part(f.Form)
	}
	if form && f.Keys != nil {
		part(f.Keys)
	}
	return SubmissionKey(h.Sum(nil))
}
