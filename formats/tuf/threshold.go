// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signer is a key whose signature over a document verified.
type signer struct {
	keyID    string // as the file has it: any text
	computed string // the id as the specification computes it
	key      *publicKey
	sig      []byte
	checked  formats.Projection // by which it verified; zero for Ed25519
	named    bool               // the two are the same
}

func (s signer) hasSameKey(o signer) bool { return bytes.Equal(s.key.spki, o.key.spki) }

// quorum is a role whose threshold a document reached, and the distinct keys that reached it,
// in order of key id.
type quorum struct {
	role    *role
	signers []signer
	notes   []string
}

// verifier checks the signatures of one document with the keys of one authority, each at most
// once however many roles name the key.
type verifier struct {
	meter      *formats.Meter
	doc        *document
	authority  *authority
	signatures []signature // in order of key id
	results    map[string]result
}

type result struct {
	signer signer
	err    error // errUnsupportedKey or a refusal
}

func newVerifier(m *formats.Meter, d *document, a *authority) *verifier {
	v := &verifier{meter: m, doc: d, authority: a, signatures: slices.Clone(d.signatures), results: map[string]result{}}
	slices.SortFunc(v.signatures, func(x, y signature) int { return strings.Compare(x.keyID, y.keyID) })
	return v
}

// verifyRole checks d for a single role of a.
func verifyRole(m *formats.Meter, d *document, a *authority, name string) (*quorum, error) {
	return newVerifier(m, d, a).checkRole(a.findRole(name))
}

// checkRole checks every signature that a key of r made. Keys are told apart by their SPKI: a key
// under two ids counts once. A signature of an authorised key that does not verify is refused
// even when the others reach the threshold: the file is not what was signed.
func (v *verifier) checkRole(r *role) (*quorum, error) {
	if !slices.ContainsFunc(v.signatures, func(s signature) bool { return len(s.value) > 0 }) {
		return nil, formats.NewError(formats.ReasonNoSignature, "the metadata is not signed", "send the signed file")
	}
	if err := v.meter.ChargeElements(len(v.signatures)); err != nil {
		return nil, err
	}
	c := count{quorum: quorum{role: r}}
	for _, s := range v.signatures {
		if err := c.countSignature(v, s); err != nil {
			return nil, err
		}
	}
	if len(c.signers) < r.threshold {
		return nil, c.errThreshold()
	}
	return &c.quorum, nil
}

func (v *verifier) checkOnce(k *key, s signature) result {
	r, ok := v.results[k.id]
	if !ok {
		r.signer, r.err = v.verifySignature(k, s)
		v.results[k.id] = r
	}
	return r
}

func (v *verifier) verifySignature(k *key, s signature) (signer, error) {
	if err := v.meter.ChargeBytes(passes * len(k.public)); err != nil {
		return signer{}, err
	}
	ready, err := k.prepare(v.meter)
	if err != nil {
		return signer{}, err
	}
	if err := v.chargeCheck(ready.publicKey); err != nil {
		return signer{}, err
	}
	checked, ok := ready.verifySignature(v.doc.payload, s.value)
	if !ok {
		return signer{}, formats.NewError(formats.ReasonSignatureInvalid,
			fmt.Sprintf("the signature of key %s does not verify", k.shortID()),
			"send the metadata unchanged, with the root that was current when it was signed")
	}
	return signer{keyID: k.id, computed: ready.id, key: ready.publicKey, sig: s.value, checked: checked, named: ready.named}, nil
}

// passes is how often the octets of a key are looked at to read it.
const passes = 8

// chargeCheck charges for a check by pub, which hashes the whole payload and reads the key once more.
func (v *verifier) chargeCheck(pub *publicKey) error {
	if err := v.meter.ChargeBytes(2 * len(v.doc.payload)); err != nil {
		return err
	}
	if err := v.meter.ChargeParses(4); err != nil {
		return err
	}
	return v.meter.ChargeChecks(1, pub.public)
}

// isNoVerdict reports whether err is no verdict on a role: there is too much work, or the context has ended.
func isNoVerdict(err error) bool {
	reason := formats.ReasonOf(err)
	return reason == formats.ReasonTooMuchWork || reason == ""
}

// wrapVerdict gives a verdict another reason and words; what stops stays as it is.
func wrapVerdict(err error, r formats.Reason, message, hint string) error {
	if isNoVerdict(err) {
		return err
	}
	return formats.WrapError(err, r, message, hint)
}

// count is what the signatures of a document amount to for one role.
type count struct {
	quorum
	elsewhere   int // by keys of the authority that the role does not name
	unsupported int // by keys of the role that cannot be checked
}

func (c *count) countSignature(v *verifier, s signature) error {
	k := v.authority.keys[s.keyID]
	switch {
	case k == nil:
		return nil
	case !c.role.keyIDs[s.keyID]:
		c.elsewhere++
		return nil
	case len(s.value) == 0:
		c.addNote("a key of the role has a place among the signatures and has not signed")
		return nil
	}
	r := v.checkOnce(k, s)
	if errors.Is(r.err, errUnsupportedKey) {
		c.unsupported++
		c.addNote("a signature by a kind of key that is not implemented was not counted")
		return nil
	}
	if r.err == nil {
		c.acceptSigner(r.signer)
	}
	return r.err
}

func (c *count) acceptSigner(s signer) {
	if !s.named {
		c.addNote("a key id is not the hash of its key; keys were told apart by their SPKI")
	}
	if slices.ContainsFunc(c.signers, s.hasSameKey) {
		c.addNote("a key that is listed under two key ids was counted once")
		return
	}
	c.signers = append(c.signers, s)
}

func (c *count) addNote(n string) {
	if !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

// errThreshold says why the threshold was not reached.
func (c *count) errThreshold() error {
	switch {
	case c.unsupported > 0:
		return formats.NewError(formats.ReasonUnsupportedAlgorithm,
			fmt.Sprintf("the role %.40q is signed with keys of a kind that is not implemented", c.role.name),
			"sign with ECDSA, Ed25519 or RSA keys too")
	case len(c.signers) == 0 && c.elsewhere > 0:
		return formats.NewError(formats.ReasonNotAuthorized,
			fmt.Sprintf("the keys that signed may not sign for the role %.40q", c.role.name), c.suggestRoot())
	case len(c.signers) == 0:
		return formats.NewError(formats.ReasonKeyMismatch,
			fmt.Sprintf("no key of the role %.40q signed this metadata", c.role.name), c.suggestRoot())
	}
	return formats.NewError(formats.ReasonThresholdNotMet,
		fmt.Sprintf("%d of %d required keys of the role %.40q signed", len(c.signers), c.role.threshold, c.role.name),
		"collect the missing signatures; a key counts once, whatever ids it has")
}

func (c *count) suggestRoot() string {
	const root = "send the root that was current when it was signed"
	if c.role.name == roleTargets && !c.role.delegated {
		return root + "; for a delegated role, send the targets metadata that delegates to it as a key too"
	}
	return root
}
