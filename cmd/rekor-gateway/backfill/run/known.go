// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
)

// knownReceipts remembers which receipts earlier runs of this user on this machine have verified, so that a million of them are
// not verified again each night. One counts as long as neither it nor its signature nor its file has been touched since, and the
// same trust and keys are named: by size, time of modification, time of change, which nobody can set, and number. Nothing is remembered of files
// that may change without it (keepsChanges).
//
// It is a list of hashes, in the user's folder for caches. Whoever can write a tree of releases cannot write it, and without it
// everything is verified again.
type knownReceipts struct {
	path  string // "" where there is no such folder
	seed  []byte
	old   []knownHash // sorted
	trust bool        // old counts

	settled settledFiles

	mu      sync.Mutex // over what follows
	fresh   []knownHash
	devices map[uint64]bool // what keepsChanges says of the files on a device
}

// knownHash is of a signature, its file and its receipt as they are: half of a SHA-256.
type knownHash [sha256.Size / 2]byte

// knownVersion begins the file. It changes with what is hashed, and with what is verified.
const knownVersion = "rekor-gateway backfill 3\n"

// openKnown reads what is known of the files that f names.
func openKnown(f *Options, keys, trust [sha256.Size]byte, told *output.Notes) *knownReceipts {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s%x%x%q%q", f.Program, keys, trust, f.Namespaces, f.Which))
	k := &knownReceipts{seed: seed[:], trust: !f.VerifyReceipts}
	folder, err := os.UserCacheDir()
	if err != nil {
		told.Say("note: there is no folder for caches, so that each run verifies all receipts again: %v", err)
		return k
	}
	var names []string
	for _, name := range append([]string{f.Manifest, f.Receipts}, f.Roots...) {
		if absolute, err := filepath.Abs(name); err == nil && name != "" {
			name = absolute
		}
		names = append(names, name)
	}
	id := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	k.path = filepath.Join(folder, "rekor-gateway", "backfill", hex.EncodeToString(id[:16]))
	raw, err := os.ReadFile(k.path)
	if err != nil || !bytes.HasPrefix(raw, []byte(knownVersion)) {
		return k
	}
	raw = raw[len(knownVersion):]
	k.old = make([]knownHash, len(raw)/len(knownHash{}))
	for i := range k.old {
		copy(k.old[i][:], raw[i*len(knownHash{}):])
	}
	slices.SortFunc(k.old, compareKnown) // it is, unless somebody has changed it
	return k
}

func compareKnown(a, b knownHash) int { return bytes.Compare(a[:], b[:]) }

// find returns the file with the receipt of item when it is known to be good, else "". Of a list its files have to be as they were, too:
// look says how they are.
func (k *knownReceipts) find(item backfill.Item, p place, look func() *backfill.Checked) (string, *backfill.Checked) {
	if len(k.old) == 0 || !k.trust {
		return "", nil
	}
	rest, ok := stampItem(item)
	if !ok {
		return "", nil
	}
	for _, path := range []string{p.own, p.first} {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		h, ok := k.hash(item, path, stampOf(info), rest)
		if !ok || !k.has(h) {
			continue
		}
		if item.List == nil {
			k.keep(h)
			return path, nil
		}
		if list := look(); list != nil && k.has(h.over(list)) {
			k.keep(h, h.over(list))
			return path, list
		}
	}
	return "", nil
}

func (k *knownReceipts) has(h knownHash) bool {
	_, found := slices.BinarySearchFunc(k.old, h, compareKnown)
	return found
}

// over returns the hash of the same and of a list's files as they are.
func (h knownHash) over(list *backfill.Checked) (all knownHash) {
	sum := sha256.Sum256(append(h[:], list.Files[:]...))
	copy(all[:], sum[:])
	return all
}

// add notes a receipt that was verified as it was read from at, or written there, over files that were the same before and after, and the list that was
// compared, if it is over one.
func (k *knownReceipts) add(c *candidate, at found, list *backfill.Checked) {
	rest, ok := c.stamps(), true
	if c.checked == nil { // else they were compared right before
		rest, ok = stampItem(c.item)
	}
	if !ok || k.path == "" || !c.isUnchanged(rest) || !k.areSettled(c.item, at, rest) {
		return
	}
	h, ok := k.hash(c.item, at.path, at.stamp, rest)
	switch {
	case !ok:
	case c.item.List == nil:
		k.keep(h)
	case list != nil && list.Whole && list.Problem == nil:
		k.keep(h, h.over(list))
	}
}

