// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"time"
)

// Replicas is a side that a Store may have which several processes share: they know of each other by it, and share out what
// each log may be sent. Methods are safe for concurrent use.
//
// Nobody's clock decides who is dead. A process counts its renewals, and another one that sees the count stand still for
// longer than ReplicaLease, by its own clock, says so with its next renewal.
type Replicas interface {
	// RenewReplica renews what is known of a process and its shares, and returns what there is then, all in one
	// transaction. The shares of a log that processes have never exceed what the one that renews says is the whole: it gets
	// what the others leave, and no more than its part of it, but for what it says that it still uses.
	RenewReplica(ctx context.Context, r Renewal) (Renewed, error)

	// LeaveReplica forgets a process that ends. Its shares are free.
	LeaveReplica(ctx context.Context, id string) error

	// ListReplicas returns all processes that have not left, in the order in which they came.
	ListReplicas(ctx context.Context) ([]Replica, error)
}

// Times of replicas.
const (
	// ReplicaLease is how long a process may use its shares, from before the renewal on that gave them.
	ReplicaLease = 6 * time.Second
	// ReplicaRenewal is how often it renews.
	ReplicaRenewal = 2 * time.Second
	// ReplicaDead is how long the count of one that is said to be dead has stood still.
	ReplicaDead = ReplicaLease + time.Second
)

// Replica is a process that shares a store.
type Replica struct {
	ID      string    // of one run
	Name    string    // of its host
	Version string    // of the program
	Started time.Time // by its own clock
	// Parts are what all have to agree on: digests, or names, by what they are of.
	Parts map[string]string

	// Beat is how often it has renewed, and SeenAgo how long ago that was, by the store's clock. RenewReplica takes neither.
	Beat    int64
	SeenAgo time.Duration
}

// Share is what of a log's limits belongs to one process, or the whole of it.
type Share struct {
	InFlight int64 // entries under way at once
	Rate     int64 // thousandths of an entry a second
	Burst    int64 // entries at once, with Rate
}

// Renewal is what RenewReplica is asked for.
type Renewal struct {
	Replica
	Whole map[string]Share // of each log with limits, by its ID
	Held  map[string]Share // what the process may be using of them until it is answered
	Dead  map[string]int64 // IDs of processes that are dead, and their Beat
}

// Renewed is what RenewReplica answers.
type Renewed struct {
	Replicas []Replica        // that are not dead, in the order in which they came; this one among them
	Shares   map[string]Share // of this one: what belongs to it
	Targets  map[string]Share // of this one: its part, which it is to keep to, where it has more
}

// ReplicaWatch sees which processes are dead. Its owner guards it.
type ReplicaWatch struct {
	seen map[string]seenBeat // by ID
}

type seenBeat struct {
	beat  int64
	since time.Duration // first seen
}

// Note notes what a renewal at now has shown; now is by a clock that goes on steadily, as long as this process lives.
func (w *ReplicaWatch) Note(now time.Duration, replicas []Replica) {
	before := w.seen
	w.seen = make(map[string]seenBeat, len(replicas))
	for _, r := range replicas {
		seen, ok := before[r.ID]
		if !ok || seen.beat != r.Beat {
			seen = seenBeat{r.Beat, now}
		}
		w.seen[r.ID] = seen
	}
}

// Dead returns those whose count has stood still for ReplicaDead, and that count.
func (w *ReplicaWatch) Dead(now time.Duration) map[string]int64 {
	dead := map[string]int64{}
	for id, seen := range w.seen {
		if now-seen.since >= ReplicaDead {
			dead[id] = seen.beat
		}
	}
	return dead
}
