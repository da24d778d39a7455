// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

var _ gateway.Replicas = (*Store)(nil)

const (
	// lockReplicas has renewals take turns. They are short, and nothing that a caller waits for is among them.
	lockReplicas = `SELECT pg_advisory_xact_lock(hashtextextended('rekor_gateway.replica', 0))`

	removeDead = `
DELETE FROM replica USING unnest($1::text[], $2::bigint[]) AS dead (id, beat) WHERE replica.id = dead.id AND replica.beat = dead.beat`

	removeShares = `DELETE FROM share WHERE NOT EXISTS (SELECT FROM replica WHERE seq = share.replica)`

	beatReplica = `
INSERT INTO replica (id, beat, name, version, started_at, seen_at, parts) VALUES ($1, 1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET beat = replica.beat + 1, name = excluded.name, version = excluded.version, seen_at = excluded.seen_at, parts = excluded.parts
RETURNING seq, beat`

	selectReplicas = `SELECT id, beat, name, version, started_at, seen_at, parts FROM replica ORDER BY seq`

	// Of each log: what the others have, how many they are, and how many of them came before.
	sumShares = `
SELECT log, SUM(in_flight)::bigint, SUM(rate)::bigint, SUM(burst)::bigint, COUNT(*), COUNT(*) FILTER (WHERE replica < $1)
FROM share WHERE replica <> $1 GROUP BY log`

	keepShare = `
INSERT INTO share (log, replica, in_flight, rate, burst) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (log, replica) DO UPDATE SET in_flight = excluded.in_flight, rate = excluded.rate, burst = excluded.burst`

	removeOtherShares = `DELETE FROM share WHERE replica = $1 AND log <> ALL ($2::text[])`

	removeReplica = `
WITH gone AS (DELETE FROM replica WHERE id = $1 RETURNING seq) DELETE FROM share USING gone WHERE share.replica = gone.seq`
)

// RenewReplica implements gateway.Replicas.
func (s *Store) RenewReplica(ctx context.Context, r gateway.Renewal) (renewed gateway.Renewed, err error) {
	err = s.writeTx(ctx, "renewing the replica", func(t *tx) error {
		if _, err := t.exec(lockReplicas); err != nil {
			return err
		}
		if err := t.removeDead(r.Dead); err != nil {
			return err
		}
		seq, fresh, err := t.beat(r.Replica)
		if err != nil {
			return err
		}
		if fresh { // what it had is others' by now
			r.Held = nil
		}
		if renewed.Replicas, err = t.listReplicas(); err != nil {
			return err
		}
		renewed.Shares, renewed.Targets, err = t.takeShares(seq, r)
		return err
	})
	return renewed, err
}

func (t *tx) removeDead(dead map[string]int64) error {
	ids, beats := slices.Collect(maps.Keys(dead)), []int64{}
	for _, id := range ids {
		beats = append(beats, dead[id])
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := t.exec(removeDead, ids, beats); err != nil {
		return err
	}
	_, err := t.exec(removeShares)
	return err
}

// beat counts a renewal. It is fresh where the process was not known, or was taken for dead.
func (t *tx) beat(r gateway.Replica) (seq int64, fresh bool, err error) {
	parts, err := json.Marshal(r.Parts)
	if err != nil {
		return 0, false, err
	}
	var beats int64
	err = t.scanRow(beatReplica, []any{r.ID, r.Name, r.Version, store.Millis(r.Started), t.now, string(parts)}, &seq, &beats)
	return seq, beats == 1, err
}

func (t *tx) listReplicas() (all []gateway.Replica, err error) {
	err = t.eachRow(selectReplicas, nil, func(scan func(...any) error) error {
		var r gateway.Replica
		var started, seen int64
		var parts string
		if err := scan(&r.ID, &r.Beat, &r.Name, &r.Version, &started, &seen, &parts); err != nil {
			return err
		}
		r.Started, r.SeenAgo = time.UnixMilli(started).UTC(), time.Duration(max(0, t.now-seen))*time.Millisecond
		all = append(all, r)
		return json.Unmarshal([]byte(parts), &all[len(all)-1].Parts)
	})
	return all, err
}

// othersShare is what the other processes have of a log's limits. Those that do not send to the log, as the configuration differs
// while it is changed, are not among them: nobody waits for a part that would lie with them.
type othersShare struct {
	gateway.Share
	n, before int // of processes
}

// takeShares stores what belongs to a process from now on, and returns it, with what its part is.
func (t *tx) takeShares(seq int64, r gateway.Renewal) (shares, targets map[string]gateway.Share, err error) {
	others := map[string]othersShare{}
	err = t.eachRow(sumShares, []any{seq}, func(scan func(...any) error) error {
		var log string
		var sum othersShare
		err := scan(&log, &sum.InFlight, &sum.Rate, &sum.Burst, &sum.n, &sum.before)
		others[log] = sum
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	logs := slices.AppendSeq([]string{}, maps.Keys(r.Whole)) // no null where there are none
	slices.Sort(logs)
	if _, err := t.exec(removeOtherShares, seq, logs); err != nil {
		return nil, nil, err
	}
	shares, targets = map[string]gateway.Share{}, map[string]gateway.Share{}
	for _, log := range logs {
		theirs := others[log]
		targets[log] = r.Whole[log].Divide(theirs.n+1, theirs.before)
		shares[log] = r.Whole[log].Less(theirs.Share).Min(targets[log].Max(r.Held[log]))
		if _, err := t.exec(keepShare, log, seq, shares[log].InFlight, shares[log].Rate, shares[log].Burst); err != nil {
			return nil, nil, err
		}
	}
	return shares, targets, nil
}

// LeaveReplica implements gateway.Replicas.
func (s *Store) LeaveReplica(ctx context.Context, id string) error {
	return s.writeTx(ctx, "leaving the store", func(t *tx) error {
		if _, err := t.exec(lockReplicas); err != nil {
			return err
		}
		_, err := t.exec(removeReplica, id)
		return err
	})
}

// ListReplicas implements gateway.Replicas.
func (s *Store) ListReplicas(ctx context.Context) (all []gateway.Replica, err error) {
	err = s.readTx(ctx, "listing replicas", func(t *tx) (err error) {
		all, err = t.listReplicas()
		return err
	})
	return all, err
}
