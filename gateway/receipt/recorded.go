// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"slices"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkRecorded refuses a receipt whose signatures, entries and signers do not fit each other. Before
// version 3 one signature, recorded directly, has them all; a version 1 receipt does not say so.
func (v *verification) checkRecorded() error {
	r := v.receipt
	if v.fits {
		return nil
	}
	if r.GetFormatVersion() < 2 {
		newer := func(e *receiptpb.LogEntry) bool { return e.GetSignature() != 0 }
		if len(r.GetRecorded()) > 0 || slices.ContainsFunc(r.GetEntries(), newer) {
			return claim("has parts of a newer version than it says")
		}
		return nil
	}
	if len(r.GetRecorded()) != 1 {
		return claim("does not say how its one signature is recorded")
	}
	s := r.GetRecorded()[0]
	switch {
	case s.GetRepresentation() != r.GetRepresentation():
		return claim("says two things of how the signature is recorded")
	case s.GetWay() != receiptpb.RecordedSignature_DIRECT:
		return claim("has a signature that is recorded in no way this program knows")
	case len(s.GetSigners()) != len(r.GetSigners()):
		return claim("has signers of no signature")
	}
	for i, at := range s.GetSigners() {
		if int(at) != i {
			return claim("has signers of no signature")
		}
	}
	for _, e := range r.GetEntries() {
		if e.GetSignature() != 0 {
			return claim("has a log entry of no signature")
		}
	}
	return nil
}
