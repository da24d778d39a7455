// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// TestListTrees: the tree is written to by the key in use, and a log whose last key has ended is there, for what is read of it; a log without
// a key is an error.
func TestListTrees(t *testing.T) {
	const host, origin = "v1.example", "v1.example - 7"
	at := func(hour int) time.Time { return time.Unix(0, 0).Add(time.Duration(hour) * time.Hour) }
	key := func(start, end time.Time) trustroot.LogKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return trustroot.LogKey{Origin: host, SPKI: der, Start: start, End: end}
	}
	root, err := trustroot.New(key(at(1), at(10)), key(at(5), at(20)))
	if err != nil {
		t.Fatal(err)
	}
	l := &config.Log{ID: "v1", Kind: config.KindRekorV1, Origin: origin}
	for hour, want := range map[int]struct {
		start time.Time // of the first one's key
		trees int
	}{2: {at(1), 1}, 7: {at(5), 2}, 15: {at(5), 2}, 25: {at(5), 2}} {
		trees, err := listTrees(root, l, at(hour))
		if err != nil || len(trees) != want.trees || !trees[0].Log.Start.Equal(want.start) {
			t.Errorf("at %d: %+v, %v", hour, trees, err)
		}
	}
	for name, unknown := range map[string]*config.Log{"no key yet": l, "no key": {ID: "v1", Kind: config.KindRekorV1, Origin: "other.example - 7"}} {
		if trees, err := listTrees(root, unknown, at(0)); err == nil {
			t.Errorf("%s: %+v", name, trees)
		}
	}
}
