// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// Snapshot is what a source says, of one moment: its parts belong together.
type Snapshot struct {
	TrustedRoot   []byte // Sigstore trusted root, JSON
	SigningConfig []byte // Sigstore signing config, JSON; nil: every log says itself where it is
	// Expires is when the source has to have said it again; zero: never.
	Expires time.Time
	// Trees is what the logs of Rekor v1 in it have said of their trees, by their URLs; see Trees.
	Trees map[string]Said
}

// Log is what the configuration says of a log.
type Log struct {
	Origin string // "": the log is that of Operator in the signing config
	// Operator runs the log; "" is the only one that the signing config names.
	Operator string
	// RekorV1: the log is one of Rekor API version 1. Those of the source alone are listed here.
	RekorV1 bool

	GRPCURL, ReadURL string // of a log with an origin
	Former           []Former
	// Others are the origins of other logs, which none of this one's shards has.
	Others []string
}

// Former is what the log was before: all shards of an origin, or, with the log's own origin, those with keys that began before the one in
// use.
type Former struct {
	Origin  string
	ReadURL string
	Closed  bool // gateway.FormerShard.Closed
}

// Sum identifies what the snapshot says.
func (s Snapshot) Sum() [sha256.Size]byte {
	root, signing := sha256.Sum256(s.TrustedRoot), sha256.Sum256(s.SigningConfig)
	said := fmt.Appendf(nil, "%x %x %d", root, signing, s.Expires.Unix())
	for _, base := range slices.Sorted(maps.Keys(s.Trees)) {
		said = fmt.Appendf(said, " %q %q", base, s.Trees[base].Checkpoints)
	}
	return sha256.Sum256(said)
}

// Contents are a snapshot, read and checked. They are immutable and safe for concurrent use.
type Contents struct {
	Root    *trustroot.Root
	signing *signing // nil: none
	trees   map[string]Said
}

// ReadFile returns the content of a signing config's file, of at most trustroot.MaxSize bytes.
func ReadFile(path string) ([]byte, error) {
	b, err := trustroot.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading signing config: %w", errors.Unwrap(err))
	}
	return b, nil
}

// Read reads a snapshot.
func (s Snapshot) Read() (*Contents, error) {
	root, err := trustroot.Parse(s.TrustedRoot)
	if err != nil {
		return nil, err
	}
	c := &Contents{Root: root, trees: s.Trees}
	if s.SigningConfig != nil {
		if c.signing, err = readSigning(s.SigningConfig); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ListShards returns the shards of a log. Which of them is written to follows from their windows as time goes on; one has to be in
// use at the given time.
func (c *Contents) ListShards(l Log, at time.Time) ([]rekorv2.Shard, error) {
	shards, err := c.listOwn(l, at)
	if err != nil {
		return nil, err
	}
	for _, f := range l.Former {
		if hasOrigin(shards, f.Origin) {
			continue // listOwn has seen to it
		}
		keys := listKeys(c.Root, f.Origin, trustroot.Log{})
		if len(keys) == 0 {
			return nil, fmt.Errorf("the trusted root has no key for the former log called %s", f.Origin)
		}
		for _, trusted := range keys {
			s := newShard(trusted)
			s.ReadURL, s.Closed = f.ReadURL, f.Closed
			shards = append(shards, s)
		}
	}
	return shards, nil
}

func (c *Contents) listOwn(l Log, at time.Time) ([]rekorv2.Shard, error) {
	switch {
	case l.Origin != "":
		return listStatic(c.Root, l, at)
	case c.signing == nil:
		return nil, fmt.Errorf("there is no signing config for a log without an origin")
	}
	return c.listSourced(l, at)
}
