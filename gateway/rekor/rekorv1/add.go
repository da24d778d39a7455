// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
)

// duplicatePoll is how often a known entry is asked for that is not yet in the tree.
const duplicatePoll = 500 * time.Millisecond

// readsAtOnce is how many entries are asked for at once.
const readsAtOnce = 8

// Add implements gateway.Log.
func (l *Log) Add(ctx context.Context, name gateway.Shard, p gateway.Prepared) (inclusion *gateway.Inclusion, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallAdd, start, err) }(time.Now())
	t, writable := l.use().current()
	if !writable || t.name != name {
		return nil, fmt.Errorf("%w: nothing is written to this tree of the log now", gateway.ErrNotSent)
	}
	if err := checkBody(p); err != nil {
		return nil, err
	}
	if p.LeafHash != hashedrekord.LeafHash(p.Body) {
		return nil, fmt.Errorf("%w: stored entry does not match its hash", gateway.ErrRefused)
	}
	if err := t.checkpoints.Guard(ctx); errors.Is(err, gateway.ErrFork) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	request, err := newRequest(ctx, l.use().cfg.Blobs, p)
	if err != nil {
		return nil, err
	}
	return t.addEntry(ctx, request, p.Body)
}

// checkBody refuses what is no entry in the form that the log logs it in.
func checkBody(p gateway.Prepared) error {
	var err error
	switch p.Kind {
	case hashedrekord.V1Kind:
		_, err = hashedrekord.RekorV1.Parse(p.Body)
	case rekord.Kind:
		_, err = rekord.Parse(p.Body)
	case tufrecord.Kind:
		_, err = tufrecord.Parse(p.Body)
	default:
		return fmt.Errorf("%w: %.40q, and a Rekor v1 log takes %s, %s and %s", gateway.ErrOtherKind, p.Kind, hashedrekord.V1Kind, rekord.Kind, tufrecord.Kind)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrRefused, err)
	}
	return nil
}

// addEntry sends the request for a body, which is in the form that the log logs it in.
func (t *tree) addEntry(ctx context.Context, request entryRequest, body []byte) (*gateway.Inclusion, error) {
	timeout := t.requestTimeout
	if request.whole {
		timeout += gateway.SendTime(request.size)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+t.timeout)
	defer cancel()
	var entries map[string]logEntry
	duplicate := false
	send, cancelSend := context.WithTimeout(ctx, timeout)
	defer cancelSend()
	err := t.postEntry(send, request, func(response *http.Response) error {
		switch response.StatusCode {
		case http.StatusCreated:
			return readJSON(response.Body, 2*len(body)+answerSlack, &entries)
		case http.StatusConflict:
			duplicate = true
			return t.checkLocation(response.Header.Get("Location"), body)
		}
		return mapStatus(response, request.whole)
	})
	switch {
	case err != nil:
		return nil, err
	case duplicate:
		return t.findDuplicate(ctx, body)
	}
	return t.verifyAnswer(ctx, entries, body)
}

// checkLocation checks that what the log has already is what it was sent, in this tree. Of the location nothing but the id counts, never the
// host.
func (t *tree) checkLocation(location string, body []byte) error {
	want := t.entryID(hashedrekord.LeafHash(body))
	u, err := url.Parse(location)
	if err != nil || path.Base(u.Path) != want {
		return fmt.Errorf("%w: a duplicate that is not entry %s", gateway.ErrBadAnswer, want)
	}
	return nil
}

// findDuplicate returns the inclusion of an entry that the log has already. It may not be in the tree yet: then it waits, until ctx ends.
func (t *tree) findDuplicate(ctx context.Context, body []byte) (*gateway.Inclusion, error) {
	inclusion, err := backoff.Retry(ctx, func() (*gateway.Inclusion, error) {
		inclusion, err := t.lookUpEntry(ctx, hashedrekord.LeafHash(body), body)
		if err != nil && !errors.Is(err, gateway.ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		return inclusion, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(duplicatePoll)), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return nil, fmt.Errorf("looking up duplicate %s: %w", t.entryID(hashedrekord.LeafHash(body)), err)
	}
	return inclusion, nil
}

// lookUpEntry returns the inclusion of a leaf. A body of nil is not known: then it is the log's, which has to hash to the leaf.
func (t *tree) lookUpEntry(ctx context.Context, leaf gateway.LeafHash, body []byte) (*gateway.Inclusion, error) {
	limit := 2*hashedrekord.MaxBody + answerSlack
	if body != nil {
		limit = 2*len(body) + answerSlack
	}
	var entries map[string]logEntry
	if err := t.getJSON(ctx, path.Join(entriesPath, t.entryID(leaf)), nil, limit, &entries); err != nil {
		return nil, err
	}
	if body == nil {
		body = entries[t.entryID(leaf)].Body
		if hashedrekord.LeafHash(body) != leaf {
			return nil, fmt.Errorf("%w: another entry than %s", gateway.ErrBadAnswer, t.entryID(leaf))
		}
	}
	return t.verifyAnswer(ctx, entries, body)
}

// Find implements gateway.Log. Each leaf is asked for by its hash; that the others are absent is the log's word.
func (l *Log) Find(ctx context.Context, name gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (found gateway.Found, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallFind, start, err) }(time.Now())
	t, err := l.findTree(name)
	if err != nil {
		return gateway.Found{}, err
	}
	cp, err := t.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return gateway.Found{}, err
	}
	found = gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{}, Failed: map[gateway.LeafHash]error{}}
	for i, answer := range t.lookUpAll(ctx, leaves) {
		switch inclusion, err := answer.inclusion, answer.err; {
		case errors.Is(err, errNotFound):
		case errors.Is(err, gateway.ErrFork):
			return found, err
		case err != nil:
			found.Failed[leaves[i]] = err
		case inclusion.Index >= from && inclusion.Index < to:
			found.Inclusions[leaves[i]] = inclusion
		}
	}
	if len(leaves) > 0 && len(found.Failed) == len(leaves) {
		return found, found.Failed[leaves[0]]
	}
	found.AbsentTo = min(to, cp.Size)
	return found, nil
}

// lookedUp is what the log answers for one leaf.
type lookedUp struct {
	inclusion *gateway.Inclusion
	err       error
	panicked  any // what looking it up panicked with
}

// lookUpAll looks up leaves, a few at once. A panic goes on in the caller's goroutine, which reports it.
func (t *tree) lookUpAll(ctx context.Context, leaves []gateway.LeafHash) []lookedUp {
	answers := make([]lookedUp, len(leaves))
	var g errgroup.Group
	g.SetLimit(readsAtOnce)
	for i, leaf := range leaves {
		g.Go(func() error {
			a := &answers[i]
			defer func() { a.panicked = recover() }()
			a.inclusion, a.err = t.lookUpEntry(ctx, leaf, nil)
			return nil
		})
	}
	_ = g.Wait() // of answers that have errors of their own
	for _, a := range answers {
		if a.panicked != nil {
			panic(a.panicked)
		}
	}
	return answers
}
