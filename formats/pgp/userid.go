// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxUserID is how long a user ID may be in octets; longer ones are passed over, as gpg does.
const maxUserID = 2048

// mergeUsers returns each user ID once, with the signatures of all copies of it.
func mergeUsers(users []user) []*user {
	var merged []*user
	byID := make(map[string]*user, len(users))
	for _, u := range users {
		if len(u.id) > maxUserID {
			continue
		}
		first := byID[string(u.id)]
		if first == nil {
			first = &user{id: u.id}
			byID[string(u.id)] = first
			merged = append(merged, first)
		}
		first.signatures = append(first.signatures, u.signatures...)
	}
	return merged
}

// findCertification returns the newest certification of a user ID by the key itself, over all that are not revoked.
func (e *evaluation) findCertification() (*candidate, error) {
	if err := e.clock.meter.ChargeElements(len(e.cert.users)); err != nil {
		return nil, err
	}
	var list []candidate
	for _, u := range mergeUsers(e.cert.users) {
		found, err := e.clock.gatherSignatures(u.signatures, e.primary, u,
			packet.SigTypeGenericCert, packet.SigTypePersonaCert, packet.SigTypeCasualCert, packet.SigTypePositiveCert)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return e.clock.findNewest(list, e.key, func(s candidate) (bool, error) {
		if !e.isCertified(s) {
			return false, nil
		}
		revoked, err := e.userRevoked(s)
		return !revoked, err
	})
}

// isCertified reports whether the key itself has made s over the user ID, whatever the time: many signatures are by one key.
func (e *evaluation) isCertified(s candidate) bool {
	verify := func() error { return e.primary.VerifyUserIdSignature(string(s.user.id), e.primary, s.Signature) }
	return formats.CheckOnce("PGP certification", verify, e.cert.primary, s.user.id, s.body) == nil
}

// revocations are those of one user ID. Only the newest valid one matters, so each is read once and verified
// at most once, however many certifications there are.
type revocations struct {
	list  []candidate // not verified yet, newest first
	valid *candidate
}

// userRevoked reports whether the user ID was revoked after it was certified.
func (e *evaluation) userRevoked(s candidate) (bool, error) {
	r := e.revoked[s.user]
	if r == nil {
		list, err := e.clock.gatherSignatures(s.user.signatures, e.primary, s.user, packet.SigTypeCertificationRevocation)
		if err != nil {
			return false, err
		}
		sortNewest(list)
		r = &revocations{list: list}
		e.revoked[s.user] = r
	}
	for r.valid == nil && len(r.list) > 0 && !r.list[0].CreationTime.Before(s.CreationTime) {
		next := r.list[0]
		r.list = r.list[1:]
		if err := e.clock.spendCheck(e.key); err != nil {
			return false, err
		}
		if e.primary.VerifyUserIdSignature(string(s.user.id), e.primary, next.Signature) == nil {
			r.valid = &next
		}
	}
	return r.valid != nil && !r.valid.CreationTime.Before(s.CreationTime), nil
}
