// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// damageBody has the server say that it cannot read one body, as it says of a damaged page.
const damageBody = `
ALTER TABLE entry_blob RENAME TO sound_blob;
CREATE FUNCTION read_body(id bigint, body bytea) RETURNS bytea LANGUAGE plpgsql AS $f$
BEGIN
    IF id = %d THEN RAISE EXCEPTION 'invalid page in block 7 of relation' USING ERRCODE = 'data_corrupted'; END IF;
    RETURN body;
END $f$;
CREATE VIEW entry_blob AS SELECT entry, read_body(entry, body) AS body FROM sound_blob`

// TestUnreadable: a body that cannot be read back takes no other with it.
func TestUnreadable(t *testing.T) {
	dsn := newDatabase(t)
	s := open(t, dsn, Options{})
	var subs []gateway.NewSubmission
	for i := range 9 {
		subs = append(subs, storetest.NewSubmission("a", fmt.Sprint(i), "log"))
	}
	stored, err := s.Enqueue(t.Context(), subs)
	if err != nil {
		t.Fatal(err)
	}
	bad := stored[4].Submission.Entries[0].ID
	if _, err := connect(t, dsn).Exec(t.Context(), fmt.Sprintf(damageBody, bad)); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 9, InFlight: 9})
	if err != nil || len(claimed) != 9 {
		t.Fatalf("%d claimed, %v", len(claimed), err)
	}
	for _, c := range claimed {
		if (c.Body == nil) != (c.ID == bad) {
			t.Errorf("entry %d, of which %d is bad, has the body %q", c.ID, bad, c.Body)
		}
	}
}
