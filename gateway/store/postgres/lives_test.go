// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestLives: gateways go on over a server that is killed, and put back to a backup, and others begin.
func TestLives(t *testing.T) {
	before := doubtPage
	doubtPage = 3
	t.Cleanup(func() { doubtPage = before })
	server := postgrestest.NewServer(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	last := ""
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	all := []gateway.Store{open(t, server.DSN("postgres"), Options{}), open(t, server.DSN("postgres"), Options{})}
	other := func(s gateway.Store) (gateway.Store, bool) { return s, false }
	storetest.RunLives(t, all[0], seed, 250, storetest.Lives{
		Save: func(s gateway.Store) (gateway.Store, bool) {
			var err error
			last, err = os.MkdirTemp("", "backup") // the server's owner is another, who may not look into the test's folder
			folder := last
			t.Cleanup(func() { must(os.RemoveAll(folder)) })
			must(err, server.Backup(last))
			return other(s)
		},
		Restart: func(s gateway.Store) (gateway.Store, bool) {
			switch random.IntN(3) {
			case 0: // another gateway
				return open(t, server.DSN("postgres"), Options{}), true
			case 1: // one that has been there all the time
				return all[random.IntN(2)], false
			}
			must(server.Kill(), server.Restart())
			return other(s)
		},
		PutBack: func(s gateway.Store) (gateway.Store, bool) {
			must(server.Kill(), server.Restore(last), server.Restart())
			return other(s)
		},
	})
}
