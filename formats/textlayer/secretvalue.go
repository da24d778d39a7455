// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// HoldsSecret reports whether a decoded JSON value holds private key material anywhere: a JWK's, that of TUF's
// tools, PEM as it is or in base64, or a key that go-tuf encrypted before its version 2.
func HoldsSecret(v any) bool {
	_, found := searchValue(v)
	return found
}

// searchValue returns v's traits, or that it holds a private key.
func searchValue(v any) (t traits, found bool) {
	switch v := v.(type) {
	case nil:
		t.kind = jsontext.KindNull
	case bool:
		t.kind = jsontext.KindFalse
		if v {
			t.kind = jsontext.KindTrue
		}
	case string:
		t.kind, t.empty = jsontext.KindString, v == ""
		found = strings.ContainsAny(v, secretCapitals) && isSecretText([]byte(v))
	case []any:
		t.kind = jsontext.KindBeginArray
		found = slices.ContainsFunc(v, HoldsSecret)
	case map[string]any:
		return searchObject(v)
	}
	return t, found
}

func searchObject(v map[string]any) (t traits, found bool) {
	var o members
	for name, member := range v {
		value, found := searchValue(member)
		if found {
			return traits{}, true
		}
		o.add(nameMember([]byte(name)), value)
	}
	return o.traits(), o.isSecret()
}

// traits is what is asked of a JSON value that holds no private key by itself.
type traits struct {
	kind       jsontext.Kind // 0 for numbers
	empty      bool          // a text without characters
	ciphertext bool          // an object with a member of that name, and not null
	private    bool          // an object with a member of that name in any case, neither null nor an empty text
}

// members is what is asked of an object's members.
type members struct {
	encrypted, ciphertext bool // encrypted is true; data has a ciphertext
	jwk, scalar           bool // kty is a text; d or k is there
	keyval                bool // keyval has something private
	own                   traits
}

// member is a name that private keys in JSON have.
type member int

const (
	otherMember member = iota
	encryptedMember
	dataMember
	ciphertextMember
	ktyMember
	scalarMember
	keyvalMember
	privateMember
)

func nameMember(name []byte) member {
	switch string(name) {
	case "encrypted":
		return encryptedMember
	case "data":
		return dataMember
	case "ciphertext":
		return ciphertextMember
	case "kty":
		return ktyMember
	case "d", "k":
		return scalarMember
	case "keyval":
		return keyvalMember
	}
	if bytes.EqualFold(name, []byte("private")) {
		return privateMember
	}
	return otherMember
}

func (o *members) add(name member, v traits) {
	there := v.kind != jsontext.KindNull
	switch name {
	case encryptedMember:
		o.encrypted = o.encrypted || v.kind == jsontext.KindTrue
	case dataMember:
		o.ciphertext = o.ciphertext || v.ciphertext
	case ciphertextMember:
		o.own.ciphertext = o.own.ciphertext || there
	case ktyMember:
		o.jwk = o.jwk || v.kind == jsontext.KindString
	case scalarMember:
		o.scalar = o.scalar || there
	case keyvalMember:
		o.keyval = o.keyval || v.private
	case privateMember:
		o.own.private = o.own.private || there && !v.empty
	}
}

func (o *members) isSecret() bool {
	return o.encrypted && o.ciphertext || o.jwk && o.scalar || o.keyval
}

func (o *members) traits() traits {
	o.own.kind = jsontext.KindBeginObject
	return o.own
}

// secretCapitals are letters one of which is in every text that isSecretText finds: some are in "PRIVATE KEY", and its base64 has
// one of them as the first of four, wherever it begins. Hashes and key ids have none.
const secretCapitals = "IQRSUVW"

// isSecretText looks for PEM as it is and in base64, as in a Kubernetes Secret.
func isSecretText(text []byte) bool {
	if !bytes.ContainsAny(text, secretCapitals) {
		return false
	}
	if _, ok := findPEM(text); ok {
		return true
	}
	inner, encoded := DecodeBase64(text)
	if !encoded {
		return false
	}
	_, ok := findPEM(inner)
	return ok
}
