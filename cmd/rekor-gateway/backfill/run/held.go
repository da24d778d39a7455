// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const (
	// maxCheckedBytes bounds what is held of signatures that were found good and wait for their receipts, besides what is held of each of them. What has no
	// room is read and verified again for its receipt.
	maxCheckedBytes = 144 << 20
	// checkedPerItem and checkedPerByte are what one takes, by the size of its file, besides its keys and what is compared of it.
	checkedPerItem = 2 << 10
	checkedPerByte = 2
	// maxCheckedAge is how long what was found good counts as good now. A key or metadata may expire meanwhile.
	maxCheckedAge = time.Minute
)

// holdChecked has what was found good of c held until release, where there is room, where a change of its files would be noticed, and where a receipt may be held
// against it. sent is what is known of c without that: nil has it parsed again.
func (w *waiters) holdChecked(c *candidate, sent *sentSignature) (checked *receipt.Checked, release func()) {
	checked = &receipt.Checked{Description: c.described, Verified: c.verified, At: c.began}
	if sent == nil || !checked.MayFit() || !w.run.known.noticesChanges(c.item, c.stamps()) {
		return nil, nil
	}
	size := int64(checkedPerItem + checkedPerByte*len(c.content) + len(c.verified.Canonical))
	for _, k := range c.verified.Keys {
		size += int64(len(k))
	}
	if !w.checked.TryAcquire(size) {
		return nil, nil
	}
	checked.Content = bytes.Clone(c.content)
	return checked, func() { w.checked.Release(size) }
}

// letGo has nothing held of one that waits no more.
func (one *waiting) letGo() {
	if one.release != nil {
		one.checked = nil
		one.release()
	}
}

// readHeld returns what is held of one that waits for r, unless its files have changed since they were read, that is too long ago, or r is not to be held against
// it: then the signature takes the memory of one that is read.
func (b *runner) readHeld(one *waiting, r *receiptpb.Receipt) (*candidate, bool) {
	if one.checked == nil || !isRecent(one.checked.At, time.Now()) || !one.checked.Fits(r, b.trust.get().gateway) {
		return nil, false
	}
	if now, ok := stampItem(one.o.item); !ok || now != one.stamps {
		return nil, false
	}
	return b.judge.restore(one), true
}

// isRecent reports whether what was found good at a moment counts as good now, by all clocks: one stands still while the machine sleeps, and the other may be set.
func isRecent(at, now time.Time) bool {
	age := now.Round(0).Sub(at.Round(0))
	return age >= 0 && age <= maxCheckedAge && now.Sub(at) <= maxCheckedAge
}

// restore returns the candidate that was read and found good.
func (j *judge) restore(one *waiting) *candidate {
	item := one.o.item
	c := &candidate{
		item: item, ways: j.ways, content: one.checked.Content, sent: one.sent, checked: one.checked, keyStamps: one.stamps.keys,
		signature: j.restoreSource(item.Root, item.Signature, one.stamps.signature),
	}
	if item.Artifact != "" {
		c.artifact = j.restoreSource(item.Root, item.Artifact, one.stamps.artifact)
	}
	return c
}

func (j *judge) restoreSource(root, name string, first fileStamp) *source {
	return &source{name: name, path: name, root: root, first: first, known: true, settled: j.settled}
}

// noticesChanges reports whether whatever is written to an item's files since they were read gives them other stamps.
func (k *knownReceipts) noticesChanges(item backfill.Item, s itemStamps) bool {
	if k.path == "" || item.Digest != "" || item.Decompress || isFetched(item) {
		return false
	}
	keys := ""
	for _, name := range item.Keys {
		info, err := os.Stat(name)
		if err != nil || !k.noticesChange(name, stampOf(info)) {
			return false
		}
		keys += string(stampOf(info).encode([]byte(name)))
	}
	return keys == s.keys && k.noticesChange(item.Signature, s.signature) && (item.Artifact == "" || k.noticesChange(item.Artifact, s.artifact))
}

// noticesChange is noticesChanges of one file.
func (k *knownReceipts) noticesChange(path string, stamp fileStamp) bool {
	return k.settled.has(stamp) && k.keepsChanges(path, stamp.device)
}
