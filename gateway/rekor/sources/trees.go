// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// host is where an operator's log of Rekor v1 is, or was, as the signing config says.
type host struct {
	name, base string
	start, end time.Time // when it is written to; an end that is zero is none
	said       Said
}

// ListTrees returns the trees of an operator's log of Rekor v1, the one that is written to at the given time first. The signing config says at which host
// that is, the trusted root has the host's keys, and the log's own signed checkpoints tell its trees: of these, which one it writes to is its word alone. The
// end of the first one is where its key ends, its host's window, or where the next host begins.
func (c *Contents) ListTrees(l Log, at time.Time) ([]rekorv1.Tree, error) {
	hosts, err := c.listHosts(l, at)
	if err != nil {
		return nil, err
	}
	now, err := c.findHost(hosts, at)
	if err != nil {
		return nil, err
	}
	current, err := c.currentTree(hosts, now, at)
	if err != nil {
		return nil, err
	}
	trees := []rekorv1.Tree{current}
	for _, h := range hosts {
		for _, origin := range c.listOrigins(h) {
			for _, trusted := range c.Root.LogsOf(origin) {
				if trusted.Start.After(at) {
					continue // nothing can have been sent there
				}
				trees = addTree(trees, rekorv1.Tree{Log: trusted, URL: h.base})
			}
		}
	}
	return c.closeTrees(trees, l)
}

// listHosts returns the hosts of a log that have begun, and those that are to begin, the latest first.
func (c *Contents) listHosts(l Log, at time.Time) (hosts []host, err error) {
	if c.signing == nil {
		return nil, fmt.Errorf("there is no signing config for a log without an origin")
	}
	operator, err := c.signing.findOperator(l, at)
	if err != nil {
		return nil, err
	}
	for _, service := range c.signing.v1 {
		if service.Operator != operator {
			continue
		}
		h := host{start: service.ValidityPeriodStart, end: service.ValidityPeriodEnd}
		if h.base, h.name, err = splitService(service); err != nil {
			return nil, err
		}
		h.said = c.trees[h.base]
		hosts = append(hosts, h)
	}
	slices.SortStableFunc(hosts, func(a, b host) int { return cmp.Or(b.start.Compare(a.start), strings.Compare(a.base, b.base)) })
	return hosts, nil
}

// findHost returns the host that is written to: of those whose windows are open, and that have keys, the one that came into use last.
func (c *Contents) findHost(hosts []host, at time.Time) (host, error) {
	for _, h := range hosts {
		if !h.start.After(at) && (h.end.IsZero() || h.end.After(at)) && c.hasKey(h.name, at) {
			return h, nil
		}
	}
	return host{}, fmt.Errorf("the trusted root has no key in use for a log of Rekor v1 that the signing config names")
}

// hasKey reports whether a key of the host is in use.
func (c *Contents) hasKey(name string, at time.Time) bool {
	return slices.ContainsFunc(c.Root.LogsOf(name), func(l trustroot.Log) bool {
		return !l.Start.After(at) && (l.End.IsZero() || l.End.After(at))
	})
}

// currentTree returns the tree that the host writes to, with its end.
func (c *Contents) currentTree(hosts []host, now host, at time.Time) (tree rekorv1.Tree, err error) {
	if len(now.said.Checkpoints) == 0 {
		if now.said.Err != nil {
			return tree, fmt.Errorf("the log at %s has not said yet which tree it writes to: %w", now.base, now.said.Err)
		}
		return tree, fmt.Errorf("the log at %s has not said yet which tree it writes to", now.base)
	}
	origin, err := c.openTree(now.name, now.said.Checkpoints[0])
	if err != nil {
		return tree, fmt.Errorf("the log at %s: %w", now.base, err)
	}
	tree = rekorv1.Tree{URL: now.base}
	if tree.Log, err = KeyInUse(c.Root, origin, at); err != nil {
		return tree, err
	}
	tree.Log.End = earliest(tree.Log.End, now.end)
	for _, h := range hosts {
		for _, next := range c.Root.LogsOf(h.name) {
			if begin := h.beginBy(next); !h.start.Before(now.start) && begin.After(at) {
				tree.Log.End = earliest(tree.Log.End, begin)
			}
		}
	}
	return tree, nil
}

// beginBy returns when the host is written to by a key for the first time; zero: never.
func (h host) beginBy(key trustroot.Log) time.Time {
	begin := h.start
	if key.Start.After(begin) {
		begin = key.Start
	}
	if !h.end.IsZero() && !begin.Before(h.end) || !key.End.IsZero() && !begin.Before(key.End) {
		return time.Time{}
	}
	return begin
}

// earliest returns the earlier of two ends, of which one that is zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// listOrigins returns the origins of the host's trees whose checkpoints are right.
func (c *Contents) listOrigins(h host) (origins []string) {
	for _, text := range h.said.Checkpoints {
		if origin, err := c.openTree(h.name, text); err == nil {
			origins = append(origins, origin)
		}
	}
	return origins
}

// openTree returns the origin of a tree of the host, once its checkpoint has the signature of one of the host's keys.
func (c *Contents) openTree(name, checkpoint string) (origin string, err error) {
	origin, _, _ = strings.Cut(checkpoint, "\n")
	if of, _, isTree := trustroot.SplitRekorV1(origin); !isTree || of != name {
		return "", fmt.Errorf("a checkpoint of %.80q, which is no tree of %s", origin, name)
	}
	err = fmt.Errorf("the trusted root has no key for a log of Rekor v1 called %s", name)
	for _, trusted := range c.Root.LogsOf(origin) {
		if _, err = tiles.OpenCheckpoint([]byte(checkpoint), origin, trusted.Verifier); err == nil {
			return origin, nil
		}
	}
	return "", err
}

// addTree adds a tree, unless it is there.
func addTree(trees []rekorv1.Tree, t rekorv1.Tree) []rekorv1.Tree {
	for _, known := range trees {
		if known.Log.Origin == t.Log.Origin && slices.Equal(known.Log.ID, t.Log.ID) {
			return trees
		}
	}
	return append(trees, t)
}

// closeTrees has trees that the configuration calls former be closed where it says so. Those that nobody has named are added, at the log's host.
func (c *Contents) closeTrees(trees []rekorv1.Tree, l Log) ([]rekorv1.Tree, error) {
	for _, f := range l.Former {
		if trees[0].Log.Origin == f.Origin {
			return nil, fmt.Errorf("the former log called %s is the one that is written to", f.Origin)
		}
		logs := c.Root.LogsOf(f.Origin)
		if len(logs) == 0 {
			return nil, fmt.Errorf("the trusted root has no key for the former log called %s", f.Origin)
		}
		for _, trusted := range logs {
			trees = addTree(trees, rekorv1.Tree{Log: trusted, URL: trees[0].URL})
		}
		for i := range trees {
			if trees[i].Log.Origin == f.Origin {
				trees[i].Closed = f.Closed
			}
		}
	}
	return trees, nil
}
