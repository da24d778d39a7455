// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// marker is text that a submitter chose. It is as long as a minisign key id.
const marker = "Z9mark9Z"

// hostile is a submission that has the marker wherever its maker can put text.
type hostile struct {
	signature []byte
	keys      [][]byte
	artifact  []byte // nil when it is inside
}

// TestNoSubmittersTextIsSigned: whatever text is in a submission, what the gateway signs and logs holds none of it.
func TestNoSubmittersTextIsSigned(t *testing.T) {
	t.Parallel()
	log := &bodyLog{Log: gatewaytest.NewLog()}
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Attester = attester(t)
		c.Policy = formats.Policy{Historical: formats.AllowAll(true), SSHNamespaces: []string{"file"}}
	})
	makers := map[string]func(*testing.T) []hostile{
		"x509": hostileX509, "pkcs7": hostilePKCS7, "ssh": hostileSSH, "pgp": hostilePGP, "minisign": hostileMinisign, "tuf": hostileTUF,
	}
	for _, format := range s.Formats().Names() {
		if makers[format] == nil {
			t.Errorf("no submission in format %s is tried", format)
			continue
		}
		for i, h := range makers[format](t) {
			t.Run(fmt.Sprintf("%s %d", format, i), func(t *testing.T) {
				if !containsMarker(bytes.Join(append(h.keys, h.signature), nil)) {
					t.Fatal("the marker is not in the submission")
				}
				log.bodies = nil
				payload := attestHostile(t, s, format, h)
				for _, signed := range append(log.bodies, payload) {
					if containsMarker(signed) {
						t.Errorf("the marker is in what is signed or logged: %s", signed)
					}
				}
			})
		}
	}
}

// attestHostile submits h and returns the statement, in which the predicate type is.
func attestHostile(t *testing.T, s *gatewaytest.Gateway, format string, h hostile) []byte {
	t.Helper()
	given := gatewaytest.NoArtifact
	if h.artifact != nil {
		given = gatewaytest.Bytes(h.artifact)
	}
	sub, err := s.Submit(t.Context(), gateway.Request{
		Tenant: gateway.DefaultTenant, Format: format, Signature: h.signature, Keys: h.keys, Representation: gateway.Attested,
		Labels: map[string]string{marker: marker},
	}, given)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := s.Statement(t.Context(), gateway.DefaultTenant, wait(t, s, sub.ID).Entries[0].LeafHash)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statement.Parse(envelope.GetPayload()); err != nil {
		t.Fatal(err)
	}
	return envelope.GetPayload()
}

// bodyLog keeps the bodies of entries.
type bodyLog struct {
	*gatewaytest.Log
	bodies [][]byte
}

func (l *bodyLog) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	p, e, err := l.Log.Prepare(o)
	l.bodies = append(l.bodies, p.Body)
	return p, e, err
}

// containsMarker looks for the marker as it is, backwards, escaped, in hexadecimal and, at each of three offsets, in base64.
func containsMarker(b []byte) bool {
	text := strings.ToLower(string(b))
	reversed := []byte(marker)
	for i := range len(reversed) / 2 {
		reversed[i], reversed[len(reversed)-1-i] = reversed[len(reversed)-1-i], reversed[i]
	}
	for _, m := range [][]byte{[]byte(marker), reversed} {
		escaped := ""
		for _, c := range m {
			escaped += fmt.Sprintf(`\u%04x`, c)
		}
		for _, form := range []string{string(m), hex.EncodeToString(m), escaped} {
			if strings.Contains(text, strings.ToLower(form)) {
				return true
			}
		}
		for offset := range 3 {
			whole := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{'x'}, offset), m...))
			if middle := whole[(offset*8+5)/6 : (offset+len(m))*8/6]; bytes.Contains(b, []byte(middle)) {
				return true
			}
		}
	}
	return false
}

// The test above can fail.
func TestContainsMarker(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "a", "ab", "abc"} {
		text := []byte(before + marker + "!!")
		for _, b := range [][]byte{
			text, []byte(hex.EncodeToString(text)), []byte(base64.StdEncoding.EncodeToString(text)), []byte(base64.RawURLEncoding.EncodeToString(text)),
			[]byte(strings.ToUpper(string(text))), []byte(`\u005A\u0039\u006d\u0061\u0072\u006b\u0039\u005a`),
		} {
			if !containsMarker(b) {
				t.Errorf("not found in %s", b)
			}
		}
	}
	if containsMarker([]byte("Z9mark")) || containsMarker(bytes.Repeat([]byte("abcdefgh0123"), 100)) {
		t.Error("found where it is not")
	}
}
