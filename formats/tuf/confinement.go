// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// confinement is the targets that a delegated role is trusted for: by path, or by the first digits of the path's
// hash. Its nil value confines to nothing. Looking a path up takes as many steps as there are patterns with
// wildcards, and these are charged.
type confinement struct {
	exact    map[string]bool // paths without a wildcard
	patterns []string        // the other ones
	prefixes map[string]bool // of hashes, hexadecimal
}

// confineToPaths sorts out the patterns that match themselves alone.
func confineToPaths(patterns []string) *confinement {
	c := &confinement{exact: map[string]bool{}}
	for _, p := range patterns {
		if strings.ContainsAny(p, `*?[\\`) {
			c.patterns = append(c.patterns, p)
		} else {
			c.exact[p] = true
		}
	}
	return c
}

func confineToHashes(prefixes []string) *confinement {
	c := &confinement{prefixes: make(map[string]bool, len(prefixes))}
	for _, p := range prefixes {
		c.prefixes[p] = true
	}
	return c
}

// mayList reports whether a target at path is one of c's. The error is m's.
func (c *confinement) mayList(m *formats.Meter, path string) (bool, error) {
	if c == nil || c.exact[path] {
		return true, nil
	}
	if c.prefixes != nil {
		return c.hasHash(m, path)
	}
	for _, p := range c.patterns {
		if err := m.ChargeMatch(len(path), len(p)); err != nil {
			return false, err
		}
		d := metadata.DelegatedRole{Paths: []string{p}}
		if ok, err := d.IsDelegatedPath(path); err == nil && ok {
			return true, nil
		}
	}
	return false, nil
}

// hasHash looks up every beginning of the path's hash, which is hexadecimal (TUF specification, section 4.5).
func (c *confinement) hasHash(m *formats.Meter, path string) (bool, error) {
	if err := m.ChargeBytes(len(path)); err != nil {
		return false, err
	}
	sum := sha256.Sum256([]byte(path))
	name := hex.EncodeToString(sum[:])
	if err := m.ChargeElements(len(name)); err != nil {
		return false, err
	}
	for n := range len(name) + 1 {
		if c.prefixes[name[:n]] {
			return true, nil
		}
	}
	return false, nil
}
