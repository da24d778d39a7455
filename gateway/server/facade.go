// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/facade"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
)

var _ rekorcompat.V1Log = (*facade.Facade)(nil)

// facadeLog is the log that clients of Rekor v1 see over one of Rekor v2, with its keys. A nil one is that of a gateway without.
type facadeLog struct {
	*facade.Facade
	own     *ownlog.Log // the current tree
	id      string      // its ID
	source  string      // the ID of the log of Rekor v2
	where   atomic.Pointer[ownlog.LogSet]
	endings []*ownlog.Ending // of former trees
	signers [][]byte         // SPKIs of all keys: signers that no submission may have
}

// openFacade opens the facade of cfg; nil where it has none. It does nothing until it is run.
func (s *Server) openFacade(ctx context.Context, cfg *config.Config) (*facadeLog, error) {
	if !cfg.HasFacade() {
		return nil, nil
	}
	if err := checkFacadeKeys(cfg); err != nil {
		return nil, err
	}
	f := &facadeLog{source: cfg.RekorAPI.V1}
	current, err := s.openTree(ctx, f, cfg.RekorAPI.Facade)
	if err != nil {
		return nil, fmt.Errorf("rekor_api.facade: %w", err)
	}
	former, err := s.openFormerTrees(f, cfg.RekorAPI.Facade)
	if err != nil {
		return nil, fmt.Errorf("rekor_api.facade: %w", err)
	}
	f.Facade, err = facade.New(ctx, facade.Config{
		Store: s.store, Source: f.source, Own: f.own, Current: current, Former: former, Logger: s.logger,
		Await: func(ctx context.Context, sub *gateway.Submission) error { return s.domain.Await(ctx, sub) },
	})
	if err != nil {
		return nil, fmt.Errorf("rekor_api.facade: %w", err)
	}
	return f, nil
}

// openTree opens the tree that is written to.
func (s *Server) openTree(ctx context.Context, f *facadeLog, cfg config.Facade) (facade.Tree, error) {
	signer, err := attest.LoadFacadeSigner(cfg.Key, cfg.Host, cfg.CreateKeys)
	if err != nil {
		return facade.Tree{}, err
	}
	anchors, err := attest.LoadAnchorSigner(cfg.AnchorKey, cfg.CreateKeys)
	if err != nil {
		return facade.Tree{}, err
	}
	f.id, f.signers = gateway.FacadeLogID(signer.Tree()), [][]byte{signer.SPKI(), anchors.SPKI()}
	if err := s.checkAnchorKey(ctx, f.id, anchors.SPKI()); err != nil {
		return facade.Tree{}, err
	}
	f.own, err = ownlog.New(ctx, ownlog.Config{
		ID: f.id, Origin: facade.Origin(cfg.Host, signer.Tree()), Store: s.store, Codec: recording.Own{}, Signer: signer, VerifierKey: string(signer.PublicKey()), Anchorer: anchors, Now: time.Now,
		AnchorShards: func() ([]ownlog.AnchorShard, error) {
			return s.listFacadeShards(f.source, f.id, anchors.SPKI(), sha256.Sum256(anchors.SPKI()))
		},
		Anchors: func() ownlog.LogSet { return *f.where.Load() },
		Stored:  func(sub gateway.Submission) { s.domain.delivery.Wake(sub) },
		Changed: func(changed []gateway.Progress) { s.domain.Notify(changed) }, Logger: s.logger,
	})
	if err != nil {
		return facade.Tree{}, explainClosed(err)
	}
	if anchors.IsNew() {
		err = s.beginLooks(ctx, f.id, f.source, anchors.SPKI())
	}
	return facade.Tree{ID: signer.Tree(), Log: f.id, Reader: f.own.Reader, Signer: signer}, err
}

// openFormerTrees opens the trees that others have taken over from, the first one first.
func (s *Server) openFormerTrees(f *facadeLog, cfg config.Facade) (former []facade.Tree, err error) {
	for _, path := range cfg.FormerKeys {
		signer, err := attest.LoadFacadeSigner(path, cfg.Host, false)
		if err != nil {
			return nil, err
		}
		id := gateway.FacadeLogID(signer.Tree())
		f.signers = append(f.signers, signer.SPKI())
		former = append(former, facade.Tree{ID: signer.Tree(), Log: id, Reader: ownlog.NewReader(s.store, id), Signer: signer})
		f.endings = append(f.endings, ownlog.NewEnding(ownlog.EndingConfig{
			Log: id, To: f.own, Store: s.store, Counted: true, Logger: s.logger, Changed: func(changed []gateway.Progress) { s.domain.Notify(changed) },
			AnchorShards: func() ([]ownlog.AnchorShard, error) { return s.listFormerShards(f.source, id) },
		}))
	}
	return former, nil
}

// anchorIn has anchors recorded in this log from now on, where it is the one that the facade is over.
func (f *facadeLog) anchorIn(logs []gateway.Log) {
	if f == nil {
		return
	}
	if at := slices.IndexFunc(logs, func(l gateway.Log) bool { return l.Describe().ID == f.source }); at >= 0 {
		f.where.Store(&ownlog.LogSet{List: []gateway.Recorder{logs[at]}, Need: 1})
	}
}

// listKeys is ownLog.listKeys.
func (f *facadeLog) listKeys() (ids [][sha256.Size]byte) {
	if f != nil {
		for _, spki := range f.signers {
			ids = append(ids, sha256.Sum256(spki))
		}
	}
	return ids
}

// run makes leaves, sequences and anchors them, and ends former trees, until ctx ends.
func (f *facadeLog) run(ctx context.Context) {
	if f == nil {
		return
	}
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	running.Go(func() { f.own.Run(ctx) })
	for _, e := range f.endings {
		running.Go(func() { e.Run(ctx) })
	}
	running.Wait()
}

// noteChanged has leaves made of what is logged, and an anchor followed that has got on.
func (f *facadeLog) noteChanged(changed []gateway.Progress) {
	if f != nil {
		f.own.NoteChanged(changed)
		f.NoteChanged(changed)
	}
}

// hear has done what another process has left to do.
func (f *facadeLog) hear(s gateway.Signal) {
	if f == nil {
		return
	}
	if s.Missed || slices.Contains(s.Logs, f.id) {
		f.own.Wake()
	}
	if s.Missed || len(s.Changed) > 0 {
		f.Wake()
	}
}

// listIDs returns the IDs of the trees' logs, to which delivery sends nothing.
func (f *facadeLog) listIDs() []string {
	if f == nil {
		return nil
	}
	ids := []string{f.id}
	for _, e := range f.endings {
		ids = append(ids, e.ID())
	}
	return ids
}

// addTroubles adds what keeps the facade from getting on, and what waits for former trees, by their IDs.
func (f *facadeLog) addTroubles(troubles map[string]string) {
	if f == nil {
		return
	}
	if t := f.own.Trouble(); t != "" {
		troubles[f.id] = t
	}
	for _, e := range f.endings {
		if t := e.Trouble(); t != "" {
			troubles[e.ID()] = t
		}
	}
}
