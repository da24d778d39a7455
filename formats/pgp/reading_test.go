// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// FuzzMayBeBy: what is passed over without being parsed is nothing that parsing would have made count, as a
// signature of the key's own or as a revocation that cannot be read.
func FuzzMayBeBy(f *testing.F) {
	m, err := formats.StartWork(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	c := &clock{meter: m.Unlimited()}
	var primary []byte
	w := walker{meter: m, left: maxPackets, visit: func(p rawPacket) error {
		switch p.tag {
		case tagPublicKey:
			primary = p.body
		case tagSignature:
			f.Add(p.body)
			if l, ok := splitSignature(p.body); ok {
				f.Add(l.withUnhashed(nil))
				f.Add(l.withUnhashed(l.hashed))
			}
		}
		return nil
	}}
	for _, name := range []string{"keyring.gpg", "p256.key"} { // the last one's key is asked for
		file, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		if err := w.walkFile(file); err != nil {
			f.Fatal(err)
		}
	}
	key, err := c.readKey(tagPublicKey, primary)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &clock{meter: m.Unlimited()}
		may, err := c.mayBeBy(body, key)
		if err != nil {
			t.Fatal(err)
		}
		if !may && (readSelf(body, key) != nil || unreadableRevocation(body, key)) {
			t.Errorf("passed over: %x", body)
		}
	})
}
