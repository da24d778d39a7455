// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxWhole bounds what Rekor v1 is sent of metadata and root together, in bytes: in base64 it is 64 KiB.
const maxWhole = 48 << 10

// costForm is what writing a document in its recorded form costs for each octet of the file.
const costForm = 30

// rekorForm is a document as Rekor v1 (1.5) records it, or why it does not.
type rekorForm struct {
	json    []byte // canonical by RFC 8785
	refusal *formats.Error
}

// rekorDocument is what Rekor v1 keeps of a metadata file.
type rekorDocument struct {
	Signed     json.RawMessage  `json:"signed"`
	Signatures []rekorSignature `json:"signatures"`
}

type rekorSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // lower-case hexadecimal
}

func refuseWhole(message, hint string) *formats.Error {
	return formats.NewError(formats.ReasonNotProjectable, message, hint)
}

const hintKind = "leave the representation to the gateway"

func refuseSize() *formats.Error {
	return formats.NewError(formats.ReasonTooLarge, "the metadata and its root, in base64, are larger than the 64 KiB that are recorded with all that they say",
		hintKind+", or split the metadata by delegations")
}

// encodeForRekor returns d in the form in which Rekor v1 records it: what it says as RFC 8785 has it, whose form is the same for all that write it, and
// the signatures in their order. That form has to say what was signed to the octet: RFC 8785 rounds numbers above 2^53. Errors are m's.
func encodeForRekor(m *formats.Meter, d *document) (rekorForm, error) {
	if len(d.payload) > maxWhole {
		return rekorForm{refusal: refuseSize()}, nil
	}
	if err := m.ChargeBytes(costForm * len(d.raw)); err != nil {
		return rekorForm{}, err
	}
	form, err := canonicalizeDocument(d)
	if err != nil {
		return rekorForm{refusal: refuseWhole("Rekor v1 does not take this metadata as it is written", hintKind)}, nil
	}
	if len(form) > maxWhole {
		return rekorForm{refusal: refuseSize()}, nil
	}
	same, err := signsSame(m, form, d.payload)
	switch {
	case isNoVerdict(err) && err != nil:
		return rekorForm{}, err
	case !same:
		return rekorForm{refusal: refuseWhole("Rekor v1 would write the metadata in another way than it was signed: it has a number that is too large", "use numbers below 2^53")}, nil
	}
	return rekorForm{json: form}, nil
}

func canonicalizeDocument(d *document) ([]byte, error) {
	var read struct {
		Signed json.RawMessage `json:"signed"`
	}
	if err := json.Unmarshal(d.raw, &read); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	kept := rekorDocument{Signed: read.Signed, Signatures: make([]rekorSignature, len(d.signatures))}
	for i, s := range d.signatures {
		kept.Signatures[i] = rekorSignature{s.keyID, hex.EncodeToString(s.value)}
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encoding metadata: %w", err)
	}
	return jsoncanonicalizer.Transform(raw)
}

// signsSame reports whether what is signed in a recorded form is payload.
func signsSame(m *formats.Meter, form, payload []byte) (bool, error) {
	o, err := decodeJSON(m, form, formats.ReasonMalformedSignature)
	if err != nil {
		return false, err
	}
	again, err := encodeCanonical(m, o.members["signed"])
	return err == nil && bytes.Equal(again, payload), err
}

// setRekorRoot finds out how Rekor v1 records r, which self has signed for itself, as the root of an entry.
func (r *document) setRekorRoot(m *formats.Meter, self *quorum) error {
	form, err := encodeForRekor(m, r)
	if err != nil {
		return err
	}
	if form.refusal == nil {
		if err := r.chargeKeys(m); err != nil {
			return err
		}
		form.refusal = r.checkRekorRoot(form.json, self)
	}
	r.rekor = form
	return nil
}

// chargeKeys charges for the reading of all keys of a root.
func (r *document) chargeKeys(m *formats.Meter) error {
	for _, k := range r.root.keys {
		if err := m.ChargeBytes(passes * len(k.public)); err != nil {
			return err
		}
		if err := m.ChargeParses(1); err != nil {
			return err
		}
	}
	return nil
}

// checkRekorRoot refuses what Rekor v1 refuses of a root, in its recorded form. It reads every key, also those that nobody has signed with.
func (r *document) checkRekorRoot(form []byte, self *quorum) *formats.Error {
	if !hasRekorMembers(form) {
		return refuseWhole("the root has members of a kind that Rekor v1 does not take", hintKind)
	}
	for _, k := range r.root.keys {
		if !k.isReadByRekor() {
			return refuseWhole("the root lists a key of a kind that Rekor v1 does not know, and it takes no such root", "list ed25519, rsa and ecdsa keys alone, or "+hintKind)
		}
	}
	if self.countForRekor() < self.role.threshold {
		return refuseThreshold("root")
	}
	return nil
}

