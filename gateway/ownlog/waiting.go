// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// maxWaiting is how many anchors may wait for one log, by what this process has made. An anchor is made every few seconds, whether or not a log is
// down that it can do without: all of them together would fill the queue, and shut out callers.
const maxWaiting = 16

// waitingAnchors are the IDs of anchors that may not be in a log yet, oldest first, by the ID of the log.
type waitingAnchors map[string][]string

// chooseLogs returns the logs in which the next anchor is recorded: all of the set, but for those for which so many wait already, as long as need are left.
func (l *Log) chooseLogs(ctx context.Context, set LogSet) ([]gateway.Recorder, error) {
	chosen, left := slices.Clone(set.List), len(set.List)
	for _, r := range set.List {
		id := r.Describe().ID
		if err := l.dropSettled(ctx, id); err != nil {
			return nil, err
		}
		if len(l.waiting[id]) >= maxWaiting && left > set.Need {
			left--
			chosen = slices.DeleteFunc(chosen, func(c gateway.Recorder) bool { return c.Describe().ID == id })
		}
	}
	return chosen, nil
}

// dropSettled forgets anchors that do not wait for the log any more. Those that do are behind the first that does, as a rule.
func (l *Log) dropSettled(ctx context.Context, log string) error {
	for len(l.waiting[log]) > 0 {
		anchor, err := l.cfg.Store.Get(ctx, gateway.AnchorTenant(l.cfg.ID), l.waiting[log][0])
		if err != nil && !errors.Is(err, gateway.ErrNotFound) { // the store may have gone back
			return err
		}
		if err == nil && slices.ContainsFunc(anchor.Entries, func(e gateway.Entry) bool { return e.Log == log && e.State == gateway.Pending }) {
			return nil
		}
		l.waiting[log] = l.waiting[log][1:]
	}
	return nil
}

// noteWaiting notes that an anchor was stored.
func (l *Log) noteWaiting(anchor gateway.Submission) {
	if l.waiting == nil {
		l.waiting = waitingAnchors{}
	}
	for _, e := range anchor.Entries {
		if e.State == gateway.Pending && !slices.Contains(l.waiting[e.Log], anchor.ID) {
			l.waiting[e.Log] = append(l.waiting[e.Log], anchor.ID)
		}
	}
}
