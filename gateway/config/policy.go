// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Load reads and checks the files that p names: keys by the format that will use them, one of registry. An error begins with the
// key below the policy, and names the file and, where there are any, the line. The result's Now and ForbiddenSigners are the
// caller's to set.
func (p Policy) Load(ctx context.Context, registry *formats.Registry) (formats.Policy, error) {
	out := formats.Policy{
		Formats:        p.Formats,
		SSHNamespaces:  p.SSHNamespaces,
		PublishUserIDs: p.PublishUserIDs,
		AllowedSigners: convertIDs(p.AllowedSigners), AllowedIdentities: convertIdentities(p.AllowedIdentities),
		TUFRoots: convertIDs(p.TUFRoots),
	}
	var err error
	for i, name := range p.Formats {
		if err := oneOf(fmt.Sprintf("formats[%d]", i), name, registry.Names()...); err != nil {
			return formats.Policy{}, err
		}
	}
	if out.Historical, err = p.Historical.load(); err != nil {
		return formats.Policy{}, fmt.Errorf("historical.%w", err)
	}
	if out.Keys, err = p.loadKeys(ctx, registry); err != nil {
		return formats.Policy{}, err
	}
	if out.Prepared, err = prepareKeys(ctx, registry, out.Keys); err != nil {
		return formats.Policy{}, err
	}
	if out.Roots, err = p.loadRoots(); err != nil {
		return formats.Policy{}, err
	}
	return out, nil
}

// ListRepresentations returns those that are allowed; none: all.
func (p Policy) ListRepresentations() (list []gateway.Representation) {
	for _, r := range p.Representations {
		list = append(list, gateway.Representation(r))
	}
	return list
}

// convertIDs converts what checkPolicy has passed.
func convertIDs(ids []string) [][sha256.Size]byte {
	var out [][sha256.Size]byte
	for _, id := range ids {
		if d, err := formats.ParseDigest(id); err == nil {
			out = append(out, [sha256.Size]byte(d.Value))
		}
	}
	return out
}

func (p Policy) loadKeys(ctx context.Context, registry *formats.Registry) (map[string][][]byte, error) {
	keys := map[string][][]byte{}
	for _, name := range slices.Sorted(maps.Keys(p.Keys)) {
		format, err := registry.Get(name)
		if err != nil {
			return nil, fmt.Errorf("keys: there is no format %q%s", name, DidYouMean(name, registry.Names()))
		}
		if len(p.Keys[name]) == 0 {
			return nil, fmt.Errorf("keys.%s is empty: name a key file, or leave it out to take any key", name)
		}
		for _, path := range p.Keys[name] {
			key, err := ReadFile(path)
			if err == nil {
				err = checkKeys(ctx, format, path, key)
			}
			if err != nil {
				return nil, fmt.Errorf("keys.%s: %w", name, err)
			}
			keys[name] = append(keys[name], key)
		}
	}
	return keys, nil
}

// prepareKeys has the formats that can read their keys once do so.
func prepareKeys(ctx context.Context, registry *formats.Registry, keys map[string][][]byte) (map[string]formats.PreparedKeys, error) {
	prepared := map[string]formats.PreparedKeys{}
	for name, files := range keys {
		p, err := registry.PrepareKeys(ctx, name, files)
		if err != nil {
			return nil, fmt.Errorf("keys.%s: %w", name, err)
		}
		if p != nil {
			prepared[name] = p
		}
	}
	return prepared, nil
}

func checkKeys(ctx context.Context, format formats.Format, path string, key []byte) error {
	checker, ok := format.(formats.KeyChecker)
	if !ok {
		return nil
	}
	if err := formats.CheckKeyFile(ctx, checker, key); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// maxFile bounds a file of keys or certificates, in bytes: a distribution's keyring has 30 MB.
const maxFile = 64 << 20

// ReadFile reads a file of keys or certificates that a configuration names.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	key, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(key) > maxFile {
		err = fmt.Errorf("%s is larger than %v", path, Size(maxFile))
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
		if _, err := addFile(pool, path); err != nil {
			return nil, fmt.Errorf("roots: %w", err)
		}
	}
	return pool, nil
}

// LoadAuthorities returns the certificates in a PEM file, and its bytes. One that cannot be read is an error: the file may be half-written.
func LoadAuthorities(path string) (*x509.CertPool, []byte, error) {
	pool := x509.NewCertPool()
	file, err := addFile(pool, path)
	if err != nil {
		return nil, nil, err
	}
	return pool, file, nil
}

// addFile adds every certificate in the file at path, and returns its bytes.
func addFile(pool *x509.CertPool, path string) ([]byte, error) {
	file, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := addRoots(pool, file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

var pemBegin = []byte("-----BEGIN ")

// addRoots adds every certificate in file. One that cannot be read is an error: x509.CertPool would leave it out.
func addRoots(pool *x509.CertPool, file []byte) error {
	found := false
	for rest := file; ; {
		begin := bytes.Index(rest, pemBegin)
		if begin < 0 {
			break
		}
		at := len(file) - len(rest) + begin
		var block *pem.Block
		block, rest = pem.Decode(file[at:])
		isFirst := bytes.Count(file[at:len(file)-len(rest)], pemBegin) == 1 // what it cannot read it passes over
		if block == nil || !isFirst || block.Type != "CERTIFICATE" {
			return formats.NewFileFault(file, at, errors.New("no certificate in PEM"))
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return formats.NewFileFault(file, at, fmt.Errorf("reading a certificate: %w", err))
		}
		pool.AddCert(certificate)
		found = true
	}
	if !found {
		return formats.NewFileFault(file, 0, errors.New("there is no certificate in PEM"))
	}
	return nil
}