// hasRekorMembers reports whether Rekor v1 can read the members that nothing else here reads.
func hasRekorMembers(form []byte) bool {
	var read struct {
		Signed struct {
			Keys map[string]*struct {
				Algorithms []string `json:"keyid_hash_algorithms"`
			} `json:"keys"`
			Roles map[string]*struct {
				KeyIDs    []string `json:"keyids"`
				Threshold int      `json:"threshold"`
			} `json:"roles"`
			ConsistentSnapshot bool `json:"consistent_snapshot"`
		} `json:"signed"`
	}
	if json.Unmarshal(form, &read) != nil {
		return false
	}
	for _, k := range read.Signed.Keys {
		if k == nil {
			return false
		}
	}
	for _, role := range read.Signed.Roles {
		if role == nil || role.Threshold < 1 {
			return false
		}
	}
	return true
}

// isReadByRekor reports whether k is a key that Rekor v1 can read, whatever its scheme says.
func (k *key) isReadByRekor() bool {
	switch k.keyType {
	case "ed25519":
		raw, err := hex.DecodeString(k.public)
		return err == nil && len(raw) == ed25519.PublicKeySize
	case "rsa":
		_, ok := readPKIX(k.public).(*rsa.PublicKey)
		return ok
	case "ecdsa", "ecdsa-sha2-nistp256":
		if _, ok := readPKIX(k.public).(*ecdsa.PublicKey); ok {
			return true
		}
		_, err := parsePoint(elliptic.P256(), k.public)
		return err == nil
	}
	return false
}

// readPKIX returns the public key in a PEM block, or nil.
func readPKIX(text string) any {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	return pub
}

// countForRekor returns how many of the signers Rekor v1 counts: it goes by the kind of key, and knows one scheme of each.
func (q *quorum) countForRekor() int {
	n := 0
	for _, s := range q.signers {
		switch s.key.scheme {
		case scheme{}, scheme{formats.ECDSA, formats.SHA256, elliptic.P256()}, scheme{projection: formats.RSAPSS, hash: formats.SHA256}:
			n++
		}
	}
	return n
}

func refuseThreshold(role string) *formats.Error {
	return refuseWhole(fmt.Sprintf("the keys that Rekor v1 knows do not reach the threshold of the role %.40q", role),
		"sign with as many Ed25519, ECDSA P-256 or RSA-PSS (rsassa-pss-sha256) keys as the threshold asks for")
}

// findRekorRoot returns the root by which the metadata is verified at first: Rekor v1 takes one.
func (s *submission) findRekorRoot() *document {
	roots := s.trust.roots
	if len(s.quorums) > 1 && roots[len(roots)-1].hasSamePayload(s.doc) { // a root whose chain has it too
		return roots[len(roots)-2]
	}
	return roots[len(roots)-1]
}

// setWhole sets how Rekor v1 records the metadata with its root, as a tuf 0.0.1, and why it does not. It verifies both, by its own rules, and
// expired ones no more: then both are set. Errors are m's.
func (s *submission) setWhole(m *formats.Meter, now time.Time) error {
	d, root := &s.desc, s.findRekorRoot()
	if s.quorums[0].role.delegated {
		d.NotWhole = refuseWhole("Rekor v1 knows no delegated roles", hintKind)
		return nil
	}
	form, err := encodeForRekor(m, s.doc)
	if err != nil {
		return err
	}
	switch {
	case form.refusal != nil:
		d.NotWhole = form.refusal
	case root.rekor.refusal != nil:
		d.NotWhole = root.rekor.refusal
	case len(form.json)+len(root.rekor.json) > maxWhole:
		d.NotWhole = refuseSize()
	case s.quorums[0].countForRekor() < s.quorums[0].role.threshold:
		d.NotWhole = refuseThreshold(s.doc.kind)
	default:
		d.Whole = &formats.Whole{Format: name, Signature: form.json, Key: root.rekor.json, Embedded: true, SpecVersion: root.spec}
	}
	if d.Whole != nil && (!root.expires.After(now) || !s.doc.expires.After(now)) {
		d.NotWhole = refuseWhole("Rekor v1 takes no metadata whose root, or which itself, has expired", "send the current version, with a current root")
	}
	return nil
}
