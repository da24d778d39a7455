// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// OwnLog is the log of the gateway's own, for what is recorded BATCHED. Without an origin there is none.
type OwnLog struct {
	Origin     string `yaml:"origin,omitempty"`      // of its checkpoints: a URL without its scheme (C2SP tlog-checkpoint)
	Key        string `yaml:"key,omitempty"`         // PEM file of an Ed25519 private key, which signs checkpoints
	AnchorKey  string `yaml:"anchor_key,omitempty"`  // PEM file of an ECDSA P-256 private key, which signs anchors
	CreateKeys bool   `yaml:"create_keys,omitempty"` // make the keys when there are no such files
	// AnchorEvery is how long after an anchor the next one is made.
	AnchorEvery time.Duration `yaml:"anchor_every,omitempty"`
	Logs        LogSet        `yaml:"logs,omitempty"` // where anchors are recorded
	// Closed are the origins of former own logs, which have ended for good: what waits for them is recorded in this one.
	Closed []string `yaml:"closed,omitempty"`
	// Witnesses cosign what is anchored, and say at each start what they have cosigned.
	Witnesses []Witness `yaml:"witnesses,omitempty"`
}

// Witness cosigns the own log's checkpoints (C2SP tlog-witness).
type Witness struct {
	Key string `yaml:"key,omitempty"` // verifier key of its cosignatures
	URL string `yaml:"url,omitempty"` // submission prefix: https, or http on this machine
}

const (
	minAnchorEvery = time.Second
	maxAnchorEvery = time.Hour
	// maxWitnesses bounds the cosignatures in a receipt: those of ML-DSA-44 have 3,300 bytes each.
	maxWitnesses = 8
)

// IsSet reports whether there is an own log.
func (o OwnLog) IsSet() bool { return o.Origin != "" }

func (c *Config) checkOwnLog() error {
	o := c.OwnLog
	if !o.IsSet() {
		if o.Key != "" || o.AnchorKey != "" || o.CreateKeys || len(o.Logs.List) > 0 || len(o.Closed) > 0 || len(o.Witnesses) > 0 {
			return errors.New("own_log.origin is missing: name the log, or leave out the other fields")
		}
		return nil
	}
	if !isOrigin(o.Origin) {
		return errors.New(`own_log.origin is not a name for a log: it is shown in checkpoints, and has neither spaces nor "+"; use a URL of yours without https://`)
	}
	switch {
	case o.Key == "" || o.AnchorKey == "":
		return errors.New("own_log.key and own_log.anchor_key are needed: name the keys' files; with create_keys they are made")
	case o.Key == o.AnchorKey || o.Key == c.Attestation.Key || o.AnchorKey == c.Attestation.Key:
		return errors.New("own_log: each key is for one thing: own_log.key, own_log.anchor_key and attestation.key are three files")
	case c.Attestation.GatewayTrust == "":
		return errors.New("attestation.gateway_trust is missing: it is what verifiers know the own log by")
	case o.AnchorEvery < minAnchorEvery || o.AnchorEvery > maxAnchorEvery:
		return errors.New(`own_log.anchor_every is not between 1s and 1h; write it as "10s"`)
	}
	for _, l := range c.Logs {
		if l.ID == o.ID() || l.Origin == o.Origin {
			return fmt.Errorf("own_log: the log %s has its id, %s, or its origin", l.ID, o.ID())
		}
	}
	if err := errors.Join(c.checkLogSet(o.Logs), c.checkAnchorLogs(o.Logs)); err != nil {
		return fmt.Errorf("own_log.%w", err)
	}
	if err := o.checkClosed(); err != nil {
		return err
	}
	return o.checkWitnesses()
}

// checkClosed refuses to close the log itself, and names that no log has.
func (o OwnLog) checkClosed() error {
	for i, origin := range o.Closed {
		switch {
		case !isOrigin(origin):
			return fmt.Errorf("own_log.closed[%d] is no origin of an own log", i)
		case origin == o.Origin:
			return fmt.Errorf("own_log.closed[%d] is own_log.origin: a log that is closed stays so; choose another origin, and new files for the keys", i)
		case slices.Contains(o.Closed[:i], origin):
			return fmt.Errorf("own_log.closed[%d]: %s is there twice", i, origin)
		}
	}
	return nil
}

// checkWitnesses refuses witnesses that could not be asked, or by whose names a cosignature would be taken for the log's signature.
func (o OwnLog) checkWitnesses() error {
	if len(o.Witnesses) > maxWitnesses {
		return fmt.Errorf("own_log.witnesses: there are more than %d", maxWitnesses)
	}
	for i, w := range o.Witnesses {
		at := fmt.Sprintf("own_log.witnesses[%d]", i)
		verifier, err := trustroot.ParseWitnessKey(w.Key)
		if err != nil {
			return fmt.Errorf("%s.key: %w", at, err)
		}
		if verifier.Name() == o.Origin {
			return fmt.Errorf("%s.key: its name is the log's own", at)
		}
		if slices.ContainsFunc(o.Witnesses[:i], func(other Witness) bool { return other.Key == w.Key }) {
			return fmt.Errorf("%s.key is there twice", at)
		}
		u, err := url.Parse(w.URL)
		if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return fmt.Errorf("%s.url is no https URL, and no http URL of this machine", at)
		}
	}
	return nil
}

func isOrigin(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' })
}

// checkWays refuses ways in which nothing can be recorded.
func (c *Config) checkWays(ways []string) error {
	for i, w := range ways {
		if err := oneOf(fmt.Sprintf("ways[%d]", i), w, string(gateway.Direct), string(gateway.Batched)); err != nil {
			return err
		}
		if slices.Contains(ways[:i], w) {
			return fmt.Errorf("ways[%d]: %s is there twice", i, w)
		}
		if w == string(gateway.Batched) && !c.OwnLog.IsSet() {
			return fmt.Errorf("ways[%d]: without own_log nothing is recorded BATCHED", i)
		}
	}
	return nil
}

// ListWays returns the ways that may be asked for under p, the first of which is that of all who do not ask. Without an own log there
// is one.
func (c *Config) ListWays(p Policy) (list []gateway.Way) {
	for _, w := range p.Ways {
		list = append(list, gateway.Way(w))
	}
	switch {
	case len(list) > 0:
		return list
	case c.OwnLog.IsSet():
		return []gateway.Way{gateway.Direct, gateway.Batched}
	}
	return []gateway.Way{gateway.Direct}
}

func (c *Config) describeWays(p Policy) string {
	ways := c.ListWays(p)
	text := "as entries of Rekor (DIRECT)"
	if ways[0] == gateway.Batched {
		text = "as records of the gateway's own log " + c.OwnLog.Origin + " (BATCHED)"
	}
	if len(ways) == 1 {
		return text + ", and in no other way"
	}
	return text + fmt.Sprintf(", unless a request asks for %s", ways[1])
}

// ownLogPrefix is what the ID of an own log begins with.
const ownLogPrefix = "own-"

// ID returns the ID of the own log among logs, and in the paths of its tiles: that of its origin, for ever.
func (o OwnLog) ID() string { return OwnLogID(o.Origin) }

// OwnLogID returns the ID of an own log.
func OwnLogID(origin string) string {
	digest := sha256.Sum256([]byte(origin))
	return ownLogPrefix + hex.EncodeToString(digest[:4])
}
