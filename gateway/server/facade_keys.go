// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// usedKey is a key of the gateway, by what names it in the configuration.
type usedKey struct {
	name, path string
	load       func(path string) (spki []byte, err error)
	mayBeMade  bool // where there is no such file
}

// checkFacadeKeys reads the keys of the facade that are there, and refuses one that is there twice, by whatever files, or is another key of the gateway's: one
// key signs one tree, or one thing. What is missing and made at the start is another one than all.
func checkFacadeKeys(cfg *config.Config) error {
	if !cfg.HasFacade() {
		return nil
	}
	first := map[[sha256.Size]byte]string{}
	for _, k := range listFacadeKeys(cfg) {
		if k.path == "" || k.mayBeMade && !exists(k.path) {
			continue
		}
		spki, err := k.load(k.path)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		sum := sha256.Sum256(spki)
		if other, ok := first[sum]; ok {
			return fmt.Errorf("%s: %s holds the same key as %s, and each key is for one thing: name another file", k.name, k.path, other)
		}
		first[sum] = k.name
	}
	return nil
}

// listFacadeKeys returns the keys that must not be the same, those of the facade last. The own log's first key is of another kind.
func listFacadeKeys(cfg *config.Config) []usedKey {
	f, a, own := cfg.RekorAPI.Facade, cfg.Attestation, cfg.OwnLog
	facadeKey := func(path string) ([]byte, error) {
		signer, err := attest.LoadFacadeSigner(path, f.Host, false)
		if err != nil {
			return nil, err
		}
		return signer.SPKI(), nil
	}
	anchorKey := func(path string) ([]byte, error) {
		signer, err := attest.LoadAnchorSigner(path, false)
		if err != nil {
			return nil, err
		}
		return signer.SPKI(), nil
	}
	attestationKey := func(path string) ([]byte, error) {
		signer, err := attest.New(attest.Config{Active: path, Password: choosePassword(a), Others: a.OtherKeys})
		if err != nil {
			return nil, err
		}
		return signer.SPKI(), nil
	}
	keys := []usedKey{{"attestation.key", a.Key, attestationKey, a.CreateKey}}
	if own.IsSet() {
		keys = append(keys, usedKey{"own_log.anchor_key", own.AnchorKey, anchorKey, own.CreateKeys})
	}
	keys = append(keys, usedKey{"rekor_api.facade.key", f.Key, facadeKey, f.CreateKeys}, usedKey{"rekor_api.facade.anchor_key", f.AnchorKey, anchorKey, f.CreateKeys})
	for _, path := range f.FormerKeys {
		keys = append(keys, usedKey{"rekor_api.facade.former_keys", path, facadeKey, false})
	}
	return keys
}
