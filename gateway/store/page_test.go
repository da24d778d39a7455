// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var (
	digest  = formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	signer  = sha256.Sum256(nil)
	filters = map[string]gateway.ListParams{
		"none": {}, "artifact": {Artifact: &digest}, "signer": {Signer: &signer}, "state": {State: gateway.Logged},
		"all": {Artifact: &digest, Signer: &signer, State: gateway.Logged},
	}
)

func TestPageToken(t *testing.T) {
	for made, p := range filters {
		for _, c := range []int64{1, 0, 1 << 62, -5} {
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

// TestOldPageToken: tokens of the first release, which listed by time and ID, name no place in this
// order. The second one, of an empty ID, is as long as those of now.
func TestOldPageToken(t *testing.T) {
	for _, old := range []string{
		"F_RsJQnh9B2obr6-AAABoxhcUHswMTkwYTZjMy0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA",
		"LM_YOepd8CpifhfoAAAAAAAAAAA",
	} {
		if after, err := ParsePageToken("tenant", gateway.ListParams{PageToken: old}); !errors.Is(err, gateway.ErrBadPageToken) {
			t.Errorf("%s is %d, %v", old, after, err)
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
		f.Add("tenant", PageToken("tenant", p, 12345))
	}
	f.Add("", "junk")
	f.Add("", strings.Repeat("A", 2000))
	f.Fuzz(func(t *testing.T, tenant, token string) {
		for name, p := range filters {
			p.PageToken = token
			c, err := ParsePageToken(tenant, p)
			if err != nil {
				if !errors.Is(err, gateway.ErrBadPageToken) || c != 0 {
					t.Errorf("%s: %v beside %v", name, c, err)
				}
			} else if again := PageToken(tenant, p, c); again != token {
				t.Errorf("%s: %q reads as %v, which is %q", name, token, c, again)
			}
		}
	})
}
