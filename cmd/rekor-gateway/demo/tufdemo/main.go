// SPDX-License-Identifier: Apache-2.0

// Command tufdemo writes TUF metadata, and the root that names its keys, for the demo.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tufdemo TARGETS.json ROOT.json")
		os.Exit(1)
	}
	if err := writeMetadata(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "tufdemo:", err)
		os.Exit(1)
	}
}

func writeMetadata(targetsPath, rootPath string) error {
	expires := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second)
	root, targets := metadata.Root(expires), metadata.Targets(expires)
	signers := map[string]signature.Signer{}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		signer, err := newKey(root, role)
		if err != nil {
			return err
		}
		signers[role] = signer
	}
	if _, err := root.Sign(signers[metadata.ROOT]); err != nil {
		return fmt.Errorf("signing root: %w", err)
	}
	if _, err := targets.Sign(signers[metadata.TARGETS]); err != nil {
		return fmt.Errorf("signing targets: %w", err)
	}
	if err := root.ToFile(rootPath, true); err != nil {
		return fmt.Errorf("writing root: %w", err)
	}
	if err := targets.ToFile(targetsPath, true); err != nil {
		return fmt.Errorf("writing targets: %w", err)
	}
	return nil
}

// newKey makes a key for role, and has root name it.
func newKey(root *metadata.Metadata[metadata.RootType], role string) (signature.Signer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	key, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	if err := root.Signed.AddKey(key, role); err != nil {
		return nil, fmt.Errorf("naming a key: %w", err)
	}
	return signature.LoadSigner(private, crypto.SHA256)
}
