// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

const provingOrigin = "log.example"

// provingLog is a gatewaytest.Log whose proofs are real.
type provingLog struct {
	*gatewaytest.Log
	mu  sync.Mutex
	log *receipttest.Log // guarded by mu
}

func (l *provingLog) Add(_ context.Context, _ gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	record, err := hashedrekord.Parse(e.Body)
	if err != nil {
		return nil, err
	}
	logged := l.log.Add(record)[0]
	raw, err := receipt.EncodeProof(logged)
	if err != nil {
		return nil, err
	}
	return &gateway.Inclusion{Kind: receipt.KindTransparencyLogEntry, Index: uint64(logged.GetLogIndex()), Proof: raw}, nil
}

// desk is a gateway with a policy of its own, and what its log's readers trust.
type desk struct {
	policy  formats.Policy
	gateway *gatewaytest.Gateway
	root    *trustroot.Root
	trust   *trustroot.Gateway
}

// desks are by policy.
type desks map[string]*desk

func (all desks) forPolicy(p formats.Policy) *desk { return all[policyName(p)] }

func policyName(p formats.Policy) string { return fmt.Sprint(p.Historical, p.SSHNamespaces) }

// open opens the desk of every policy among list, for as long as t runs.
func (all desks) open(t *testing.T, list []mail) {
	t.Helper()
	for _, m := range list {
		if name := policyName(m.policy); all[name] == nil {
			all[name] = openDesk(t, m.policy)
		}
	}
}

func openDesk(t *testing.T, p formats.Policy) *desk {
	t.Helper()
	log := &provingLog{Log: gatewaytest.NewLog(), log: receipttest.NewLog(t, provingOrigin)}
	store := openStore(t, filepath.Join(t.TempDir(), "gateway.db"), 100_000)
	signer := attester(t)
	d := &desk{policy: p, root: log.log.Root()}
	d.gateway = gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Policy: p, Attester: signer})
	d.gateway.Start(t)
	t.Cleanup(func() { _ = store.Close() })
	var err error
	d.trust, err = trustroot.NewGateway(trustroot.GatewayKey{SPKI: signer.SPKI(), Logs: []trustroot.LogRange{{Origin: provingOrigin}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) policyNow() formats.Policy {
	p := d.policy
	p.Now = time.Now()
	return p
}
