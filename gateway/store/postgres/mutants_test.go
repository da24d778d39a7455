// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// mutants are queries with one rule broken, by what that does. Each names the test that it fails, which saves it the others.
type mutants map[string]struct {
	query    *string
	old, new string
	fails    string
}

// failAll has each mutant fail a test: the one it names, or any other.
func (all mutants) failAll(t *testing.T, driver storetest.Driver, find func(t *testing.T, driver storetest.Driver, first string) string) {
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			good := *m.query
			t.Cleanup(func() { *m.query = good })
			if *m.query = strings.Replace(good, m.old, m.new, 1); *m.query == good {
				t.Fatal("the query has no such part")
			}
			failed := find(t, driver, m.fails)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}
