// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Bounds on a fetch: of the discovery document, and of the keys.
const (
	fetchTimeout = 10 * time.Second
	maxAnswer    = 256 << 10 // bytes
	maxHeader    = 64 << 10  // bytes
	maxKeys      = 64
)

// bounded reads no more than maxAnswer bytes of an answer.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// fetchKeys asks the issuer.
func (i *Issuer) fetchKeys(ctx context.Context) (_ *KeySet, err error) {
	defer i.panics.Recover("issuer", &err)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	from := i.cfg.KeysURL
	if from == "" {
		if from, err = i.discoverKeys(ctx); err != nil {
			return nil, fmt.Errorf("discovering keys: %w", err)
		}
	}
	raw, err := i.get(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("fetching keys: %w", err)
	}
	return parseKeys(raw)
}

// discoverKeys returns the URL of the issuer's keys, which has to be at the issuer's own host and port.
func (i *Issuer) discoverKeys(ctx context.Context) (string, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.cfg.URL)
	if err != nil {
		return "", err
	}
	var document struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return "", err
	}
	own, err := url.Parse(i.cfg.URL)
	if err != nil {
		return "", err
	}
	keys, err := url.Parse(document.KeysURL)
	if err != nil {
		return "", err
	}
	if keys.Scheme != own.Scheme || keys.Host != own.Host || keys.User != nil {
		return "", fmt.Errorf("its jwks_uri is elsewhere, at %q: where that is right, name it in the configuration (jwks_url)", document.KeysURL)
	}
	return document.KeysURL, nil
}

func (i *Issuer) get(ctx context.Context, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := i.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", from, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// KeySet is an issuer's keys, as they were fetched once.
type KeySet struct {
	byID map[string][]jose.JSONWebKey
	hash [sha256.Size]byte // of the bytes it was parsed from
}

// parseKeys reads a JSON Web Key Set. Keys that no token here can be signed with are left out.
func parseKeys(raw []byte) (*KeySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("parsing keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("parsing keys: there are more than %d", maxKeys)
	}
	k := &KeySet{byID: map[string][]jose.JSONWebKey{}, hash: sha256.Sum256(raw)}
	for _, one := range set.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(one); err != nil || !isUsable(key) {
			continue
		}
		k.byID[key.KeyID] = append(k.byID[key.KeyID], key)
	}
	if len(k.byID) == 0 {
		return nil, errors.New("parsing keys: there is none with an id that can check signatures")
	}
	return k, nil
}

// isUsable refuses secrets, keys for encryption, and weak ones.
func isUsable(key jose.JSONWebKey) bool {
	if key.KeyID == "" || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= 2048 && public.N.BitLen() <= 8192
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key.Valid()
	}
	return false
}

// find returns the public keys called id that sign by algorithm, or nil.
func (k *KeySet) find(id, algorithm string) (found []crypto.PublicKey) {
	for _, key := range k.byID[id] {
		if key.Algorithm == "" || key.Algorithm == algorithm {
			found = append(found, key.Key)
		}
	}
	return found
}

func (k *KeySet) isSame(other *KeySet) bool { return k != nil && k.hash == other.hash }

func (k *KeySet) count() int {
	if k == nil {
		return 0
	}
	return len(k.byID)
}
