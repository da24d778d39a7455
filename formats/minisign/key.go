// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

// findKey returns the key whose id the signature names. Ids are eight random bytes that
// anybody can copy, so two different keys with one id are refused rather than tried.
func findKey(m *formats.Meter, sig *signature, submitted [][]byte, p formats.Policy) (gominisign.PublicKey, error) {
	var found *gominisign.PublicKey
	candidates := p.CandidateKeys(name, submitted)
	m = m.ForKeys(p, name)
	for _, raw := range candidates {
		if err := m.ChargeBytes(len(raw)); err != nil {
			return gominisign.PublicKey{}, err
		}
		if err := m.ChargeParses(2); err != nil { // a point of the curve is checked, too
			return gominisign.PublicKey{}, err
		}
		key, err := parseKey(raw)
		if err != nil {
			return gominisign.PublicKey{}, p.ExplainKeys(name, err)
		}
		if key.KeyId != sig.KeyId {
			continue
		}
		if found != nil && *found != key {
			return gominisign.PublicKey{}, formats.NewError(formats.ReasonMalformedKey,
				"two different keys have the signature's key id", "send the signer's key alone")
		}
		found = &key
	}
	switch {
	case found != nil:
		return *found, nil
	case len(candidates) == 0:
		return gominisign.PublicKey{}, formats.NewError(formats.ReasonMissingKey, "there is no public key",
			"send the signer's minisign.pub file, or the line of it that starts with RW")
	case len(p.Keys[name]) > 0:
		return gominisign.PublicKey{}, formats.NewError(formats.ReasonKeyNotTrusted,
			fmt.Sprintf("the key %s is not among this gateway's minisign keys", keyID(sig.KeyId)),
			"ask the gateway's operator to add your public key")
	}
	return gominisign.PublicKey{}, formats.NewError(formats.ReasonKeyMismatch,
		fmt.Sprintf("the signature was made by the key %s, which is not among the keys sent", keyID(sig.KeyId)),
		"send the public key with this id")
}

// parseKey reads a .pub file or its base64 line alone.
func parseKey(raw []byte) (gominisign.PublicKey, error) {
	malformed := formats.NewError(formats.ReasonMalformedKey, "a key is not a minisign or signify public key",
		"send the .pub file, or the line of it that starts with RW")
	lines, err := splitLines(bytes.TrimRight(raw, blanks), 4)
	if err != nil || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[0], commentPrefix) {
		return gominisign.PublicKey{}, malformed
	}
	line := lines[len(lines)-1]
	if !isBase64(line, 42) {
		return gominisign.PublicKey{}, malformed
	}
	key, err := gominisign.NewPublicKey(line)
	if err != nil {
		return gominisign.PublicKey{}, formats.WrapError(err, malformed.Reason, malformed.Message, malformed.Hint)
	}
	if key.SignatureAlgorithm != algorithmLegacy {
		return gominisign.PublicKey{}, malformed
	}
	switch err := ed25519stream.CheckKey(key.PublicKey[:]); {
	case errors.Is(err, ed25519stream.ErrKey):
		return gominisign.PublicKey{}, malformed
	case err != nil:
		return gominisign.PublicKey{}, formats.NewError(formats.ReasonWeakAlgorithm,
			"a key has a small order: anybody can sign with it", "make a key with: minisign -G")
	}
	return key, nil
}

// marshalKey returns the key's base64 line, without the comment.
func marshalKey(key gominisign.PublicKey) []byte {
	raw := append(key.SignatureAlgorithm[:], key.KeyId[:]...)
	return []byte(base64.StdEncoding.EncodeToString(append(raw, key.PublicKey[:]...)) + "\n")
}

// keyID displays an id as minisign does: the bytes read as a little-endian number.
func keyID(id [8]byte) string { return fmt.Sprintf("%016X", binary.LittleEndian.Uint64(id[:])) }

func newSigner(key gominisign.PublicKey) (formats.Signer, error) {
	spki, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key.PublicKey[:]))
	if err != nil {
		return formats.Signer{}, formats.WrapError(err, formats.ReasonMalformedKey, "the key cannot be encoded", "")
	}
	// The key id is eight bytes that whoever made the key chose, so it does not name the signer.
	return formats.Signer{SPKI: spki, Fingerprint: formats.SignerID(spki).String(), Algorithm: "Ed25519"}, nil
}
