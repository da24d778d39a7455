// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// fleet are gateways over one database, which they share, on a server of its own.
type fleet struct {
	gateways []*gatewayProcess
	database *postgrestest.Server
}

// startFleet starts n gateways in front of log.
func startFleet(t *testing.T, name string, log *rekortest.Server, n int, change func(*config.Config)) *fleet {
	t.Helper()
	f := &fleet{database: postgrestest.NewServer(t, "max_connections=200", "shared_buffers=256MB")}
	f.join(t, name, log, n, change)
	return f
}

// join starts n gateways more. All have the key and the trust of the first.
func (f *fleet) join(t *testing.T, name string, log *rekortest.Server, n int, change func(*config.Config)) {
	for range n {
		dir := t.TempDir()
		if len(f.gateways) > 0 {
			check(os.WriteFile(filepath.Join(dir, "gateway_trust.json"), must(os.ReadFile(f.gateways[0].file("gateway_trust.json"))), 0o600))
		}
		g := startGateway(t, fmt.Sprint(name, "-", len(f.gateways)), log, dir, func(c *config.Config) {
			c.Store = config.Store{Postgres: config.Postgres{DSN: f.database.DSN("postgres"), MaxConnections: 16}}
			if len(f.gateways) > 0 {
				c.Attestation.Key, c.Attestation.CreateKey = f.gateways[0].file("attestation.key"), false
			}
			change(c)
		})
		f.gateways = append(f.gateways, g)
	}
}

// cpu is what all gateways have spent, and what the database has.
func (f *fleet) cpu() (gateways, database time.Duration) {
	for _, g := range f.gateways {
		gateways += cpuOf(g.pid())
	}
	return gateways, cpuOfTree(f.database.Process().Pid)
}

// logged is how many entries the gateways have seen logged.
func (f *fleet) logged() (n int) {
	for _, g := range f.gateways {
		n += g.logged()
	}
	return n
}

func (f *fleet) stop() {
	for _, g := range f.gateways {
		g.stop()
	}
	check(f.database.Stop())
}

// submit has the gateways take a part each, as a load balancer does, and returns when all is accepted.
func (f *fleet) submit(items []item) {
	failed := make(chan error)
	for i, part := range split(items, len(f.gateways)) {
		go func() {
			_, err := submitBatch(f.gateways[i].clients(batchStreams), part)
			failed <- err
		}()
	}
	for range f.gateways {
		check(<-failed)
	}
}

func split(items []item, n int) [][]item {
	return slices.Collect(slices.Chunk(items, (len(items)+n-1)/n))
}

// fleetSpent is what a number of entries took of gateways and database.
type fleetSpent struct {
	spent
	database time.Duration
}

func (f *fleet) measure(log, entries int, work func()) fleetSpent {
	gateways, database := f.cpu()
	s := measure(0, log, entries, work)
	gatewaysAfter, databaseAfter := f.cpu()
	s.gateway = gatewaysAfter - gateways
	return fleetSpent{s, databaseAfter - database}
}

// measurePostgres measures with the store in PostgreSQL what measureLogged, measureAccepted and measureStored do with SQLite.
func measurePostgres(t *testing.T, r *report) {
	for _, c := range []struct{ inFlight, entries int }{{256, 2048}, {1024, 6144}, {4000, 16000}} {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprintf("logged %d by %d", c.inFlight, n), func(t *testing.T) { loggedByFleet(t, r, n, c.inFlight, scaled(c.entries)) })
		}
	}
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("accepted by %d", n), func(t *testing.T) { acceptedByFleet(t, r, n) })
	}
	t.Run("stored", func(t *testing.T) { storedByFleet(t, r) })
}

