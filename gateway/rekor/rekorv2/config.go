// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
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

// Config describes one log, a single shard.
type Config struct {
	ID     string // gateway.LogInfo.ID
	Origin string // the checkpoints' origin line

	// GRPCURL is where entries are written: https://HOST[:PORT] with TLS, or
	// http://HOST[:PORT] without. It has no path.
	GRPCURL string
	// ReadURL is where the tiles are read (C2SP tlog-tiles): /checkpoint and /tile/ are below it.
	ReadURL string
	// RootCAs are trusted for both URLs; nil means the system's.
	RootCAs *x509.CertPool

	// Verifier has the log's key, from the trusted root. Its name is the origin.
	Verifier note.Verifier
	// KeyID is the log's id in the trusted root, 32 bytes: SHA-256 over origin and key
	// (C2SP signed-note), of which the checkpoints' signature lines show the first four.
	KeyID []byte

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
}

const (
	defaultRequestTimeout = 30 * time.Second
	defaultReadTimeout    = 10 * time.Second
	maxConnections        = 100
	maxBundle             = layout.EntryBundleWidth * (2 + hashedrekord.MaxBody) // bytes
)

// withDefaults returns c with zero values replaced, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.ID == "" || c.Origin == "" {
		return c, errors.New("log needs an id and an origin")
	}
	if c.Verifier == nil || c.Verifier.Name() != c.Origin {
		return c, fmt.Errorf("log %s: the verifier is not for origin %q", c.ID, c.Origin)
	}
	if len(c.KeyID) != sha256.Size || binary.BigEndian.Uint32(c.KeyID) != c.Verifier.KeyHash() {
		return c, fmt.Errorf("log %s: the key id does not belong to the verifier", c.ID)
	}
	if c.IntegrationDelay < 0 || c.RequestTimeout < 0 || c.ReadTimeout < 0 || c.Connections < 0 || c.Connections > maxConnections {
		return c, fmt.Errorf("log %s: timeouts, delay and connections must not be negative, connections at most %d", c.ID, maxConnections)
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
	return c, nil
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

// shard returns the shard whose checkpoints are read. withDefaults has checked the key id's length.
func (c Config) shard() gateway.Shard {
	return gateway.Shard{Origin: c.Origin, KeyID: [sha256.Size]byte(c.KeyID)}
}
