// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

type object = map[string]any

// tufKey is a throwaway key as TUF lists it.
type tufKey struct {
	id     string
	listed object
	signer crypto.Signer
}

func newTUFKey(name string) tufKey {
	k := tufKey{signer: throwaway(name)}
	switch pub := k.signer.Public().(type) {
	case *ecdsa.PublicKey:
		k.listed = object{"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": string(publicPEM(name))}}
	case ed25519.PublicKey:
		k.listed = object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": hex.EncodeToString(pub)}}
	}
	id := sha256.Sum256(must(cjson.EncodeCanonical(k.listed)))
	k.id = hex.EncodeToString(id[:])
	return k
}

func (k tufKey) sign(signed any) object {
	message := must(cjson.EncodeCanonical(signed))
	if _, ok := k.signer.(*ecdsa.PrivateKey); ok {
		return object{"keyid": k.id, "sig": hex.EncodeToString(signDigest(k.signer, crypto.SHA256, sum(crypto.SHA256, message)))}
	}
	return object{"keyid": k.id, "sig": hex.EncodeToString(signDigest(k.signer, 0, message))}
}

// tufDocument is metadata with its root in the making.
type tufDocument struct {
	root, signed         object
	rootKeys, keys       []tufKey
	rootSigners, signers []tufKey
	more                 []object // signatures besides
	edit                 func([]byte) []byte
}

const tufExpires = "2050-01-01T00:00:00Z"

func plainTUF(role string, threshold int) *tufDocument {
	r, a, b := newTUFKey("p256"), newTUFKey("other"), newTUFKey("ed25519")
	d := &tufDocument{rootKeys: []tufKey{r}, rootSigners: []tufKey{r}, keys: []tufKey{a, b}, signers: []tufKey{a, b}}
	ids := []any{a.id, b.id}
	d.root = object{"_type": "root", "spec_version": "1.0.31", "version": 1, "expires": tufExpires, "consistent_snapshot": true,
		"keys": object{r.id: r.listed, a.id: a.listed, b.id: b.listed},
		"roles": object{"root": object{"keyids": []any{r.id}, "threshold": 1}, "targets": object{"keyids": ids, "threshold": threshold},
			"snapshot": object{"keyids": ids, "threshold": threshold}, "timestamp": object{"keyids": ids, "threshold": threshold}}}
	d.signed = object{"_type": role, "spec_version": "1.0.31", "version": 1, "expires": tufExpires}
	switch role {
	case "targets":
		d.signed["targets"] = object{}
	case "snapshot":
		d.signed["meta"] = object{"targets.json": object{"version": 1}}
	case "timestamp":
		d.signed["meta"] = object{"snapshot.json": object{"version": 1}}
	}
	return d
}

func envelope(signed object, signers []tufKey, more []object) []byte {
	signatures := []object{}
	for _, k := range signers {
		signatures = append(signatures, k.sign(signed))
	}
	return must(json.Marshal(object{"signed": signed, "signatures": append(signatures, more...)}))
}

func (d *tufDocument) submission(kind string) submission {
	s := submission{base: "crafted", kind: kind, signature: envelope(d.signed, d.signers, d.more), keys: [][]byte{envelope(d.root, d.rootSigners, nil)}}
	if d.edit != nil {
		s.signature = d.edit(s.signature)
	}
	return s
}

type tufField struct {
	kind  string
	apply func(*rand.Rand, *tufDocument)
}

