// SPDX-License-Identifier: Apache-2.0

package run

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// heldTest is a run in which one signature was sent and waits.
type heldTest struct {
	*runner
	item backfill.Item
}

func newHeldTest(t *testing.T) *heldTest {
	tree := makeTree(t, 1)
	if !keepsChanges(tree) {
		t.Skip("nothing is remembered of files in memory")
	}
	at := func(name string) string { return filepath.Join(tree, "0", name) }
	b := newTestRun(t, offline("trusted_root.json"))
	b.waiters = &waiters{run: b, checked: semaphore.NewWeighted(maxCheckedBytes)}
	return &heldTest{b, backfill.Item{Signature: at("app.sig"), Name: "app.sig", Artifact: at("app")}}
}

// send reads and verifies the signature, and has it wait.
func (h *heldTest) send(t *testing.T) *waiting {
	c := must(h.judge.readCandidate(t.Context(), h.item))
	defer c.close()
	if err := c.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	one := &waiting{o: outcome{item: h.item}, stamps: c.stamps(), sent: c.summarizeSent()}
	one.checked, one.release = h.waiters.holdChecked(c, one.sent)
	return one
}

// TestHeldIsNotReadAgain: the receipt of what was found good is held against that, without its files.
func TestHeldIsNotReadAgain(t *testing.T) {
	h := newHeldTest(t)
	one := h.send(t)
	r := goodReceipt()
	c, ok := h.readHeld(one, r)
	if !ok {
		t.Fatal("it is not held")
	}
	if err := os.Remove(h.item.Artifact); err != nil {
		t.Fatal(err)
	}
	if err := h.checkReceipt(t.Context(), c, r); err != nil {
		t.Error(err)
	}
	r.Signature.Keys = nil
	if err := h.checkReceipt(t.Context(), c, r); err == nil {
		t.Error("a receipt without the key is held against what was found by that")
	}
	if _, ok := h.readHeld(one, r); ok {
		t.Error("for a receipt that takes parsing it the signature is not read again, with the memory that takes")
	}
}

// goodReceipt is the signature's.
func goodReceipt() *receiptpb.Receipt {
	return must(receipt.Unmarshal(must(os.ReadFile(offline("x509.receipt.json")))))
}

// TestHeldNoLonger: what has changed, or was found good long ago, is read again, and so is what there was no room for.
func TestHeldNoLonger(t *testing.T) {
	change := func(path string) {
		if err := os.WriteFile(path, must(os.ReadFile(path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, spoil := range map[string]func(*heldTest, *waiting){
		"signature changed": func(h *heldTest, _ *waiting) { change(h.item.Signature) },
		"file changed":      func(h *heldTest, _ *waiting) { change(h.item.Artifact) },
		"file removed":      func(h *heldTest, _ *waiting) { _ = os.Remove(h.item.Artifact) },
		"long ago":          func(_ *heldTest, one *waiting) { one.checked.At = time.Now().Add(-maxCheckedAge - time.Second) },
		"let go":            func(_ *heldTest, one *waiting) { one.letGo() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeldTest(t)
			one := h.send(t)
			time.Sleep(tick) // the clock of files has gone on
			spoil(h, one)
			if _, ok := h.readHeld(one, goodReceipt()); ok {
				t.Error("it is held")
			}
		})
	}
}

// TestHeldOnlyWhere: nothing is held without room, or where a change of the file could not be told.
func TestHeldOnlyWhere(t *testing.T) {
	for name, spoil := range map[string]func(*heldTest){
		"no room":               func(h *heldTest) { h.waiters.checked = semaphore.NewWeighted(checkedPerItem) },
		"nothing is remembered": func(h *heldTest) { h.known.path = "" },
		"not settled":           func(h *heldTest) { h.judge.settled = nil },
		"key of later": func(h *heldTest) { // than files here were known to have settled
			h.send(t).letGo()
			time.Sleep(2 * tick)
			h.item.Keys = []string{filepath.Join(filepath.Dir(h.item.Signature), "key")}
			copyFile(t, offline("x509.pub"), h.item.Keys[0])
		},
		"more who may have signed than are kept": func(h *heldTest) {
			keys := []string{offline("x509.pub")}
			for i := range maxSentSigners {
				keys = append(keys, filepath.Join(t.TempDir(), fmt.Sprint(i)))
				spki := must(x509.MarshalPKIXPublicKey(&must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey))
				if err := os.WriteFile(keys[i+1], pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			h.judge.stock = must(loadKeys(t.Context(), keys))
		},
		"by its digest": func(h *heldTest) {
			h.item.Digest = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeldTest(t)
			spoil(h)
			one := h.send(t)
			if one.checked == nil && one.release == nil {
				return
			}
			t.Error("it is held")
			if c, ok := h.readHeld(one, goodReceipt()); ok {
				t.Error(h.checkReceipt(t.Context(), c, goodReceipt()))
			}
		})
	}
	h := newHeldTest(t)
	for range 3 {
		h.send(t).letGo()
	}
	if !h.waiters.checked.TryAcquire(maxCheckedBytes) {
		t.Error("there is less room than before")
	}
}

// TestIsRecent: neither a machine that slept nor a clock that was set makes old what was found good look new.
func TestIsRecent(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		at   time.Time
		want bool
	}{
		{now, true},
		{now.Add(-maxCheckedAge), true},
		{now.Add(-maxCheckedAge - 1), false},
		{now.Add(-maxCheckedAge - 1).Round(0), false}, // as where only the wall clock has gone on
		{now.Add(time.Second), false},
	} {
		if isRecent(test.at, now) != test.want {
			t.Errorf("%v ago: not %v", now.Sub(test.at), test.want)
		}
	}
}
