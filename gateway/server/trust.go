// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// trustKeeper keeps the gateway trust file. While the file is there, what it says stays, and only keys
// and logs that it lacks are added. When it is missing, it cannot be begun anew: statements that were
// logged before would count no more. So it is made again from what the store has, or start fails.
type trustKeeper struct {
	store   gateway.Reader
	anchors gateway.OwnLogs
	logs    []trustedLog // the own log among them
	logger  *slog.Logger
}

// trustedLog is a log whose entries the gateway's key is to count for.
type trustedLog struct {
	id, origin string
	size       func(context.Context) (uint64, error) // of the shard that is written to
}

// prepareFirstStart tells the first start from a lost file, before the key is made: a key of which
// there is no file yet has signed nothing. An empty trust file says so from then on, also when the
// start fails half way.
func (k *trustKeeper) prepareFirstStart(ctx context.Context, c config.Attestation) error {
	if !c.CreateKey || exists(c.Key) || exists(c.GatewayTrust) {
		return nil
	}
	if c.GatewayTrustFrom == nil {
		uses, err := k.findUses(ctx)
		if err != nil {
			return err
		}
		if len(uses) > 0 {
			return fmt.Errorf("the store has attested submissions, and both the attestation key %s and the gateway trust %s are missing: "+
				"verifiers would refuse those receipts. Restore the files; or set attestation.gateway_trust_from: 0 to begin anew without them", c.Key, c.GatewayTrust)
		}
	}
	trust, err := trustroot.NewGateway()
	if err != nil {
		return err
	}
	return trust.Write(c.GatewayTrust)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// keepTrust returns the trust file's content once the active key counts for all logs: where it has no range yet, from the log's size now
// on, or from the first of its statements that was sent there before, as it is where a shard has begun by the clock.
func (k *trustKeeper) keepTrust(ctx context.Context, c config.Attestation, active []byte, others [][]byte) (*trustroot.Gateway, error) {
	trust, err := trustroot.LoadGateway(c.GatewayTrust)
	lost := errors.Is(err, fs.ErrNotExist)
	if lost {
		trust, err = k.rebuildTrust(ctx, c, active, others)
	}
	if err != nil {
		return nil, err
	}
	from := map[string]int64{}
	known, _ := trust.Key(active)
	for _, l := range k.logs {
		if hasRange(known, l.origin) {
			continue
		}
		if lost && c.GatewayTrustFrom != nil {
			from[l.origin] = *c.GatewayTrustFrom
			continue
		}
		if from[l.origin], err = k.readSize(ctx, l.origin); err != nil {
			return nil, err
		}
	}
	if len(from) == 0 && !lost {
		return trust, nil
	}
	if err := k.lowerToUses(ctx, active, from); err != nil { // after the sizes: what is sent later is behind them
		return nil, err
	}
	if trust, err = trust.WithKey(active, from); err != nil {
		return nil, err
	}
	if lost {
		if trust, err = k.addOwnLogs(ctx, trust); err != nil {
			return nil, err
		}
	}
	return trust, trust.Write(c.GatewayTrust)
}

// lowerToUses has no range of a key begin behind what the store says it has signed in that log.
func (k *trustKeeper) lowerToUses(ctx context.Context, spki []byte, from map[string]int64) error {
	err := k.store.EachAttested(ctx, func(e gateway.Entry, body []byte) error {
		index, sent := earliestIndex(e)
		size, begins := from[e.Shard.Origin]
		if !sent || !begins || index >= size {
			return nil
		}
		record, err := hashedrekord.ParseKind(e.Kind, body)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.ID, err)
		}
		if bytes.Equal(record.SPKI, spki) {
			from[e.Shard.Origin] = index
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adding a key to the gateway trust: %w", err)
	}
	return nil
}

// readSize returns the size of the log called origin now.
func (k *trustKeeper) readSize(ctx context.Context, origin string) (int64, error) {
	for _, l := range k.logs {
		if l.origin != origin {
			continue
		}
		size, err := l.size(ctx)
		if err != nil {
			return 0, fmt.Errorf("adding a key to the gateway trust: reading log %s: %w", l.id, err)
		}
		return int64(size), nil
	}
	return 0, fmt.Errorf("adding a key to the gateway trust: there is no log called %s", origin)
}

// restartRange has the key count from the first index on in the log called origin.
func (k *trustKeeper) restartRange(path string, spki []byte, origin string) error {
	before, err := trustroot.LoadGateway(path)
	if err != nil {
		return err
	}
	trust, err := before.FromStart(spki, origin)
	if err != nil || trust == before {
		return err
	}
	k.logger.Warn("the log's indexes have begun again under its old name: the attestation key counts from the first one on; give verifiers the new gateway trust file",
		"path", path, "origin", origin)
	return trust.Write(path)
}

// hasRange reports whether k has a range in the log called origin, whether it has ended or not.
func hasRange(k trustroot.GatewayKey, origin string) bool {
	return slices.ContainsFunc(k.Logs, func(l trustroot.LogRange) bool { return l.Origin == origin })
}

// rebuildTrust makes a lost file again from the statements in the store: each key counts from the
// first index that one of its statements has or may get, and a key that signs no more up to the last.
// What the operator set has precedence.
func (k *trustKeeper) rebuildTrust(ctx context.Context, c config.Attestation, active []byte, others [][]byte) (*trustroot.Gateway, error) {
	if c.GatewayTrustFrom != nil {
		return trustroot.NewGateway()
	}
	uses, err := k.findUses(ctx)
	if err != nil {
		return nil, err
	}
	if len(uses) == 0 {
		return nil, fmt.Errorf("the gateway trust %s is missing, and the store has no statement from which to make it again: "+
			"if the key has signed any, verifiers would refuse them. Restore the file; "+
			"or set attestation.gateway_trust_from: 0, so that the key counts for every entry of the logs", c.GatewayTrust)
	}
	var keys []trustroot.GatewayKey
	for _, u := range uses {
		isActive := bytes.Equal(u.spki, active)
		if !isActive && !slices.ContainsFunc(others, func(o []byte) bool { return bytes.Equal(o, u.spki) }) {
			return nil, fmt.Errorf("the gateway trust %s is missing, and the store has statements by a key that is not configured: "+
				"verifiers would refuse them. Restore the file; or name that key in attestation.other_keys; "+
				"or set attestation.gateway_trust_from: 0 to begin anew without it", c.GatewayTrust)
		}
		for i := range u.logs {
			if l := &u.logs[i]; l.first == math.MaxInt64 { // all that it has there is still to be sent
				if l.first, err = k.readSize(ctx, l.origin); err != nil {
					return nil, err
				}
			}
		}
		keys = append(keys, u.toKey(isActive))
	}
	k.logger.Warn("the gateway trust file was missing and is made again from the store", "path", c.GatewayTrust, "keys", len(keys))
	return trustroot.NewGateway(keys...)
}

// keyUse is where a key has signed statements, by the store.
type keyUse struct {
	spki []byte
	logs []logUse
}

// logUse is where a key's statements are, or will be, in the log called origin.
type logUse struct {
	origin      string
	first, last int64 // indexes; first may be before that of the first statement, and never after
	waiting     bool  // there are some that are not logged yet
}

// toKey returns the ranges of the key: without an end where it signs on, or where statements wait.
func (u *keyUse) toKey(active bool) trustroot.GatewayKey {
	key := trustroot.GatewayKey{SPKI: u.spki}
	for _, l := range u.logs {
		r := trustroot.LogRange{Origin: l.origin, From: l.first}
		if !active && !l.waiting {
			r.To = &l.last
		}
		key.Logs = append(key.Logs, r)
	}
	return key
}

// findUses returns the keys that signed the statements in the store.
func (k *trustKeeper) findUses(ctx context.Context) ([]*keyUse, error) {
	origins := map[string]string{}
	for _, l := range k.logs {
		origins[l.id] = l.origin
	}
	own, err := k.anchors.ListOwnLogs(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the gateway trust again: %w", err)
	}
	former := map[string]bool{} // by origin
	for _, l := range own {
		former[l.Origin] = origins[l.ID] == ""
		origins[l.ID] = l.Origin
	}
	var uses []*keyUse
	err = k.store.EachAttested(ctx, func(e gateway.Entry, body []byte) error {
		record, err := hashedrekord.ParseKind(e.Kind, body)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.ID, err)
		}
		origin := e.Shard.Origin
		if origin == "" { // not claimed yet, or stored by a release that had one shard for each log
			origin = origins[e.Log]
		}
		if origin == "" {
			return fmt.Errorf("entry %d is in the log %s, which is not configured", e.ID, e.Log)
		}
		at := slices.IndexFunc(uses, func(u *keyUse) bool { return bytes.Equal(u.spki, record.SPKI) })
		if at < 0 {
			at = len(uses)
			uses = append(uses, &keyUse{spki: bytes.Clone(record.SPKI)})
		}
		uses[at].addEntry(origin, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("making the gateway trust again: %w", err)
	}
	for _, u := range uses { // what waits for a former own log gets no index there
		u.logs = slices.DeleteFunc(u.logs, func(l logUse) bool { return l.first == math.MaxInt64 && former[l.origin] })
	}
	return uses, nil
}

// addEntry takes one entry into account. One that was never sent says only that some wait.
func (u *keyUse) addEntry(origin string, e gateway.Entry) {
	at := slices.IndexFunc(u.logs, func(l logUse) bool { return l.origin == origin })
	if at < 0 {
		at = len(u.logs)
		u.logs = append(u.logs, logUse{origin: origin, first: math.MaxInt64, last: -1})
	}
	l := &u.logs[at]
	switch {
	case e.LogIndex != nil:
		l.first, l.last = min(l.first, int64(*e.LogIndex)), max(l.last, int64(*e.LogIndex))
	case e.SentAtTreeSize != nil:
		l.first, l.waiting = min(l.first, int64(*e.SentAtTreeSize)), true
	default:
		l.waiting = true
	}
}
