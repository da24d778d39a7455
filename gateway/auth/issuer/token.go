// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// Skew is how far an issuer's clock and ours may be apart.
const Skew = time.Minute

// algorithms are the ways of signing that are taken: those with a public key alone.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Token is a token as it says itself: nothing of it is true before Verify.
type Token struct {
	Issuer   string
	Audience string         // the only one
	Claims   map[string]any // string, float64, bool, nil, []any or map[string]any, as in JSON

	raw, keyID, algorithm string
	expires, notBefore    time.Time // notBefore is the later one of nbf and iat
}

// IsToken reports whether text has the form of a signed token (JWS compact serialization).
func IsToken(text string) bool { return strings.Count(text, ".") == 2 }

// Parse reads a token. It refuses algorithms with a secret or none, claims that could be read in two ways, and tokens
// for more than one audience: any other of them could show the token here.
func Parse(text string) (*Token, error) {
	if !IsToken(text) {
		return nil, ErrBadToken
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrBadToken
	}
	header := jws.Signatures[0].Protected
	t := &Token{raw: text, keyID: header.KeyID, algorithm: header.Algorithm}
	if t.keyID == "" {
		return nil, ErrBadToken
	}
	// Repeated names and invalid UTF-8 are refused, at every depth.
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &t.Claims); err != nil {
		return nil, ErrBadToken
	}
	return t, t.readClaims()
}

// standard are the claims that go-oidc reads, whose names it takes in any case.
var standard = []string{"iss", "sub", "aud", "exp", "iat", "nbf"}

func (t *Token) readClaims() error {
	for name := range t.Claims {
		for _, s := range standard {
			if name != s && strings.EqualFold(name, s) {
				return ErrBadToken
			}
		}
	}
	var isText bool
	if t.Issuer, isText = t.Claims["iss"].(string); !isText {
		return ErrBadToken
	}
	aud := t.Claims["aud"]
	if list, isList := aud.([]any); isList && len(list) == 1 {
		aud = list[0]
	}
	if t.Audience, isText = aud.(string); !isText {
		return ErrBadToken
	}
	return t.readTimes()
}

func (t *Token) readTimes() error {
	expires, err := readTime(t.Claims["exp"])
	if err != nil {
		return err
	}
	t.expires = expires
	for _, name := range []string{"nbf", "iat"} {
		claim, given := t.Claims[name]
		if !given {
			continue
		}
		at, err := readTime(claim)
		if err != nil {
			return err
		}
		if at.After(t.notBefore) {
			t.notBefore = at
		}
	}
	return nil
}

// readTime reads seconds since 1970.
func readTime(claim any) (time.Time, error) {
	seconds, ok := claim.(float64)
	if !ok || seconds <= 0 || seconds > math.MaxUint32<<4 {
		return time.Time{}, ErrBadToken
	}
	return time.Unix(int64(seconds), 0), nil
}

// Until returns when the token ends, our clock's skew included.
func (t *Token) Until() time.Time { return t.expires.Add(Skew) }

// Verify returns the keys by which t is good now. Errors are ErrBadToken and ErrUnavailable.
func (i *Issuer) Verify(t *Token) (*KeySet, error) {
	now := i.now()
	if t.Issuer != i.cfg.URL || !now.Before(t.Until()) || t.notBefore.After(now.Add(Skew)) {
		return nil, ErrBadToken
	}
	keys, set, err := i.findKeys(t)
	if err != nil {
		return nil, err
	}
	verifier := oidc.NewVerifier(i.cfg.URL, &oidc.StaticKeySet{PublicKeys: keys}, &oidc.Config{
		ClientID: t.Audience, SupportedSigningAlgs: []string{t.algorithm}, Now: func() time.Time { return now.Add(-Skew) },
	})
	if _, err := verifier.Verify(context.Background(), t.raw); err != nil {
		return nil, errors.Join(ErrBadToken, err)
	}
	return set, nil
}
