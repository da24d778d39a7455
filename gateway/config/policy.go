// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Load reads the files that p names. names are the formats that policies can be about. The
// result's Now and ForbiddenSigners are the caller's to set.
func (p Policy) Load(names []string) (formats.Policy, error) {
	out := formats.Policy{
		Historical:     p.Historical,
		SSHNamespaces:  p.SSHNamespaces,
		AllowedSigners: convertIDs(p.AllowedSigners),
		TUFRoots:       convertIDs(p.TUFRoots),
	}
	var err error
	if out.Keys, err = p.loadKeys(names); err != nil {
		return formats.Policy{}, err
	}
	if out.Roots, err = p.loadRoots(); err != nil {
		return formats.Policy{}, err
	}
	return out, nil
}

// convertIDs converts what checkIDs has passed.
func convertIDs(ids []string) [][sha256.Size]byte {
	var out [][sha256.Size]byte
	for _, id := range ids {
		if d, err := formats.ParseDigest(id); err == nil {
			out = append(out, [sha256.Size]byte(d.Value))
		}
	}
	return out
}

func (p Policy) loadKeys(names []string) (map[string][][]byte, error) {
	keys := map[string][][]byte{}
	for _, format := range slices.Sorted(maps.Keys(p.Keys)) {
		if !slices.Contains(names, format) {
			return nil, fmt.Errorf("policy.keys: there is no format %q%s", format, DidYouMean(format, names))
		}
		if len(p.Keys[format]) == 0 {
			return nil, fmt.Errorf("policy.keys.%s is empty: name a key file, or leave it out to take any key", format)
		}
		for _, path := range p.Keys[format] {
			key, err := readKey(path)
			if err != nil {
				return nil, fmt.Errorf("policy.keys.%s: %w", format, err)
			}
			keys[format] = append(keys[format], key)
		}
	}
	return keys, nil
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	key, err := io.ReadAll(io.LimitReader(f, formats.MaxKeySize+1))
	if err == nil && len(key) > formats.MaxKeySize {
		err = fmt.Errorf("%s is larger than 4 MiB", path)
	}
	return key, err
}

// loadRoots returns nil when none are named: then certificates need not chain to anything.
func (p Policy) loadRoots() (*x509.CertPool, error) {
	if len(p.Roots) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, path := range p.Roots {
		pem, err := readKey(path)
		if err != nil {
			return nil, fmt.Errorf("policy.roots: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("policy.roots: %s has no PEM certificate", path)
		}
	}
	return pool, nil
}
