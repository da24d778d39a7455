// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// ownLog is the log of the gateway's own, with its keys. A nil one is that of a gateway without.
type ownLog struct {
	*ownlog.Log
	id          string
	takes       time.Duration // a record, as a rule
	checkpoints *attest.CheckpointSigner
	anchors     *attest.AnchorSigner
	where       atomic.Pointer[ownlog.LogSet] // anchors are recorded now
	endings     []*ownlog.Ending              // of former ones
}

// openOwnLog opens the own log of cfg; nil where it has none. It does nothing until it is run.
func (s *Server) openOwnLog(ctx context.Context, cfg config.OwnLog) (*ownLog, error) {
	if !cfg.IsSet() {
		return nil, nil
	}
	checkpoints, err := attest.LoadCheckpointSigner(cfg.Key, cfg.Origin, cfg.CreateKeys)
	if err != nil {
		return nil, err
	}
	anchors, err := attest.LoadAnchorSigner(cfg.AnchorKey, cfg.CreateKeys)
	if err != nil {
		return nil, err
	}
	witnesses, err := newWitnesses(cfg, s.started.UserAgent())
	if err != nil {
		return nil, err
	}
	own := &ownLog{id: cfg.ID(), takes: cfg.AnchorEvery + anchorTime, checkpoints: checkpoints, anchors: anchors}
	notify := func(changed []gateway.Progress) { s.domain.Notify(changed) }
	own.Log, err = ownlog.New(ctx, ownlog.Config{
		ID: own.id, Store: s.store, Codec: recording.Own{}, Witnesses: witnesses, Signer: checkpoints, VerifierKey: checkpoints.VerifierKey(), Anchorer: anchors, AnchorEvery: cfg.AnchorEvery, Now: time.Now,
		AnchorShards: func() ([]ownlog.AnchorShard, error) { return s.listAnchorShards(checkpoints.Name()) },
		Anchors:      func() ownlog.LogSet { return *own.where.Load() },
		Stored:       func(sub gateway.Submission) { s.domain.delivery.Wake(sub) },
		Changed:      notify, Logger: s.logger,
	})
	if err != nil {
		return nil, explainClosed(err)
	}
	for _, origin := range cfg.Closed {
		own.endings = append(own.endings, ownlog.NewEnding(ownlog.EndingConfig{
			Log: config.OwnLogID(origin), To: own.Log, Store: s.store, Changed: notify, Logger: s.logger,
			AnchorShards: func() ([]ownlog.AnchorShard, error) { return s.listAnchorShards(origin) },
		}))
	}
	return own, nil
}

// explainClosed says what to do where the log has ended.
func explainClosed(err error) error {
	if errors.Is(err, gateway.ErrOwnLogClosed) {
		err = fmt.Errorf("%w: it stays so; set another own_log.origin, and new files for its keys", err)
	}
	return err
}

// listAnchorShards returns the shards in which anchor keys of the own log with that origin count by the trust file: former keys
// too, with which a store that was put back knows what it has forgotten although the key was changed since.
func (s *Server) listAnchorShards(origin string) (list []ownlog.AnchorShard, err error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	trust, err := trustroot.LoadGateway(s.started.Attestation.GatewayTrust)
	if err != nil {
		return nil, err
	}
	listed, _ := trust.OwnLog(origin)
	configured := map[string]bool{} // by origin
	for id, log := range s.logs {
		reader, ok := log.(gateway.EntryReader) // Rekor v1 is none, and has no anchors
		for _, shard := range append(log.Former(), gateway.FormerShard{Shard: log.Describe().Shard}) {
			configured[shard.Origin] = true
			a := ownlog.AnchorShard{
				Log: id, Shard: shard.Shard, Entries: reader, Closed: shard.Closed, Delay: log.Describe().IntegrationDelay, Keys: anchorKeysIn(listed, shard.Origin),
			}
			if ok && len(a.Keys) > 0 {
				list = append(list, a)
			}
		}
	}
	for _, missing := range anchorOrigins(listed) {
		if !configured[missing] {
			list = append(list, ownlog.AnchorShard{Shard: gateway.Shard{Origin: missing}, Keys: anchorKeysIn(listed, missing)})
		}
	}
	return list, nil
}