var tufFields = []tufField{
	{"field: none", func(*rand.Rand, *tufDocument) {}},
	{"field: one signature", func(r *rand.Rand, d *tufDocument) { d.signers = []tufKey{pick(r, d.keys...)} }},
	{"field: no signature", func(_ *rand.Rand, d *tufDocument) { d.signers = nil }},
	{"field: the root key's signature", func(_ *rand.Rand, d *tufDocument) { d.signers = d.rootKeys }},
	{"field: key id twice", func(r *rand.Rand, d *tufDocument) {
		k := pick(r, d.keys...)
		d.signers = []tufKey{k, k}
	}},
	{"field: key under two ids", func(_ *rand.Rand, d *tufDocument) {
		twin := d.keys[0]
		twin.id = "another-name"
		d.root["keys"].(object)[twin.id] = twin.listed
		d.signers = []tufKey{d.keys[0], twin}
		for _, role := range []string{"targets", "snapshot", "timestamp"} {
			d.root["roles"].(object)[role].(object)["keyids"] = []any{d.keys[0].id, twin.id}
		}
	}},
	{"field: unknown signature besides", func(r *rand.Rand, d *tufDocument) {
		d.more = []object{pick(r, object{"keyid": "unknown", "sig": "00"}, object{"keyid": d.rootKeys[0].id, "sig": "00"}, object{"keyid": "", "sig": ""})}
	}},
	{"field: broken signature besides", func(_ *rand.Rand, d *tufDocument) {
		d.signers, d.more = d.keys[:1], []object{{"keyid": d.keys[1].id, "sig": "0011"}}
	}},
	{"field: spec_version", func(r *rand.Rand, d *tufDocument) {
		d.signed["spec_version"] = pick(r, "1", "1.0", "1.0.0", "1.9.0", "2.0.0", "0.9", "x", "")
	}},
	{"field: no spec_version", func(_ *rand.Rand, d *tufDocument) { delete(d.signed, "spec_version") }},
	{"field: expires", func(r *rand.Rand, d *tufDocument) {
		d.signed["expires"] = pick(r, "2020-01-01T00:00:00Z", "2050-01-01", "2050-01-01T00:00:00+02:00", "never", "2050-01-01T00:00:00.5Z")
	}},
	{"field: root expired", func(_ *rand.Rand, d *tufDocument) { d.root["expires"] = "2020-01-01T00:00:00Z" }},
	{"field: version", func(r *rand.Rand, d *tufDocument) { d.signed["version"] = pick[any](r, 0, -1, "1", 1<<31) }},
	{"field: unknown member", func(_ *rand.Rand, d *tufDocument) { d.signed["x-more"] = object{"a": []any{1, "b", nil, true}} }},
	{"field: type of another role", func(r *rand.Rand, d *tufDocument) {
		d.signed["_type"] = pick(r, "root", "targets", "snapshot", "timestamp", "mirrors", "Targets", "")
	}},
	{"field: root not signed by itself", func(_ *rand.Rand, d *tufDocument) { d.rootSigners = d.keys }},
	{"field: threshold", func(r *rand.Rand, d *tufDocument) {
		for _, role := range []string{"targets", "snapshot", "timestamp"} {
			d.root["roles"].(object)[role].(object)["threshold"] = pick(r, 0, -1, 1, 3)
		}
	}},
	{"field: member twice", func(r *rand.Rand, d *tufDocument) {
		d.edit = func(b []byte) []byte {
			return pick(r, bytes.Replace(b, []byte(`"version":1`), []byte(`"version":7,"version":1`), 1),
				bytes.Replace(b, []byte(`{"signatures"`), []byte(`{"signatures":[],"signatures"`), 1),
				bytes.Replace(b, []byte(`{"keyid"`), []byte(`{"keyid":"x","keyid"`), 1))
		}
	}},
	{"field: white space", func(_ *rand.Rand, d *tufDocument) {
		d.edit = func(b []byte) []byte {
			var out bytes.Buffer
			check(json.Indent(&out, b, "\t", "  "))
			return out.Bytes()
		}
	}},
	{"field: more after the end", func(r *rand.Rand, d *tufDocument) {
		tail := pick(r, "\n", " ", "{}", "x", "\x00")
		d.edit = func(b []byte) []byte { return append(b, tail...) }
	}},
	{"field: names in other case", func(r *rand.Rand, d *tufDocument) {
		d.edit = func(b []byte) []byte {
			return pick(r, bytes.Replace(b, []byte(`"signatures"`), []byte(`"Signatures"`), 1), bytes.Replace(b, []byte(`"keyid"`), []byte(`"KeyID"`), 1))
		}
	}},
	{"field: member besides signed", func(_ *rand.Rand, d *tufDocument) {
		d.edit = func(b []byte) []byte {
			return bytes.Replace(b, []byte(`{"signatures"`), []byte(`{"x":1,"signatures"`), 1)
		}
	}},
	{"field: signature in upper case", func(_ *rand.Rand, d *tufDocument) {
		d.more = []object{}
		for _, k := range d.signers {
			s := k.sign(d.signed)
			s["sig"] = string(bytes.ToUpper([]byte(s["sig"].(string))))
			d.more = append(d.more, s)
		}
		d.signers = nil
	}},
}

// craftTUF makes metadata with one of its fields chosen at random.
func craftTUF(r *rand.Rand, _ []submission) submission {
	d := plainTUF(pick(r, "targets", "snapshot", "timestamp"), 1+r.IntN(2))
	f := pick(r, tufFields...)
	f.apply(r, d)
	return d.submission(f.kind)
}
