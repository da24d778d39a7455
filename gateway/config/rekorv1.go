// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// IsRekorV1 reports whether the log is one of Rekor v1.
func (l Log) IsRekorV1() bool { return l.Kind == KindRekorV1 }

// DefaultRekorV1InFlight is Log.InFlight of a Rekor v1 log that has none: each answer comes under a checkpoint of its own, and those are proven
// one after the other.
const DefaultRekorV1InFlight InFlight = 16

// checkKind refuses an origin that no log of the kind has.
func (l *Log) checkKind() error {
	if l.Kind == "" {
		l.Kind = KindRekorV2
	}
	if l.IsRekorV1() && l.InFlight == 0 {
		l.InFlight = DefaultRekorV1InFlight
	}
	if err := l.checkInlineMax(); err != nil {
		return err
	}
	if err := oneOf("kind", l.Kind, KindRekorV2, KindRekorV1); err != nil {
		return err
	}
	switch _, _, isTree := trustroot.SplitRekorV1(l.Origin); {
	case l.IsSourced(): // the log says its tree
	case isTree && !l.IsRekorV1():
		return fmt.Errorf("the origin %q is that of a tree of Rekor v1: set kind: %s", l.Origin, KindRekorV1)
	case !isTree && l.IsRekorV1():
		return fmt.Errorf("the origin %q is not that of a tree of Rekor v1, which is HOST - TREE: it is the first line of its checkpoints", l.Origin)
	}
	return nil
}

// DefaultInlineMax is Log.InlineMax of a Rekor v1 log that has none. What is sent is a third larger, and the public instance takes about 32 MiB.
const DefaultInlineMax Size = 16 << 20

// InlineBytes returns InlineMax in bytes; 0: artifacts are not sent to the log.
func (l Log) InlineBytes() int64 {
	if l.InlineMax == nil {
		return 0
	}
	return int64(*l.InlineMax)
}

// maxInlineMax bounds Log.InlineMax: the log holds what it is sent in memory, several times over.
const maxInlineMax Size = 1 << 30

func (l *Log) checkInlineMax() error {
	switch {
	case l.InlineMax == nil && l.IsRekorV1():
		size := DefaultInlineMax
		l.InlineMax = &size
	case l.InlineMax == nil:
	case !l.IsRekorV1():
		return errors.New("inline_max is for logs of Rekor v1: others take no artifacts")
	case *l.InlineMax < 0 || *l.InlineMax > maxInlineMax:
		return fmt.Errorf("inline_max must be between 0 and %v", maxInlineMax)
	}
	return nil
}

// limitInline lowers what is larger than an artifact that the store takes while it is uploaded: see gateway.BlobStore.
func (c *Config) limitInline() {
	for i := range c.Logs {
		if l, most := &c.Logs[i], c.Limits.MaxPendingBytes/4; l.InlineMax != nil && *l.InlineMax > most {
			l.InlineMax = &most
		}
	}
}

// checkFormerTree refuses what is no tree of Rekor v1.
func checkFormerTree(f FormerLog) error {
	if f.ReadURL != "" {
		return errors.New("all trees of a Rekor v1 log are at its url: leave out read_url")
	}
	if _, _, isTree := trustroot.SplitRekorV1(f.Origin); !isTree {
		return fmt.Errorf("the origin %q is not that of a tree of Rekor v1, which is HOST - TREE", f.Origin)
	}
	return nil
}

// listRekorV1 returns the IDs of a list that are of Rekor v1 logs.
func (c *Config) listRekorV1(ids []string) (v1 []string) {
	for _, l := range c.Logs {
		if l.IsRekorV1() && slices.Contains(ids, l.ID) {
			v1 = append(v1, l.ID)
		}
	}
	return v1
}

// checkOneKind refuses logs of two kinds where one may take over from another: an entry is made for one kind.
func (c *Config) checkOneKind(s LogSet) error {
	if v1 := c.listRekorV1(s.List); s.Mode == ModeFailover && len(v1) > 0 && len(v1) < len(s.List) {
		return fmt.Errorf("logs.mode: with failover all logs of the list are of one kind, and of these %v are of Rekor v1 alone: an entry of one kind is none of the other", v1)
	}
	return nil
}

// checkAnchorLogs refuses logs whose entries cannot all be read: a store that was put back is told by the anchors that it has forgotten.
func (c *Config) checkAnchorLogs(set LogSet) error {
	if v1 := c.listRekorV1(c.ResolvedLogs(set).List); len(v1) > 0 {
		return fmt.Errorf("logs.list: %s is of Rekor v1, and anchors are recorded in logs of Rekor v2 alone: name those", v1[0])
	}
	return nil
}
