// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestEachAttestedHoldsNothing: while a caller works on an entry, no connection is taken for it.
func TestEachAttestedHoldsNothing(t *testing.T) {
	s := open(t, newDatabase(t), Options{MaxConnections: 1, Patience: time.Second})
	var subs []gateway.NewSubmission
	for i := range 3 {
		sub := storetest.NewSubmission("tenant", fmt.Sprint(i), "log")
		sub.Signatures[0].Representation = gateway.Attested
		subs = append(subs, sub)
	}
	if _, err := s.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := s.EachAttested(t.Context(), func(gateway.Entry, []byte) error {
		n++
		_, err := s.Stats(t.Context())
		return err
	})
	if err != nil || n != len(subs) {
		t.Errorf("%d of %d, %v", n, len(subs), err)
	}
}
