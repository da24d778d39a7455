// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// How long a witness has contradicted the store is kept there, so that a restart does not begin it anew. It is counted while a gateway is at work, and not
// by the clock of the machine. It is of one size: where the witness names another, there is somebody whose log it sees grow. A store that may be an older
// copy knows nothing of it.

// readLasted returns for how long a witness has named that size before this process.
func (l *Log) readLasted(ctx context.Context, c *cosigner, size uint64) time.Duration {
	state, err := l.cfg.Store.OwnLog(ctx, l.cfg.ID)
	if err == nil && state.Doubted {
		err = l.cfg.Store.DropContradiction(ctx, l.cfg.ID, c.Key())
	}
	var there []gateway.Contradiction
	if err == nil {
		there, err = l.cfg.Store.Contradictions(ctx, l.cfg.ID)
	}
	if err != nil {
		l.warnSaid(ctx, c, err)
		return 0
	}
	at := slices.IndexFunc(there, func(s gateway.Contradiction) bool { return s.Witness == c.Key() && s.Size == size })
	if at < 0 {
		return 0
	}
	return there[at].Lasted
}

// keepSaid keeps what a witness says, or that it says nothing more. A crash before leaves what it said last: it is asked again at the next start.
func (l *Log) keepSaid(ctx context.Context, c *cosigner, contradicts bool, size uint64, since time.Time) {
	var err error
	switch {
	case contradicts:
		c.settled = false
		lasted := max(l.cfg.Now().Sub(since), 0).Truncate(time.Second)
		err = l.cfg.Store.KeepContradiction(ctx, l.cfg.ID, gateway.Contradiction{Witness: c.Key(), Size: size, Lasted: lasted})
	case !c.settled:
		err = l.cfg.Store.DropContradiction(ctx, l.cfg.ID, c.Key())
		c.settled = err == nil
	}
	if err != nil && ctx.Err() == nil {
		l.warnSaid(ctx, c, err)
	}
}

func (l *Log) warnSaid(ctx context.Context, c *cosigner, err error) {
	l.cfg.Logger.WarnContext(ctx, "how long a witness has contradicted the store is not kept", "log", l.cfg.ID, "witness", c.state.Witness, "error", err)
}
