// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// membership is this process's place among those that share the store.
type membership struct {
	store    gateway.Replicas
	delivery *delivery.Delivery
	self     gateway.Replica
	parts    func() map[string]string // what all have to agree on, as it is here now
	logger   *slog.Logger
	drift    *driftReport

	// Owned by the goroutine of keepUntil:
	began steady.Mark
	watch gateway.ReplicaWatch
	told  bool // the operator, that there is no renewing
}

const (
	renewSoon    = 400 * time.Millisecond // where shares are to change hands
	renewAgain   = time.Second            // after a failure
	renewTimeout = 3 * time.Second
)

func (s *Server) newMembership(store gateway.Replicas, version string) *membership {
	host, _ := os.Hostname()
	_, port, _ := net.SplitHostPort(s.listeners.http.Addr().String())
	return &membership{
		store: store, delivery: s.domain.delivery, parts: s.describeParts, logger: s.logger, drift: &s.drift, began: steady.Now(),
		self: gateway.Replica{ID: uuid.NewString(), Name: net.JoinHostPort(host, port), Version: version, Started: time.Now()},
	}
}

// keepUntil renews until ctx ends, and then leaves.
func (m *membership) keepUntil(ctx context.Context) {
	for ctx.Err() == nil {
		again := m.renewOnce(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	if err := m.store.LeaveReplica(ctx, m.self.ID); err != nil { // the others see for themselves
		m.logger.WarnContext(ctx, "leaving the store that is shared", "error", err)
	}
}

// renewOnce returns how long it is until the next renewal.
func (m *membership) renewOnce(ctx context.Context) (again time.Duration) {
	since := steady.Now() // before the store is asked: the share counts from here on
	r := gateway.Renewal{Replica: m.self, Whole: m.delivery.Wholes(), Held: m.delivery.HeldShares(), Dead: m.watch.Dead(m.began.Elapsed())}
	r.Parts = m.parts()
	delete(r.Dead, m.self.ID)
	asking, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	renewed, err := m.store.RenewReplica(asking, r)
	if ctx.Err() != nil {
		return 0
	}
	m.tellRenewing(err)
	if err != nil {
		return renewAgain
	}
	m.watch.Note(m.began.Elapsed(), renewed.Replicas)
	shares, again := map[string]gateway.Share{}, gateway.ReplicaRenewal
	for log, share := range renewed.Shares {
		shares[log] = share.Min(renewed.Targets[log])
		if share != renewed.Targets[log] {
			again = renewSoon
		}
	}
	m.delivery.UseShares(shares, since, len(renewed.Replicas))
	m.drift.note(m.logger, m.self.ID, r.Parts, renewed.Replicas)
	return again
}

// tellRenewing tells the operator when there is no renewing any more, and when there is again.
func (m *membership) tellRenewing(err error) {
	switch {
	case err != nil && !m.told:
		m.logger.Warn("what the logs may be sent cannot be shared out; logs with limits are sent nothing new until it can", "error", err)
	case err == nil && m.told:
		m.logger.Info("what the logs may be sent is shared out again")
	}
	m.told = err != nil
}

// shortID is enough of one to tell processes apart.
func shortID(id string) string { return id[:min(len(id), 8)] }

// hostOf returns the name of the replica whose ID begins so.
func hostOf(replicas []gateway.Replica, short string) string {
	for _, r := range replicas {
		if shortID(r.ID) == short {
			return r.Name
		}
	}
	return ""
}
