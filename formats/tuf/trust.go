// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// trust is what the key files establish.
type trust struct {
	roots      []*document // of consecutive versions, each signed by itself and by the one before
	delegators []*document // targets metadata, in the order given
}

// newTrust decodes the key files that come with d, at the expense of reading, and verifies the roots among them.
func newTrust(m, reading *formats.Meter, files [][]byte, d *document) (*trust, error) {
	t := &trust{}
	for _, f := range files {
		if err := t.addFile(reading, f); err != nil {
			return nil, err
		}
	}
	if d.kind != roleTargets {
		t.delegators = nil // they say nothing of other roles
	}
	if len(t.roots) == 0 {
		return nil, errMissingRoot()
	}
	slices.SortFunc(t.roots, func(a, b *document) int { return cmp.Compare(a.version, b.version) })
	for i, r := range t.roots {
		if err := checkRoot(m, r); err != nil {
			return nil, err
		}
		if i == 0 {
			continue
		}
		if err := checkLink(m, t.roots[i-1], r); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func errMissingRoot() error {
	return formats.NewError(formats.ReasonMissingKey, "no root metadata was given",
		"send root.json as the key; for a root, the root before it, or the first root itself")
}

func (t *trust) addFile(m *formats.Meter, file []byte) error {
	d, err := decodeKeyFile(m, file)
	if err != nil {
		return err
	}
	if err := m.ChargeBytes((len(t.roots) + len(t.delegators)) * len(d.payload)); err != nil { // compared
		return err
	}
	switch d.kind {
	case roleRoot:
		if !slices.ContainsFunc(t.roots, d.hasSamePayload) {
			t.roots = append(t.roots, d)
		}
	case roleTargets:
		if !slices.ContainsFunc(t.delegators, d.hasSamePayload) {
			t.delegators = append(t.delegators, d)
		}
	default:
		return formats.NewError(formats.ReasonMalformedKey, fmt.Sprintf("a key file is %s metadata, which names no keys", d.kind),
			"send root.json as the key")
	}
	return nil
}

// decodeKeyFile returns a document that others may have, too, and nobody changes.
func decodeKeyFile(m *formats.Meter, file []byte) (*document, error) {
	if known, ok := knownRoots.Get(sha256.Sum256(file)); ok {
		return known, m.ChargePart(known.decoding)
	}
	part := m.Part()
	d, err := decodeDocument(part, file, formats.ReasonMalformedKey)
	if units := m.EndPart(part); err == nil {
		d.decoding = units
	}
	switch formats.ReasonOf(err) {
	case formats.ReasonUnsupportedVersion, formats.ReasonUnsupportedSignature:
		return nil, formats.WrapError(err, formats.ReasonMalformedKey, "a key file is no TUF 1.x metadata", "send root.json as the key")
	}
	return d, err
}

// hasSamePayload reports whether d and o say the same, whoever signed them.
func (d *document) hasSamePayload(o *document) bool { return bytes.Equal(d.payload, o.payload) }

// checkRoot verifies that r is signed by its own root role.
func checkRoot(m *formats.Meter, r *document) error {
	if r.proven != nil {
		return m.ChargePart(r.proven.checking)
	}
	part := m.Part()
	self, err := verifyRole(part, r, r.root, roleRoot)
	if err == nil {
		err = r.setRekorRoot(part, self)
	}
	units := m.EndPart(part)
	if err != nil {
		return wrapVerdict(err, formats.ReasonKeyNotValid,
			fmt.Sprintf("version %d of the root is not validly signed by its own keys", r.version), "send the root as the repository publishes it")
	}
	rememberRoot(r, units)
	return nil
}

// checkLink verifies that next follows prev (TUF specification, section 5.3).
func checkLink(m *formats.Meter, prev, next *document) error {
	if next.version != prev.version+1 {
		return formats.NewError(formats.ReasonKeyNotTrusted,
			fmt.Sprintf("version %d of the root does not follow version %d", next.version, prev.version),
			"send every version of the root in between, once, or only the one that names the keys")
	}
	if _, err := verifyRole(m, next, prev.root, roleRoot); err != nil {
		return wrapVerdict(err, formats.ReasonKeyNotTrusted,
			fmt.Sprintf("version %d of the root is not signed by the keys of version %d", next.version, prev.version),
			"send the roots as the repository publishes them")
	}
	return nil
}

// findPredecessors returns the roots that come before d, itself a root: those given, but for d.
func (t *trust) findPredecessors(d *document) ([]*document, error) {
	last := t.roots[len(t.roots)-1]
	if last.hasSamePayload(d) {
		return t.roots[:len(t.roots)-1], nil
	}
	if last.version+1 != d.version {
		return nil, formats.NewError(formats.ReasonKeyNotTrusted,
			fmt.Sprintf("version %d of the root cannot be checked with version %d", d.version, last.version),
			"send as the key the root of the version before it, or for a first version the root itself")
	}
	return t.roots, nil
}

// authorizeDocument returns the roles that d is signed for, with their signers: one, but for a root
// with one before it, which has to be signed for both.
func (t *trust) authorizeDocument(m *formats.Meter, d *document) ([]*quorum, error) {
	if d.kind == roleRoot {
		return t.authorizeRoot(m, d)
	}
	root := t.roots[len(t.roots)-1].root
	if d.kind == roleTargets && len(t.delegators) > 0 {
		return wrapQuorum(t.authorizeDelegated(m, d, root))
	}
	return wrapQuorum(verifyRole(m, d, root, d.kind))
}

func wrapQuorum(q *quorum, err error) ([]*quorum, error) {
	if err != nil {
		return nil, err
	}
	return []*quorum{q}, nil
}

func (t *trust) authorizeRoot(m *formats.Meter, d *document) ([]*quorum, error) {
	roots, err := t.findPredecessors(d)
	if err != nil {
		return nil, err
	}
	var out []*quorum
	if len(roots) > 0 {
		prev := roots[len(roots)-1].root
		q, err := verifyRole(m, d, prev, roleRoot)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	q, err := verifyRole(m, d, d.root, roleRoot)
	if err != nil {
		return nil, err
	}
	return append(out, q), nil
}

// authorizeDelegated follows the delegations: the root's targets role signed the first
// delegator, each delegator the next, the last one d.
func (t *trust) authorizeDelegated(m *formats.Meter, d *document, root *authority) (*quorum, error) {
	if _, err := verifyRole(m, t.delegators[0], root, roleTargets); err != nil {
		return nil, errDelegator(err)
	}
	for i, delegator := range t.delegators {
		if i+1 == len(t.delegators) {
			return verifyDelegated(m, d, delegator.targets)
		}
		if _, err := verifyDelegated(m, t.delegators[i+1], delegator.targets); err != nil {
			return nil, errDelegator(err)
		}
	}
	return nil, errMissingRoot()
}

func errDelegator(err error) error {
	return wrapVerdict(err, formats.ReasonKeyNotValid, "a delegating targets metadata is not validly signed",
		"send the delegating metadata in order, beginning with the top-level targets metadata")
}

// verifyDelegated finds the role of t that signed d. A document does not say its role's name, so
// it is the first whose threshold is reached.
func verifyDelegated(m *formats.Meter, d *document, t *targets) (*quorum, error) {
	if t.succinct {
		return nil, formats.NewError(formats.ReasonUnsupportedFeature, "succinct hash bin delegations are not implemented",
			"sign a target's metadata with a named role")
	}
	if t.delegations == nil || len(t.delegations.roles) == 0 {
		return nil, formats.NewError(formats.ReasonNotAuthorized, "the targets metadata given as a key delegates to no role",
			"send the metadata that delegates to this role")
	}
	v := newVerifier(m, d, t.delegations)
	var refusal error
	for i := range t.delegations.roles {
		q, err := v.checkRole(&t.delegations.roles[i])
		if err == nil || isNoVerdict(err) {
			return q, err
		}
		if refusal == nil || formats.ReasonOf(err) == formats.ReasonThresholdNotMet {
			refusal = err
		}
	}
	return nil, refusal
}

// isPinned reports whether one of the roots or d itself is among the policy's. All roots are linked,
// and d is verified with the last, so that one is enough.
func (t *trust) isPinned(d *document, p formats.Policy) bool {
	if d.kind == roleRoot && slices.Contains(p.TUFRoots, d.digest) {
		return true
	}
	return slices.ContainsFunc(t.roots, func(r *document) bool { return slices.Contains(p.TUFRoots, r.digest) })
}

// listFiles returns the key files that were used, in the order that proves: roots, then delegators.
func (t *trust) listFiles() [][]byte {
	var out [][]byte
	for _, d := range slices.Concat(t.roots, t.delegators) {
		out = append(out, d.raw)
	}
	return out
}

// listCurrent returns what must not have expired besides d: the root that names its keys and the
// delegators. Of a chain of roots only the last counts (TUF specification, section 5.3).
func (t *trust) listCurrent(d *document) []*document {
	if d.kind == roleRoot {
		return nil
	}
	return append([]*document{t.roots[len(t.roots)-1]}, t.delegators...)
}
