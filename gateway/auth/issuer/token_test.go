// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
)

const us = "https://gateway.example"

// follow returns remote as a gateway sees it, once it has its keys.
func follow(t *testing.T, remote *issuertest.Issuer) *Issuer {
	t.Helper()
	i := newIssuer(t, Config{URL: remote.URL, CA: remote.CA()}, usual)
	first := i.state.Load()
	i.Start()
	t.Cleanup(i.Close)
	<-first.replaced
	return i
}

func newIssuer(t *testing.T, cfg Config, p pace) *Issuer {
	t.Helper()
	i, err := New(cfg, Options{Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	i.pace = p
	return i
}

// verify is what a gateway does with a token for us.
func verify(i *Issuer, text string) error {
	token, err := Parse(text)
	if err != nil {
		return err
	}
	if token.Audience != us {
		return ErrBadToken
	}
	_, err = i.Verify(token)
	return err
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// TestTokens: one that is good, with small changes each of which makes it bad.
func TestTokens(t *testing.T) {
	remote := issuertest.Start(t)
	i := follow(t, remote)
	now := time.Now()
	good := func(more map[string]any) string { return remote.Token(us, more) }
	text := func(claims map[string]any) string { raw, _ := json.Marshal(claims); return string(raw) }
	plain := text(remote.Claims(us, nil))
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	own := remote.Key()
	named := func(key any, id string) jose.JSONWebKey { return jose.JSONWebKey{Key: key, KeyID: id} }
	dup := func(name, value string) string {
		return remote.Sign(strings.Replace(plain, "{", `{"`+name+`":`+value+`,`, 1))
	}
	header := func(name jose.HeaderKey, value any) string {
		return issuertest.Sign(t, jose.ES256, own, plain, map[jose.HeaderKey]any{name: value})
	}
	for name, c := range map[string]struct {
		token string
		good  bool
	}{
		"good":                        {good(nil), true},
		"audience in a list":          {good(map[string]any{"aud": []string{us}}), true},
		"without iat and nbf":         {remote.Sign(text(map[string]any{"iss": remote.URL, "aud": us, "exp": in(time.Minute)})), true},
		"ended within the skew":       {good(map[string]any{"exp": in(-Skew / 2)}), true},
		"from within the skew":        {good(map[string]any{"nbf": in(Skew / 2), "iat": in(Skew / 2)}), true},
		"key elsewhere is ignored":    {header("jku", "https://evil.example/keys"), true},
		"chain elsewhere is ignored":  {header("x5u", "https://evil.example/chain"), true},
		"expired":                     {good(map[string]any{"exp": in(-Skew - time.Second)}), false},
		"without an end":              {remote.Sign(text(map[string]any{"iss": remote.URL, "aud": us})), false},
		"end is null":                 {good(map[string]any{"exp": nil}), false},
		"end is text":                 {good(map[string]any{"exp": "9999999999"}), false},
		"end is huge":                 {good(map[string]any{"exp": 1e300}), false},
		"end is below zero":           {good(map[string]any{"exp": -1}), false},
		"end is nested":               {good(map[string]any{"exp": map[string]any{"exp": in(time.Hour)}}), false},
		"not yet":                     {good(map[string]any{"nbf": in(2 * Skew)}), false},
		"not yet made":                {good(map[string]any{"iat": in(2 * Skew)}), false},
		"nbf is text":                 {good(map[string]any{"nbf": "1"}), false},
		"another audience":            {remote.Token("https://other.example", nil), false},
		"another in a list":           {good(map[string]any{"aud": []string{"https://other.example"}}), false},
		"several audiences":           {good(map[string]any{"aud": []string{us, "https://other.example"}}), false},
		"the same audience twice":     {good(map[string]any{"aud": []string{us, us}}), false},
		"no audience":                 {good(map[string]any{"aud": nil}), false},
		"empty audiences":             {good(map[string]any{"aud": []string{}}), false},
		"audience is nested":          {good(map[string]any{"aud": []any{[]string{us}}}), false},
		"audience is an object":       {good(map[string]any{"aud": map[string]any{us: us}}), false},
		"another issuer":              {good(map[string]any{"iss": "https://other.example"}), false},
		"the issuer and a slash":      {good(map[string]any{"iss": remote.URL + "/"}), false},
		"issuer is a list":            {good(map[string]any{"iss": []string{remote.URL}}), false},
		"subject is a list":           {good(map[string]any{"sub": []string{"a"}}), false},
		"a claim twice":               {dup("sub", `"a","sub":"b"`), false},
		"the issuer twice":            {dup("iss", `"x"`), false},
		"the issuer in capitals":      {dup("ISS", `"x"`), false},
		"the end in capitals":         {dup("Exp", `9999999999`), false},
		"twice, deep":                 {dup("a", `{"b":[{"c":1,"c":2}]}`), false},
		"twice by an escape":          {dup(`\u0069ss`, `"x"`), false},
		"no UTF-8":                    {dup("a", "\"\xff\""), false},
		"no object":                   {remote.Sign(`["` + us + `"]`), false},
		"no JSON":                     {remote.Sign("claims"), false},
		"more after it":               {remote.Sign(plain + "{}"), false},
		"another key":                 {issuertest.Sign(t, jose.ES256, named(other, own.KeyID), plain, nil), false},
		"a key it brings":             {issuertest.Sign(t, jose.ES256, named(other, "x"), plain, map[jose.HeaderKey]any{"jwk": named(other.Public(), own.KeyID)}), false},
		"no key id":                   {issuertest.Sign(t, jose.ES256, own.Key, plain, nil), false},
		"critical and unknown":        {header("crit", []string{"exp"}), false},
		"changed claims":              {changed(good(nil), encode(text(remote.Claims(us, map[string]any{"sub": "root"})))), false},
		"signature cut off":           {strings.TrimRight(good(nil), "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), false},
		"four parts":                  {good(nil) + ".x", false},
		"two parts":                   {encode(`{"alg":"ES256"}`) + "." + encode(plain), false},
		"JSON serialization":          {`{"payload":"` + encode(plain) + `"}..`, false},
		"alg none":                    {encode(`{"alg":"none","kid":"`+own.KeyID+`"}`) + "." + encode(plain) + ".", false},
		"alg None":                    {encode(`{"alg":"None","kid":"`+own.KeyID+`"}`) + "." + encode(plain) + ".AA", false},
		"HS256 by the public key":     {withHMAC(own, plain, publicPEM(t, own)), false},
		"HS256 by the public JWK":     {withHMAC(own, plain, publicJWK(t, own)), false},
		"RS256 by a key of its own":   {issuertest.Sign(t, jose.RS256, named(newRSA(t, 2048), own.KeyID), plain, nil), false},
		"unknown key":                 {issuertest.Sign(t, jose.ES256, named(other, "unknown"), plain, nil), false},
		"header is not JSON":          {encode("x") + "." + encode(plain) + "." + encode("x"), false},
		"an algorithm in two headers": {encode(`{"alg":"ES256","alg":"none","kid":"`+own.KeyID+`"}`) + "." + encode(plain) + ".AA", false},
	} {
		if err := verify(i, c.token); (err == nil) != c.good || err != nil && !errors.Is(err, ErrBadToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func changed(token, payload string) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + payload + "." + parts[2]
}

func withHMAC(key jose.JSONWebKey, payload string, secret []byte) string {
	signed := encode(`{"alg":"HS256","typ":"JWT","kid":"`+key.KeyID+`"}`) + "." + encode(payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func publicPEM(t *testing.T, key jose.JSONWebKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func publicJWK(t *testing.T, key jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestAlgorithms: every algorithm that is listed works, with a key that is for it and strong enough, and with no other.
func TestAlgorithms(t *testing.T) {
	remote := issuertest.Start(t)
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	strong, weak := newRSA(t, 2048), newRSA(t, 1024)
	keys := map[string]jose.JSONWebKey{
		"ed": {Key: edwards}, "p256": {Key: p256}, "p384": {Key: p384}, "p521": {Key: p521}, "rsa": {Key: strong}, "weak": {Key: weak},
		"for PS256": {Key: strong, Algorithm: "PS256"}, "for encryption": {Key: strong, Use: "enc"},
	}
	var set jose.JSONWebKeySet
	for id, key := range keys {
		key.KeyID = id
		keys[id] = key
		set.Keys = append(set.Keys, key.Public())
	}
	secret := jose.JSONWebKey{Key: []byte(strings.Repeat("s", 32)), KeyID: "secret", Algorithm: "HS256"}
	set.Keys = append(set.Keys, secret)
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(set) })
	i := newIssuer(t, Config{URL: remote.URL, CA: remote.CA(), KeysURL: remote.URL + issuertest.KeysPath}, usual)
	if err := i.refreshKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(remote.Claims(us, nil))
	for _, c := range []struct {
		algorithm jose.SignatureAlgorithm
		key       string
		good      bool
	}{
		{jose.EdDSA, "ed", true}, {jose.ES256, "p256", true}, {jose.ES384, "p384", true}, {jose.ES512, "p521", true},
		{jose.RS256, "rsa", true}, {jose.RS384, "rsa", true}, {jose.RS512, "rsa", true}, {jose.PS256, "rsa", true}, {jose.PS384, "rsa", true}, {jose.PS512, "rsa", true},
		{jose.PS256, "for PS256", true}, {jose.RS256, "for PS256", false}, {jose.RS256, "for encryption", false}, {jose.RS256, "weak", false},
	} {
		token := issuertest.Sign(t, c.algorithm, keys[c.key], string(payload), nil)
		if err := verify(i, token); (err == nil) != c.good {
			t.Errorf("%s by %s: %v", c.algorithm, c.key, err)
		}
	}
	if err := verify(i, issuertest.Sign(t, jose.HS256, secret, string(payload), nil)); err == nil {
		t.Error("a secret among the keys is taken")
	}
}
