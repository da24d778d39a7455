// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var (
	position = Cursor{CreatedAt: time.UnixMilli(1_800_000_000_123).UTC(), ID: "0190a6c3-0000-7000-8000-000000000000"}
	digest   = formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	signer   = sha256.Sum256(nil)
	filters  = map[string]gateway.ListParams{
		"none": {}, "artifact": {Artifact: &digest}, "signer": {Signer: &signer}, "state": {State: gateway.Logged},
		"all": {Artifact: &digest, Signer: &signer, State: gateway.Logged},
	}
)

func TestPageToken(t *testing.T) {
	for made, p := range filters {
		for _, c := range []Cursor{position, {ID: "zero time"}, {CreatedAt: time.UnixMilli(-5).UTC(), ID: "x"}} {
			token := PageToken("tenant", p, c)
			for used, q := range filters {
				q.PageToken, q.PageSize = token, 7
				got, err := ParsePageToken("tenant", q)
				if used == made && (err != nil || got != c) {
					t.Errorf("%s: %v, %v, want %v", made, got, err, c)
				}
				if used != made && !errors.Is(err, gateway.ErrBadPageToken) {
					t.Errorf("token for %s, used for %s: %v", made, used, err)
				}
			}
			if _, err := ParsePageToken("tenan", gateway.ListParams{PageToken: token}); !errors.Is(err, gateway.ErrBadPageToken) {
				t.Errorf("another tenant's token: %v", err)
			}
		}
	}
}

func TestPageSize(t *testing.T) {
	for n, want := range map[int]int{
		-1: gateway.DefaultPageSize, 0: gateway.DefaultPageSize, 1: 1, gateway.MaxPageSize: gateway.MaxPageSize, 1 << 40: gateway.MaxPageSize,
	} {
		if got := PageSize(n); got != want {
			t.Errorf("page size for %d is %d, want %d", n, got, want)
		}
	}
}

// FuzzParsePageToken: what is taken for a token is the one that its position gives.
func FuzzParsePageToken(f *testing.F) {
	for _, p := range filters {
		f.Add("tenant", PageToken("tenant", p, position))
	}
	f.Add("", "junk")
	f.Add("", strings.Repeat("A", 2000))
	f.Fuzz(func(t *testing.T, tenant, token string) {
		for name, p := range filters {
			p.PageToken = token
			c, err := ParsePageToken(tenant, p)
			if err != nil {
				if !errors.Is(err, gateway.ErrBadPageToken) || c != (Cursor{}) {
					t.Errorf("%s: %v beside %v", name, c, err)
				}
			} else if again := PageToken(tenant, p, c); again != token {
				t.Errorf("%s: %q reads as %v, which is %q", name, token, c, again)
			}
		}
	})
}
