// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"

	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Of a keyring with the keys of others in it, a signature is sent with its signer's alone.
func TestBackfillSendsTheSignersKeyAlone(t *testing.T) {
	ring := filepath.Join(t.TempDir(), "ring.pub")
	joined := append(must(os.ReadFile(offline("pgp-ed25519.pub"))), must(os.ReadFile(offline("pgp-rsa3072.pub")))...)
	if err := os.WriteFile(ring, joined, 0o644); err != nil {
		t.Fatal(err)
	}
	tree := makeTree(t, 1)
	copyFile(t, offline("artifact"), filepath.Join(tree, "lib"))
	copyFile(t, offline("pgp-rsa3072.sig"), filepath.Join(tree, "lib.asc"))
	var mu sync.Mutex
	var keys [][]byte
	g := &moody{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}}
	g.answer = func(_ int64, w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		lines := json.NewDecoder(r.Body)
		for {
			var line struct{ Keys [][]byte }
			if lines.Decode(&line) != nil {
				break
			}
			keys = append(keys, line.Keys...)
		}
		return refuseWith(w, http.StatusUnprocessableEntity, string(formats.ReasonForbiddenSigner))
	}
	code, _, errs := runBackfill(t.Context(), g.startMoody(), tree, "--key", ring)
	if code != exitSome || len(keys) != 2 {
		t.Fatalf("exit %d, %d keys\n%s", code, len(keys), errs)
	}
	for _, k := range keys {
		if len(k) >= len(joined) || bytes.Contains(k, []byte("ed25519@")) { // whose user id is in the ring
			t.Errorf("another's key is sent: %q", k)
		}
	}
}
