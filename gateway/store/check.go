// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// CheckNew refuses a submission that could never be settled, not be told apart, or whose texts not
// every database takes, and returns its ID in binary.
func CheckNew(s *gateway.NewSubmission) (uuid.UUID, error) {
	id, err := uuid.Parse(s.ID)
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("submission %q: parsing id: %w", s.ID, err)
	}
	texts := []string{s.Tenant, s.Format}
	for name, value := range s.Labels {
		texts = append(texts, name, value)
	}
	logs := make(map[string]bool)
	for _, e := range s.Entries {
		logs[e.Log] = true
		texts = append(texts, e.Log, e.Kind)
	}
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			return uuid.UUID{}, fmt.Errorf("submission %s has a text that is not UTF-8, or has a NUL", s.ID)
		}
	}
	if !s.Priority.Valid() {
		return uuid.UUID{}, fmt.Errorf("submission %s has priority %d, which there is not", s.ID, s.Priority)
	}
	if s.Needed < 1 || s.Needed > len(logs) {
		return uuid.UUID{}, fmt.Errorf("submission %s needs %d logs and has entries for %d", s.ID, s.Needed, len(logs))
	}
	return id, nil
}

// CheckSettlement refuses a settlement that says two things, and an inclusion without a proof.
func CheckSettlement(s gateway.Settlement) error {
	if s.Inclusion == nil {
		return nil
	}
	if s.Resend || s.Inclusion.Kind == "" || len(s.Inclusion.Proof) == 0 {
		return fmt.Errorf("settlement of entry %d has an inclusion without a proof, or is to be sent again", s.EntryID)
	}
	return nil
}

// CheckOutcome refuses an outcome that does not say exactly one thing, and an inclusion without a
// proof, which would prove nothing.
func CheckOutcome(o gateway.Outcome) error {
	said := 0
	for _, b := range []bool{o.Inclusion != nil, o.Fail, o.Retry} {
		if b {
			said++
		}
	}
	switch {
	case said != 1:
		return fmt.Errorf("outcome of entry %d says %d things, not one of inclusion, failure and retry", o.EntryID, said)
	case o.Untried && (!o.Retry || o.InDoubt):
		return fmt.Errorf("outcome of entry %d is one of what was not sent", o.EntryID)
	case o.Inclusion == nil && len(o.Tokens) > 0:
		return fmt.Errorf("outcome of entry %d has timestamps without an inclusion", o.EntryID)
	case o.Inclusion != nil && (o.Inclusion.Kind == "" || len(o.Inclusion.Proof) == 0):
		return fmt.Errorf("outcome of entry %d has an inclusion without a proof", o.EntryID)
	}
	return nil
}
