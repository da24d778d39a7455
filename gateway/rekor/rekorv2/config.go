// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// Config describes one log: its shards, of which one is written to at a time.
type Config struct {
	ID string // gateway.LogInfo.ID

	// Shards are those that are known, each once. The current one is, of those with a GRPCURL whose
	// key is in use, the one whose key came into use last. Those whose keys are not in use yet wait.
	Shards []Shard

	// TrustedUntil is when nothing is written to any shard any more, since what says so has expired; zero: never.
	TrustedUntil time.Time

	// UserAgent is the User-Agent header of all requests; "" is DefaultUserAgent.
	UserAgent string

	// RootCAs are trusted for all URLs; nil means the system's.
	RootCAs *x509.CertPool

	// IntegrationDelay is gateway.LogInfo.IntegrationDelay.
	IntegrationDelay time.Duration

	// RequestTimeout bounds one write, the wait for the log's next checkpoint included.
	// Zero is 30 seconds.
	RequestTimeout time.Duration
	// ReadTimeout bounds one read of a checkpoint, tile or bundle. Zero is 10 seconds.
	ReadTimeout time.Duration
	// Connections is how many connections share the writes. The upstream server takes any
	// number of concurrent calls on one; a proxy in front of it often takes only 100. Zero is 1.
	Connections int

	// Now tells whose key is in use; nil is time.Now.
	Now func() time.Time
}

// Shard is one shard of a log: an origin and a key.
type Shard struct {
	Origin string // the checkpoints' origin line

	// GRPCURL is where entries are written: https://HOST[:PORT] with TLS, or
	// http://HOST[:PORT] without. It has no path. Where it is empty, nothing is written.
	GRPCURL string
	// ReadURL is where the tiles are read (C2SP tlog-tiles): /checkpoint and /tile/ are below it.
	ReadURL string

	// Verifier has the log's key, from the trusted root. Its name is the origin.
	Verifier note.Verifier
	// KeyID is the log's id in the trusted root, 32 bytes: SHA-256 over origin and key
	// (C2SP signed-note), of which the checkpoints' signature lines show the first four.
	KeyID []byte
	// Start and End are when the key is in use; a zero End is none.
	Start, End time.Time

	// Closed is gateway.FormerShard.Closed.
	Closed bool
}

// DefaultUserAgent is Config.UserAgent where it is not set.
const DefaultUserAgent = "rekor-gateway"

const (
	defaultRequestTimeout = 30 * time.Second
	defaultReadTimeout    = 10 * time.Second
	maxConnections        = 100
	maxBundle             = layout.EntryBundleWidth * (2 + hashedrekord.MaxBody) // bytes
)

// withDefaults returns c with zero values replaced, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.ID == "" {
		return c, errors.New("log needs an id")
	}
	if err := checkShards(c.Shards); err != nil {
		return c, err
	}
	if c.IntegrationDelay < 0 || c.RequestTimeout < 0 || c.ReadTimeout < 0 || c.Connections < 0 || c.Connections > maxConnections {
		return c, fmt.Errorf("timeouts, delay and connections must not be negative, connections at most %d", maxConnections)
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = defaultReadTimeout
	}
	if c.Connections == 0 {
		c.Connections = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.UserAgent = cmp.Or(c.UserAgent, DefaultUserAgent)
	return c, nil
}

func checkShards(shards []Shard) error {
	seen, writable := map[gateway.Shard]bool{}, false
	for _, s := range shards {
		if s.Origin == "" || s.Verifier == nil || s.Verifier.Name() != s.Origin {
			return fmt.Errorf("the verifier is not for origin %q", s.Origin)
		}
		if len(s.KeyID) != sha256.Size || binary.BigEndian.Uint32(s.KeyID) != s.Verifier.KeyHash() {
			return fmt.Errorf("the key id does not belong to the verifier of %q", s.Origin)
		}
		if seen[s.name()] {
			return fmt.Errorf("%q is there twice with one key", s.Origin)
		}
		seen[s.name()] = true
		writable = writable || s.GRPCURL != ""
	}
	if !writable {
		return errors.New("there is no shard to write to")
	}
	return nil
}

// grpcTarget returns host:port, and whether to use TLS.
func grpcTarget(raw string) (target string, secure bool, err error) {
	u, err := tiles.ParseURL(raw)
	if err != nil {
		return "", false, err
	}
	if u.Path != "" && u.Path != "/" {
		return "", false, fmt.Errorf("gRPC URL %q has a path", raw)
	}
	secure = u.Scheme == "https"
	port := u.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

// name returns what the shard is called. checkShards has checked the key id's length.
func (s Shard) name() gateway.Shard {
	return gateway.Shard{Origin: s.Origin, KeyID: [sha256.Size]byte(s.KeyID)}
}

// How near a shard is to being written to.
const (
	notBegun = iota // its key is not in use yet
	ended
	inUse
)

func (s Shard) rankAt(at time.Time) int {
	switch {
	case s.Start.After(at):
		return notBegun
	case !s.End.IsZero() && !s.End.After(at):
		return ended
	}
	return inUse
}

// compareUse is positive where a is rather the current shard than b: the one in use goes before the others, then the later
// start. Of those that have not begun it is the earlier one.
func compareUse(a, b Shard, at time.Time) int {
	rank := a.rankAt(at)
	if c := cmp.Compare(rank, b.rankAt(at)); c != 0 {
		return c
	}
	if rank == notBegun {
		return b.Start.Compare(a.Start)
	}
	return a.Start.Compare(b.Start)
}

// chooseCurrent returns the index of the shard that is written to at a time, or else of the one that was last, and whether its
// key is in use. Shards that were checked have one that can be written to.
func chooseCurrent(shards []Shard, at time.Time) (current int, writable bool) {
	current = -1
	for i, s := range shards {
		if s.GRPCURL != "" && (current < 0 || compareUse(s, shards[current], at) > 0) {
			current = i
		}
	}
	return current, shards[current].rankAt(at) == inUse
}

// CurrentShard returns, of checked shards, the one that is written to at a time.
func CurrentShard(shards []Shard, at time.Time) (current Shard, writable bool) {
	i, writable := chooseCurrent(shards, at)
	return shards[i], writable
}
