// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// maxKeyFile bounds a key or password file, in bytes.
const maxKeyFile = 64 << 10

func loadOrCreate(c Config) (*ecdsa.PrivateKey, error) {
	b, err := readFile(c.Active)
	if errors.Is(err, fs.ErrNotExist) && c.Create {
		b, err = createKey(c)
	}
	if err != nil {
		return nil, err
	}
	return parsePrivate(b, c.Password)
}

func createKey(c Config) ([]byte, error) {
	made, _, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), c.Password.toPassFunc())
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return storeKey(c.Active, made)
}

// storeKey makes a key file that was not there. Of two processes that do so at once, both get
// the same key: the file appears whole, and the later one reads it.
func storeKey(path string, made []byte) ([]byte, error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("storing the new key: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the link stays
	_, err = f.Write(made)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("storing the new key: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("storing the new key: %w", err)
	}
	return readFile(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only synced
	return d.Sync()
}

// parsePrivate takes one PEM block and nothing after it.
func parsePrivate(b []byte, p Password) (*ecdsa.PrivateKey, error) {
	if err := checkPEM(b); err != nil {
		return nil, err
	}
	k, err := cryptoutils.UnmarshalPEMToPrivateKey(b, p.toPassFunc())
	if err != nil {
		return nil, fmt.Errorf("reading the private key (is the password right?): %w", err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("the key is not ECDSA P-256")
	}
	return key, nil
}

func checkPEM(b []byte) error {
	block, rest := pem.Decode(b)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return fmt.Errorf("the file is not one PEM block")
	}
	return nil
}

// loadPublic returns the SPKI of a public key, or of a plain private one.
func loadPublic(path string) ([]byte, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkPEM(b); err != nil {
		return nil, err
	}
	if pub, err := cryptoutils.UnmarshalPEMToPublicKey(b); err == nil {
		return marshalPublic(pub)
	}
	key, err := parsePrivate(b, nil)
	if err != nil {
		return nil, err
	}
	return marshalPublic(&key.PublicKey)
}

func marshalPublic(pub any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	return der, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%s is over %d bytes", filepath.Base(path), maxKeyFile)
	}
	return b, nil
}
