// SPDX-License-Identifier: Apache-2.0

package localrekor

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// loadKey returns the log's public key, making the private key first if there is none.
func loadKey(path string) (crypto.PublicKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("reading the log's key: %s is not PEM", path)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the log's key: %T cannot sign", private)
	}
	return signer.Public(), nil
}

func newKey(path string) (crypto.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the log's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encoding the log's key: %w", err)
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(path, raw, 0o600); err != nil {
		return nil, fmt.Errorf("writing the log's key: %w", err)
	}
	return public, nil
}

func writePublicKey(path string, key crypto.PublicKey) error {
	raw, err := cryptoutils.MarshalPublicKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("encoding the log's public key: %w", err)
	}
	if err := writeFile(path, raw, 0o644); err != nil {
		return fmt.Errorf("writing the log's public key: %w", err)
	}
	return nil
}

// writeFile writes a file whole or not at all: a crash must not leave half a key.
func writeFile(path string, raw []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
