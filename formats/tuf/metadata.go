// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// The top-level roles, which are also the values of _type (TUF specification, section 4.3).
const (
	roleRoot      = "root"
	roleTargets   = "targets"
	roleSnapshot  = "snapshot"
	roleTimestamp = "timestamp"
)

const (
	maxSignatures = 32  // each costs a check
	maxKeyID      = 128 // characters
)

// document is one metadata file, decoded but not verified.
type document struct {
	raw        []byte
	digest     [sha256.Size]byte // of raw
	kind       string            // _type
	spec       string            // spec_version
	version    int64
	expires    time.Time
	payload    []byte // canonical JSON of the signed member: the bytes that are signed
	signatures []signature
	root       *authority // of a root: its keys and the four roles
	targets    *targets   // of targets metadata

	decoding int64     // what it took to decode a key file, in units
	proven   *provenAs // of a root that was found to sign itself, else nil
	rekor    rekorForm // of such a root
}

// signature is an element of a document's signatures; value is empty for a place that is
// kept for a key that has not signed.
type signature struct {
	keyID string
	value []byte
}

// decodeDocument reads a metadata file; reason is that of refusals for malformed input.
func decodeDocument(m *formats.Meter, data []byte, reason formats.Reason) (*document, error) {
	o, err := decodeJSON(m, data, reason)
	if err != nil && bytes.Contains(data, []byte(privatePEM)) || err == nil && textlayer.HoldsSecret(o.members) {
		return nil, errSecretKey()
	}
	if err != nil {
		return nil, err
	}
	if err := o.checkNames("signed", "signatures"); err != nil {
		return nil, err
	}
	signed, err := o.readObject("signed")
	if err != nil {
		return nil, err
	}
	d := &document{raw: bytes.Clone(data), digest: sha256.Sum256(data)}
	if err := d.decodeHeader(signed); err != nil {
		return nil, err
	}
	if d.signatures, err = decodeSignatures(o); err != nil {
		return nil, err
	}
	if err := d.decodeBody(signed); err != nil {
		return nil, err
	}
	if d.payload, err = encodeCanonical(m, signed.members); err != nil {
		if isNoVerdict(err) {
			return nil, err
		}
		return nil, errMalformed(reason, errNotJSON)
	}
	return d, nil
}

var specVersion = regexp.MustCompile(`^1(\.[0-9]{1,4}){1,2}$`)

// decodeHeader reads what all roles have in common.
func (d *document) decodeHeader(signed object) (err error) {
	if err := signed.checkNames("_type", "spec_version", "version", "expires", "keys", "roles", "consistent_snapshot",
		"targets", "delegations", "meta"); err != nil {
		return err
	}
	if d.kind, err = signed.readText("_type"); err != nil {
		return err
	}
	switch d.kind {
	case roleRoot, roleTargets, roleSnapshot, roleTimestamp:
	default:
		return formats.NewError(formats.ReasonUnsupportedSignature,
			fmt.Sprintf("the metadata's _type is %.40q", d.kind), "send root, targets, snapshot or timestamp metadata")
	}
	spec, err := signed.readText("spec_version")
	if err != nil {
		return err
	}
	if !specVersion.MatchString(spec) {
		return formats.NewError(formats.ReasonUnsupportedVersion,
			fmt.Sprintf("the metadata follows version %.20q of the TUF specification", spec), "use a 1.x version")
	}
	d.spec = spec
	return d.decodeValidity(signed)
}

func (d *document) decodeValidity(signed object) (err error) {
	if d.version, err = signed.readInteger("version"); err != nil {
		return err
	}
	if d.version < 1 {
		return signed.errMalformed("the version is not positive")
	}
	expires, err := signed.readText("expires")
	if err != nil {
		return err
	}
	if err := d.expires.UnmarshalText([]byte(expires)); err != nil {
		return signed.errMalformed("expires is not an RFC 3339 time")
	}
	return nil
}

func (d *document) decodeBody(signed object) (err error) {
	switch d.kind {
	case roleRoot:
		d.root, err = decodeRoot(signed)
	case roleTargets:
		d.targets, err = decodeTargets(signed)
	default:
		err = checkMeta(signed)
	}
	return err
}

// checkMeta checks the form of what snapshot and timestamp list, which is for clients of the
// repository to follow.
func checkMeta(signed object) error {
	list, err := signed.readObject("meta")
	if err != nil {
		return err
	}
	for name := range list.members {
		o, err := list.readObject(name)
		if err != nil {
			return err
		}
		if err := o.checkNames("version", "length", "hashes"); err != nil {
			return err
		}
		if _, err := o.readInteger("version"); err != nil {
			return err
		}
	}
	return nil
}

func decodeSignatures(o object) ([]signature, error) {
	list, err := o.readList("signatures")
	if err != nil {
		return nil, err
	}
	if len(list) > maxSignatures {
		return nil, formats.NewError(formats.ReasonTooLarge, "the metadata has more than 32 signatures",
			"remove the signatures of keys that the role does not name")
	}
	seen := map[string]bool{}
	out := make([]signature, 0, len(list))
	for _, v := range list {
		s, err := decodeSignature(o, v)
		if err != nil {
			return nil, err
		}
		if seen[s.keyID] {
			return nil, o.errMalformed("two signatures name the key id %.16q", s.keyID)
		}
		seen[s.keyID] = true
		out = append(out, s)
	}
	return out, nil
}

func decodeSignature(parent object, v any) (signature, error) {
	o, err := parent.asObject(v, "signatures")
	if err != nil {
		return signature{}, err
	}
	if err := o.checkNames("keyid", "sig"); err != nil {
		return signature{}, err
	}
	id, err := o.readText("keyid")
	if err != nil {
		return signature{}, err
	}
	text, err := o.readText("sig")
	if err != nil {
		return signature{}, err
	}
	value, err := hex.DecodeString(text)
	if err != nil {
		return signature{}, o.errMalformed("a signature is not hexadecimal")
	}
	return signature{keyID: id, value: value}, checkKeyID(o, id)
}

// checkKeyID refuses identifiers that cannot be shown on one line. They are not required to
// be the key's hash: see key.wellNamed.
func checkKeyID(o object, id string) error {
	if id == "" || len(id) > maxKeyID {
		return o.errMalformed("a key id is empty or too long")
	}
	for _, c := range id {
		if c <= ' ' || c > '~' {
			return o.errMalformed("a key id holds characters other than printable ASCII")
		}
	}
	return nil
}
