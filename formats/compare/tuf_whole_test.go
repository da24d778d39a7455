// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	rekortuf "github.com/sigstore/rekor/pkg/pki/tuf"
	_ "github.com/theupdateframework/go-tuf/pkg/deprecated/set_ecdsa" // as the log does

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/tuf"
)

// rekorRecorded is what Rekor v1 records of metadata with its root: it reads both, verifies both, and writes them again.
type rekorRecorded struct {
	metadata, root []byte
	spec           string
}

func recordByRekor(metadata, root []byte) (r rekorRecorded, err error) {
	sig, err := rekortuf.NewSignature(bytes.NewReader(metadata))
	if err != nil {
		return r, err
	}
	key, err := rekortuf.NewPublicKey(bytes.NewReader(root))
	if err != nil {
		return r, err
	}
	if err := sig.Verify(nil, key); err != nil {
		return r, err
	}
	if r.metadata, err = sig.CanonicalValue(); err != nil {
		return r, err
	}
	if r.root, err = key.CanonicalValue(); err != nil {
		return r, err
	}
	r.spec, err = key.SpecVersion()
	return r, err
}

// wholeFields are what Rekor v1 refuses, or writes otherwise, of metadata that is good.
var wholeFields = []tufField{
	{"root: a key of another kind", func(r *rand.Rand, d *tufDocument) {
		d.root["keys"].(object)["another"] = pick(r,
			object{"keytype": "ecdsa-sha2-nistp384", "scheme": "ecdsa-sha2-nistp384", "keyval": object{"public": "x"}},
			object{"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": object{"identity": "x", "issuer": "y"}},
			object{"keytype": "ed25519", "scheme": "anything", "keyval": object{"public": "00"}},
			object{"keytype": "rsa", "scheme": "anything", "keyval": object{"public": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"}},
			object{"keytype": "ecdsa", "scheme": "anything", "keyval": object{"public": string(publicPEM("p384"))}},
			object{"keytype": "ecdsa", "scheme": "anything", "keyval": object{"public": "04"}})
	}},
	{"root: members of keys", func(r *rand.Rand, d *tufDocument) {
		d.keys[0].listed["keyid_hash_algorithms"] = pick[any](r, []string{"sha256", "sha512"}, []string{}, nil, "sha256", []any{1})
		d.keys[0].listed["x-owner"] = "@somebody"
	}},
	{"root: another role", func(r *rand.Rand, d *tufDocument) {
		d.root["roles"].(object)["mirrors"] = pick[any](r, object{"keyids": []string{"x"}, "threshold": 1}, object{"keyids": []string{}, "threshold": 0}, nil, object{"keyids": "x", "threshold": 1}, object{})
	}},
	{"root: consistent_snapshot", func(r *rand.Rand, d *tufDocument) {
		d.root["consistent_snapshot"] = pick[any](r, true, false, nil, "true", 1)
	}},
	{"root: custom", func(r *rand.Rand, d *tufDocument) {
		d.root["custom"] = pick[any](r, nil, object{"a": "<&>\u2028é\u007f\t\n\"\\"}, "x")
	}},
	{"numbers", func(r *rand.Rand, d *tufDocument) {
		pick(r, d.root, d.signed)["x-number"] = pick[any](r, 1<<53-1, 1<<53+1, int64(1)<<60, int64(1)<<62-1, -1<<53-1, -7)
	}},
	{"texts", func(r *rand.Rand, d *tufDocument) {
		d.signed["x-text"] = pick(r, "<script>&", "\u2028\u2029", "€\U0001f600 \r\n\t\b\f\x00\x1f", `\u0041"\`, "\u00e9 e\u0301", "\ufb33")
		d.signed["\U0001f600"], d.signed["\ufb33"] = 1, 2 // which sort otherwise in UTF-16
	}},
}

// TestTUFWhole: of all metadata that is good by our rules, what is offered to Rekor v1 is what it takes, and what it records is what was worked out.
func TestTUFWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var offered, refused int
	check := func(s submission) {
		parsed, err := tuf.New().Parse(context.Background(), s.signature, s.keys, formats.Policy{Now: time.Now()})
		want, rekorErr := recordByRekor(s.signature, s.keys[0])
		if err != nil {
			return
		}
		switch d := parsed.Describe(); {
		case d.NotWhole != nil && d.Whole == nil:
			refused++
			if rekorErr == nil {
				t.Errorf("%s: Rekor v1 takes what is not offered to it: %v\n%s\n%s", s.kind, d.NotWhole, s.signature, s.keys[0])
			}
		case d.Whole == nil || d.NotWhole != nil || rekorErr != nil:
			t.Errorf("%s: offered %v, %v; Rekor v1: %v\n%s\n%s", s.kind, d.Whole != nil, d.NotWhole, rekorErr, s.signature, s.keys[0])
		default:
			offered++
			if !bytes.Equal(d.Whole.Signature, want.metadata) || !bytes.Equal(d.Whole.Key, want.root) || d.Whole.SpecVersion != want.spec {
				t.Errorf("%s: Rekor v1 records\n%s\n%s\n%q, expected\n%s\n%s\n%q", s.kind, want.metadata, want.root, want.spec, d.Whole.Signature, d.Whole.Key, d.Whole.SpecVersion)
			}
			if sent, err := recordByRekor(d.Whole.Signature, d.Whole.Key); err != nil || !bytes.Equal(sent.metadata, want.metadata) || !bytes.Equal(sent.root, want.root) {
				t.Errorf("%s: what is recorded is not taken again: %v", s.kind, err)
			}
		}
	}
	for range 600 {
		check(craftTUF(r, nil))
		d := plainTUF(pick(r, "targets", "snapshot", "timestamp"), 1+r.IntN(2))
		f, g := pick(r, wholeFields...), pick(r, tufFields...)
		f.apply(r, d)
		if r.IntN(3) == 0 {
			g.apply(r, d)
		}
		check(d.submission(f.kind + ", " + g.kind))
	}
	data := func(name string) []byte { return must(os.ReadFile(filepath.Join("../tuf/testdata", name))) }
	for name, root := range map[string]string{
		"targets.json": "root-1.json", "targets-mixed.json": "root-1.json", "snapshot.json": "root-1.json", "timestamp.json": "root-1.json",
		"root-1.json": "root-1.json", "root-2.json": "root-1.json", "root-3.json": "root-2.json",
	} {
		check(submission{kind: name, signature: data(name), keys: [][]byte{data(root)}})
	}
	t.Logf("%d offered, %d not", offered, refused)
	if offered < 300 || refused < 100 {
		t.Error("too few to say anything")
	}
}
