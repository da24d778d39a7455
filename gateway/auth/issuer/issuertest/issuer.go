// SPDX-License-Identifier: Apache-2.0

// Package issuertest is an OpenID Connect issuer for tests: discovery and keys over TLS, tokens, rotation, and faults.
package issuertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The paths that are asked for.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/keys"
)

// Issuer is an issuer. It is safe for concurrent use.
type Issuer struct {
	URL string // as in its tokens

	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex        // guards what follows
	keys   []jose.JSONWebKey // the last one signs
	made   int
	asked  int
	answer http.HandlerFunc // nil: its own
}

// Start returns an issuer with one key, which is there until t ends.
func Start(t testing.TB) *Issuer {
	i := &Issuer{t: t}
	i.Rotate(0)
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	i.URL = i.server.URL
	return i
}

// CA returns the authority of its certificate, in PEM.
func (i *Issuer) CA() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
}

// CAFile returns a file with CA.
func (i *Issuer) CAFile() string {
	path := filepath.Join(i.t.TempDir(), "issuer-ca.pem")
	if err := os.WriteFile(path, []byte(i.CA()), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

// Rotate has a new key sign from now on. Of those before, the last keep are published still.
func (i *Issuer) Rotate(keep int) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	former := i.keys[max(0, len(i.keys)-keep):]
	i.keys = append(former[:len(former):len(former)], jose.JSONWebKey{Key: key, KeyID: fmt.Sprint("key-", i.made), Algorithm: "ES256", Use: "sig"})
}

// Key returns the key that signs, which is private.
func (i *Issuer) Key() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// Answer has handle answer in the issuer's place; nil: the issuer again.
func (i *Issuer) Answer(handle http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = handle
}

// Asked returns how often its keys were asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	var public jose.JSONWebKeySet
	for _, key := range i.keys {
		public.Keys = append(public.Keys, key.Public())
	}
	if r.URL.Path == KeysPath {
		i.asked++
	}
	answer := i.answer
	i.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == DiscoveryPath:
		writeJSON(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + KeysPath, "id_token_signing_alg_values_supported": []string{"ES256"}})
	case r.URL.Path == KeysPath:
		writeJSON(w, public)
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Claims returns those of a token for audience that is good for ten minutes, and more, which has precedence.
func (i *Issuer) Claims(audience string, more map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{"iss": i.URL, "aud": audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	maps.Copy(claims, more)
	return claims
}

// Token returns a token of Claims.
func (i *Issuer) Token(audience string, more map[string]any) string {
	i.t.Helper()
	payload, err := json.Marshal(i.Claims(audience, more))
	if err != nil {
		i.t.Fatal(err)
	}
	return i.Sign(string(payload))
}

// Sign returns a token of payload, as it is, by the issuer's key.
func (i *Issuer) Sign(payload string) string {
	i.t.Helper()
	return Sign(i.t, jose.ES256, i.Key(), payload, nil)
}

// Sign returns a token by any key, with more in its header.
func Sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
