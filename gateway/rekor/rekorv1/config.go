// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// Config describes one log.
type Config struct {
	ID string // gateway.LogInfo.ID

	// URL is what /api/v1/ is below: http or https, without user, query or fragment.
	URL string
	// UserAgent is the User-Agent header of all requests; "" is DefaultUserAgent.
	UserAgent string
	// RootCAs are trusted for https; nil means the system's.
	RootCAs *x509.CertPool
	// Trees are those that are known, each once. The first one is written to; the others were before.
	Trees []Tree

	// TrustedUntil is when nothing is written to any tree any more, since what says so has expired; zero: never.
	TrustedUntil time.Time
	// IntegrationDelay is gateway.LogInfo.IntegrationDelay.
	IntegrationDelay time.Duration
	// InlineMax is gateway.LogInfo.InlineMax: artifacts are read from Blobs when their entries are sent.
	InlineMax int64
	Blobs     gateway.Blobs
	// RequestTimeout bounds one write; one with an artifact may take gateway.SendTime longer. Zero is 30 seconds.
	RequestTimeout time.Duration
	// ReadTimeout bounds one read. Zero is 10 seconds.
	ReadTimeout time.Duration
	// Now tells whether a key is in use; nil is time.Now.
	Now func() time.Time

	base *url.URL // of URL
}

// DefaultUserAgent is Config.UserAgent where it is not set.
const DefaultUserAgent = "rekor-gateway"

// Tree is one tree of a log.
type Tree struct {
	// Log is the tree as the trusted root's LogsOf returns it for its origin.
	Log trustroot.Log
	// Closed is gateway.FormerShard.Closed.
	Closed bool
	// URL is Config.URL of this tree, where a source names the tree and may have it at another host than the others; "" is Config's.
	URL string
}

const (
	defaultRequestTimeout = 30 * time.Second
	defaultReadTimeout    = 10 * time.Second
)

// withDefaults returns c with zero values replaced, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.ID == "" {
		return c, errors.New("log needs an id")
	}
	c, err := c.withClientDefaults()
	if err != nil {
		return c, err
	}
	if len(c.Trees) == 0 {
		return c, errors.New("there is no tree to write to")
	}
	seen := map[gateway.Shard]bool{}
	for _, t := range c.Trees {
		if !t.Log.IsRekorV1() || len(t.Log.ID) != sha256.Size {
			return c, fmt.Errorf("%q is no tree of a Rekor v1 log", t.Log.Origin)
		}
		if t.URL != "" {
			if _, err := tiles.ParseURL(t.URL); err != nil {
				return c, err
			}
		}
		if seen[t.name()] {
			return c, fmt.Errorf("%q is there twice with one key", t.Log.Origin)
		}
		seen[t.name()] = true
	}
	if c.InlineMax < 0 || c.InlineMax > 0 && c.Blobs == nil {
		return c, errors.New("what artifacts are read from is missing, or their bound is negative")
	}
	if c.IntegrationDelay < 0 || c.RequestTimeout < 0 {
		return c, errors.New("timeouts and delay must not be negative")
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// withClientDefaults is withDefaults of what every request needs.
func (c Config) withClientDefaults() (Config, error) {
	var err error
	if c.base, err = tiles.ParseURL(c.URL); err != nil {
		return c, err
	}
	if c.ReadTimeout < 0 {
		return c, errors.New("timeouts and delay must not be negative")
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = defaultReadTimeout
	}
	if c.UserAgent == "" {
		c.UserAgent = DefaultUserAgent
	}
	return c, nil
}

// baseOf returns what /api/v1/ is below, for one of the trees. withDefaults has checked it.
func (c Config) baseOf(t Tree) *url.URL {
	if base, err := tiles.ParseURL(t.URL); t.URL != "" && err == nil {
		return base
	}
	return c.base
}

// name returns what the tree is called. withDefaults has checked the id's length.
func (t Tree) name() gateway.Shard {
	return gateway.Shard{Origin: t.Log.Origin, KeyID: [sha256.Size]byte(t.Log.ID)}
}
