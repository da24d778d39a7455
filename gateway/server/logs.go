// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// Ready returns nil when submissions can be taken, and can still become logged under one policy at least: not so many logs have forked or are
// retired that too few are left. Logs that cannot be used now hold nothing up; Degraded names them.
func (d *domain) Ready(ctx context.Context) error {
	if _, err := d.store.Stats(ctx); err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if d.Failing() {
		return gateway.ErrNotStored
	}
	retired, err := d.store.RetiredLogs(ctx)
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	var lost []error
	for _, set := range d.recorded.Load().sets {
		ofSet, err := d.listLost(ctx, set, retired)
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		if len(set.List)-len(ofSet) >= set.Need {
			return nil
		}
		lost = append(lost, ofSet...)
	}
	return errors.Join(lost...)
}

// listLost says which logs of a set have forked or are retired.
func (d *domain) listLost(ctx context.Context, set intake.LogSet, retired []string) (lost []error, err error) {
	for _, l := range set.List {
		info := l.Describe()
		err := d.store.Forked(ctx, info.Shard)
		switch {
		case errors.Is(err, gateway.ErrFork):
			lost = append(lost, err)
		case err != nil:
			return nil, err
		case slices.Contains(retired, info.ID):
			lost = append(lost, fmt.Errorf("%w: %s", gateway.ErrRetired, info.ID))
		}
	}
	return lost, nil
}

// conditionOf returns what is known of a log now. It is full when its share of what may be pending waits for it: as one
// of n logs, of n + 1 parts.
func (d *domain) conditionOf(log string) intake.Condition {
	c := intake.Condition{Unusable: !d.delivery.IsUsable(log)}
	entries, bytes := d.delivery.Waiting(log)
	parts := d.recorded.Load().logs + 1
	c.Full = d.roomEntries > 0 && entries >= d.roomEntries/parts || d.roomBytes > 0 && bytes >= d.roomBytes/int64(parts)
	return c
}

// setLogs has these logs delivered to, and submissions held to p, from now on. The channel is closed once nothing is under way to those
// that are gone.
func (d *domain) setLogs(logs []gateway.Log, p policies) (drained <-chan struct{}) {
	d.configured.Store(listIDs(logs))
	d.AddLogs(d.listConfigured())
	d.setPolicies(p)
	d.facade.anchorIn(logs)
	return d.delivery.SetLogs(logs)
}

// setPolicies has submissions held to p, of the same logs, from now on.
func (d *domain) setPolicies(p policies) {
	d.setRecorded(p)
	d.own.anchorIn(p.anchors)
	d.SetPolicies(p.Policies)
	d.delivery.SetFailover(p.failover...)
}

// recordedLogs are those that submissions are recorded in.
type recordedLogs struct {
	sets []intake.LogSet // of each policy in use
	logs int             // how many are in one of them
}

func (d *domain) setRecorded(p policies) {
	sets := p.listSets()
	d.recorded.Store(&recordedLogs{sets, countLogs(sets)})
}

// listConfigured returns the IDs of the logs that are delivered to.
func (d *domain) listConfigured() []string { return slices.Clone(*d.configured.Load()) }

func listIDs(logs []gateway.Log) *[]string {
	ids := make([]string, len(logs))
	for i, l := range logs {
		ids[i] = l.Describe().ID
	}
	return &ids
}

// selectLogs returns the set of logs that s names, of those that there are.
func selectLogs(s config.LogSet, logs []gateway.Log) (intake.LogSet, delivery.Failover, error) {
	set := intake.LogSet{Need: s.Need, Failover: s.Mode == config.ModeFailover}
	for _, id := range s.List {
		i := slices.IndexFunc(logs, func(l gateway.Log) bool { return l.Describe().ID == id })
		if i < 0 {
			return set, delivery.Failover{}, fmt.Errorf("there is no log %s", id)
		}
		set.List = append(set.List, logs[i])
	}
	if !set.Failover {
		return set, delivery.Failover{}, nil
	}
	return set, delivery.Failover{Logs: s.List, After: s.FailoverAfter}, nil
}

// listDegraded returns the logs that cannot be used now, or that have entries that wait for somebody, each with why; the gateway's own
// among them.
func (d *domain) listDegraded() map[string]string {
	degraded := d.delivery.Degraded()
	d.own.addTroubles(degraded)
	d.facade.addTroubles(degraded)
	return degraded
}