// anchorKeysIn returns the anchor keys that count in the log with that origin.
func anchorKeysIn(own trustroot.OwnLog, origin string) (keys []ownlog.AnchorKey) {
	for _, key := range own.AnchorKeys {
		at := slices.IndexFunc(key.Logs, func(r trustroot.LogRange) bool { return r.Origin == origin })
		if at >= 0 {
			one := ownlog.AnchorKey{SPKI: key.SPKI, From: uint64(key.Logs[at].From)}
			if to := key.Logs[at].To; to != nil {
				one.To = new(uint64(*to))
			}
			keys = append(keys, one)
		}
	}
	return keys
}

// anchorOrigins returns those of all logs in which anchor keys count, sorted.
func anchorOrigins(own trustroot.OwnLog) (origins []string) {
	for _, key := range own.AnchorKeys {
		for _, r := range key.Logs {
			origins = append(origins, r.Origin)
		}
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}

// listKeys returns the SHA-256 of the SPKI of each of the log's keys: signers that no submission may have.
func (o *ownLog) listKeys() ([][sha256.Size]byte, error) {
	if o == nil {
		return nil, nil
	}
	spki, err := o.checkpoints.SPKI()
	if err != nil {
		return nil, err
	}
	return [][sha256.Size]byte{sha256.Sum256(spki), sha256.Sum256(o.anchors.SPKI())}, nil
}

// run sequences and anchors, and ends the former logs, until ctx ends.
func (o *ownLog) run(ctx context.Context) {
	if o == nil {
		return
	}
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	for _, e := range o.endings {
		running.Go(func() { e.Run(ctx) })
	}
	running.Wait()
}

// noteStored has what is for the log sequenced.
func (o *ownLog) noteStored(sub gateway.Submission) {
	if o != nil && slices.ContainsFunc(sub.Entries, func(e gateway.Entry) bool { return e.Log == o.id }) {
		o.Wake()
	}
}

// noteLogs has what another process has stored sequenced, by the IDs of its logs.
func (o *ownLog) noteLogs(ids ...string) {
	if o != nil && (len(ids) == 0 || slices.Contains(ids, o.id)) {
		o.Wake()
	}
}

// noteChanged has an anchor followed that has got on.
func (o *ownLog) noteChanged(changed []gateway.Progress) {
	if o != nil {
		o.NoteChanged(changed)
	}
}

// listIDs returns the log's ID, and those of the former ones that end, to which delivery sends nothing.
func (o *ownLog) listIDs() []string {
	if o == nil {
		return nil
	}
	ids := []string{o.id}
	for _, e := range o.endings {
		ids = append(ids, e.ID())
	}
	return ids
}

// recorder returns the log as policies have it.
func (o *ownLog) recorder() gateway.Recorder {
	if o == nil { // and no interface that holds a nil
		return nil
	}
	return o.Log
}

// anchorIn has anchors recorded in these logs from now on.
func (o *ownLog) anchorIn(set *intake.LogSet) {
	if o != nil {
		o.where.Store(&ownlog.LogSet{List: set.List, Need: set.Need, Failover: set.Failover})
	}
}

// addTroubles adds what keeps the log from getting on, and what waits for former ones, by their IDs.
func (o *ownLog) addTroubles(troubles map[string]string) {
	if o == nil {
		return
	}
	if t := o.Trouble(); t != "" {
		troubles[o.id] = t
	}
	for _, e := range o.endings {
		if t := e.Trouble(); t != "" {
			troubles[e.ID()] = t
		}
	}
}

// anchorTime is what it takes an anchor to be logged, as a rule.
const anchorTime = 5 * time.Second

// estimates returns how long a record takes, by the log's ID.
func (o *ownLog) estimates() map[string]time.Duration {
	if o == nil {
		return nil
	}
	return map[string]time.Duration{o.id: o.takes}
}