func loggedByFleet(t *testing.T, r *report, n, inFlight, entries int) {
	log := rekortest.StartServer(t)
	logPID := childNamed("rekor-server-posix")
	f := startFleet(t, fmt.Sprintf("postgres-logged-%d-by-%d", inFlight, n), log, n, func(c *config.Config) { c.Worker.InFlight = config.InFlight(inFlight) })
	defer f.stop()
	sign := signX509()
	items := makeItems(entries, sign)
	bare := measure(0, logPID, entries, func() { check(writeBare(log, items, inFlight)) })
	items = makeItems(entries, sign)
	ours := f.measure(logPID, entries, func() {
		f.submit(items)
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		for f.logged() < entries && ctx.Err() == nil {
			time.Sleep(250 * time.Millisecond)
		}
		check(ctx.Err())
	})
	mine, its := perSecond(entries, ours.clock), perSecond(entries, bare.clock)
	r.add(
		row{fmt.Sprintf("PostgreSQL, %d gateway(s): logged, %d in flight, SubmitBatch", n, inFlight), formatRate(mine), formatRate(its) + " bare writer", mine / its, ""},
		row{"– CPU per entry", formatCPU(perEntry(ours.gateway, entries)), formatCPU(perEntry(ours.log, entries)) + " the log", float64(ours.gateway) / float64(ours.log), ""},
		row{what: "– CPU per entry of PostgreSQL", gateway: formatCPU(perEntry(ours.database, entries))},
	)
}

func acceptedByFleet(t *testing.T, r *report, n int) {
	log := rekortest.StartServer(t)
	gate := startGate(t, log)
	f := startFleet(t, fmt.Sprintf("postgres-accepted-by-%d", n), log, n, gate.stand)
	defer f.stop()
	gate.shut.Store(true)
	sign := signX509()
	entries := scaled(bareX509)
	check(f.database.Exec(t.Context(), "postgres", "CREATE DATABASE bare"))
	store := must(postgres.Open(t.Context(), f.database.DSN("bare"), postgres.Options{}))
	defer func() { check(store.Close()) }()
	bareLoop := newBareLoop(t, store, gatewaytest.NewLog())
	before := cpuOfTree(f.database.Process().Pid)
	bare := bareLoop.run(makeItems(entries, sign))
	bareDatabase := cpuOfTree(f.database.Process().Pid) - before
	ours := f.measure(0, entries, func() { f.submit(makeItems(entries, sign)) })
	r.add(acceptedRows(fmt.Sprintf("PostgreSQL, %d gateway(s): accepted with the log stopped, X.509 digests", n), ours.spent, bare, "")...)
	r.add(row{
		what: "– CPU per submission of PostgreSQL", gateway: formatCPU(perEntry(ours.database, entries)),
		beside: formatCPU(perEntry(bareDatabase, entries)) + " bare loop",
	})
}

// storedByFleet measures what a submission costs with few and with many stored and logged before.
func storedByFleet(t *testing.T, r *report) {
	few, many := scaled(10_000), scaled(100_000)
	if *full {
		many = scaled(1_000_000)
	}
	log := rekortest.StartServer(t)
	gate, sign := startGate(t, log), signX509()
	cost := func(stored int) (time.Duration, time.Duration) {
		f := &fleet{database: postgrestest.NewServer(t, "max_connections=200", "shared_buffers=256MB")}
		store := must(postgres.Open(t.Context(), f.database.DSN("postgres"), postgres.Options{}))
		fill(t, store, stored)
		check(store.Close())
		f.join(t, fmt.Sprintf("postgres-stored-%d", stored), log, 1, gate.stand)
		defer f.stop()
		gate.shut.Store(true)
		defer gate.shut.Store(false)
		f.submit(makeItems(scaled(2000), sign)) // caches
		n := scaled(10_000)
		items := makeItems(n, sign)
		s := f.measure(0, n, func() { f.submit(items) })
		return perEntry(s.gateway, n), perEntry(s.database, n)
	}
	firstGateway, firstDatabase := cost(few)
	laterGateway, laterDatabase := cost(many)
	r.add(row{
		fmt.Sprintf("PostgreSQL: CPU per submission accepted, gateway and database, %d stored", many), formatCPU(laterGateway + laterDatabase),
		fmt.Sprintf("%s at %d stored", formatCPU(firstGateway+firstDatabase), few),
		float64(laterGateway+laterDatabase) / float64(firstGateway+firstDatabase), "≤ 1.2 at 1,000,000",
	})
}

// cpuOfTree returns what a process and its children have spent so far, those that have ended included.
func cpuOfTree(pid int) time.Duration {
	all := cpuOf(pid) + cpuOfEnded(pid)
	for _, path := range must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))) {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(raw)) {
			if _, err := os.Stat("/proc/" + child + "/stat"); err == nil {
				all += cpuOf(must(strconv.Atoi(child)))
			}
		}
	}
	return all
}