// areSettled reports whether all files of an item had settled, but for a receipt that this run has written.
func (k *knownReceipts) areSettled(item backfill.Item, at found, s itemStamps) bool {
	for _, key := range item.Keys {
		info, err := os.Stat(key)
		if err != nil || !k.settled.has(stampOf(info)) {
			return false
		}
	}
	return k.settled.has(s.signature) && (item.Artifact == "" || k.settled.has(s.artifact)) && (at.written && !at.stamp.isCoarse() || k.settled.has(at.stamp))
}

func (k *knownReceipts) keep(all ...knownHash) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fresh = append(k.fresh, all...)
}

// itemStamps are of the files of an item.
type itemStamps struct {
	signature, artifact fileStamp
	keys                string // those of its own keys, encoded
}

// stampItem returns ok false for what is not a file here.
func stampItem(item backfill.Item) (s itemStamps, ok bool) {
	if item.Digest != "" || client.IsURL(item.Signature) || client.IsURL(item.Artifact) {
		return s, false
	}
	info, err := os.Stat(item.Signature)
	if err != nil {
		return s, false
	}
	s.signature = stampOf(info)
	for _, key := range item.Keys {
		if info, err = os.Stat(key); err != nil {
			return s, false
		}
		s.keys += string(stampOf(info).encode([]byte(key)))
	}
	if item.Artifact == "" {
		return s, true
	}
	if info, err = os.Stat(item.Artifact); err != nil {
		return s, false
	}
	s.artifact = stampOf(info)
	return s, true
}

// hash returns ok false where one of the files is nothing that can be remembered. The receipt in path has that stamp.
func (k *knownReceipts) hash(item backfill.Item, path string, receipt fileStamp, s itemStamps) (h knownHash, ok bool) {
	keeps := k.keepsChanges(path, receipt.device) && k.keepsChanges(item.Signature, s.signature.device) &&
		(item.Artifact == "" || k.keepsChanges(item.Artifact, s.artifact.device))
	if !keeps || slices.ContainsFunc(item.Keys, func(name string) bool { return !keepsChanges(name) }) {
		return h, false
	}
	b := append(make([]byte, 0, 512), k.seed...)
	for _, name := range [...]string{path, item.Signature, item.Artifact, item.Format, s.keys} {
		b = append(append(b, name...), 0)
	}
	b = receipt.encode(s.artifact.encode(s.signature.encode(b)))
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h, true
}

// keepsChanges is keepsChanges of a file that has the stamp of that device. It is false where another file has come to its place, or none is there any more:
// they say nothing of the device.
func (k *knownReceipts) keepsChanges(path string, device uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keeps, asked := k.devices[device]; asked {
		return keeps
	}
	found, keeps, err := findDevice(path)
	if err != nil || found != device {
		return false
	}
	if k.devices == nil {
		k.devices = map[uint64]bool{}
	}
	k.devices[device] = keeps
	return keeps
}

// keepsChanges reports whether each change of a file is seen by its stamp where it is.
func keepsChanges(path string) bool {
	_, keeps, err := findDevice(path)
	return err == nil && keeps
}

// save writes what is known now: after a whole run only what is still there, else what was known before as well.
func (k *knownReceipts) save(whole bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.path == "" || len(k.fresh) == 0 && len(k.old) == 0 {
		return nil
	}
	all := k.fresh
	if !whole {
		all = append(all, k.old...)
	}
	slices.SortFunc(all, compareKnown)
	all = slices.Compact(all)
	raw := make([]byte, 0, len(knownVersion)+len(all)*len(knownHash{}))
	raw = append(raw, knownVersion...)
	for _, h := range all {
		raw = append(raw, h[:]...)
	}
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return err
	}
	folder, err := holdFolder("", k.path)
	if err != nil {
		return err
	}
	defer folder.close()
	_, err = writeFile(folder, filepath.Base(k.path), raw, true)
	return err
}
