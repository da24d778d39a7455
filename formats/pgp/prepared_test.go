// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

func prepare(t testing.TB, files ...[]byte) formats.PreparedKeys {
	t.Helper()
	p, err := pgp.New().(formats.KeyPreparer).PrepareKeys(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPreparedKeysServeAsAll: what is selected of a keyring gives the verdict that the whole of it does, for every vector, as
// submitted keys and as the policy's.
func TestPreparedKeysServeAsAll(t *testing.T) {
	ring := read(t, "keyring.gpg")
	for _, g := range append(valid, refused...) {
		t.Run(g.name, func(t *testing.T) {
			v := g.vector(t)
			files := append([][]byte{ring}, v.Keys...)
			if v.Want == formats.ReasonMalformedKey {
				files = files[:1]
			}
			run := func(keys [][]byte, p formats.Policy) string {
				got, err := verify(v.Signature, keys, p, v.Artifact)
				if err != nil {
					return string(formats.ReasonOf(err))
				}
				return fmt.Sprintf("%x %x", got.Canonical, got.Keys)
			}
			whole := run(files, v.Policy)
			selected := prepare(t, files...).Select(v.Signature)
			nobodys := len(selected) == 0 && whole != ""
			if got := run(selected, v.Policy); got != whole && (!nobodys || got != string(formats.ReasonMissingKey)) {
				t.Errorf("selected: %s, whole: %s", got, whole)
			}
			p := v.Policy
			p.Keys = map[string][][]byte{"pgp": files}
			whole = run(nil, p)
			p.Prepared = map[string]formats.PreparedKeys{"pgp": prepare(t, files...)}
			if got := run(nil, p); got != whole {
				t.Errorf("by the policy, prepared: %s, whole: %s", got, whole)
			}
		})
	}
}

// TestPreparedKeysAreFew: of a keyring of many only the signer's key is selected, and with it the revoker that it names.
func TestPreparedKeysAreFew(t *testing.T) {
	var ring bytes.Buffer
	for range 50 {
		ring.Write(newKey().withUser(nil).packets.Bytes())
	}
	files := [][]byte{ring.Bytes(), read(t, "revoker/officer.key"), read(t, "revoker/none.key")}
	selected := prepare(t, files...).Select(read(t, "revoker/none.sig"))
	if len(selected) != 2 {
		t.Fatalf("%d files selected, want the signer's and the revoker's", len(selected))
	}
	_, err := verify(read(t, "revoker/none.sig"), selected, formats.Policy{}, artifact)
	_, whole := verify(read(t, "revoker/none.sig"), files, formats.Policy{}, artifact)
	if formats.ReasonOf(err) != formats.ReasonOf(whole) || formats.ReasonOf(err) != formats.ReasonKeyRevoked {
		t.Errorf("got %v, with the whole keyring %v", err, whole)
	}
	if selected := prepare(t, ring.Bytes()).Select([]byte("no signature")); selected != nil {
		t.Errorf("%d files selected for no signature", len(selected))
	}
}

func TestPreparedKeysRefuseSecrets(t *testing.T) {
	for _, file := range [][]byte{[]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----"), pack(5, []byte{4}), []byte("nothing")} {
		if _, err := pgp.New().(formats.KeyPreparer).PrepareKeys(context.Background(), [][]byte{file}); err == nil {
			t.Errorf("%.20q was prepared", file)
		}
	}
}
