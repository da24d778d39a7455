// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// What New writes, Sigstore's own library must read as the same logs.
func TestSigstoreGoReadsWrittenRoot(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var logs []trustroot.LogKey
	for name, key := range logKeys(t) {
		logs = append(logs, trustroot.LogKey{Origin: name + ".log.example", SPKI: encodeKey(t, key), Start: start, End: start.Add(time.Hour)})
	}
	made, err := trustroot.New(logs...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := root.NewTrustedRootFromJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(theirs.RekorLogs()) != len(logs) {
		t.Errorf("sigstore-go reads %d logs, want %d", len(theirs.RekorLogs()), len(logs))
	}
	for _, l := range made.Logs() {
		got := theirs.RekorLogs()[hex.EncodeToString(l.ID)]
		if got == nil || got.BaseURL != "https://"+l.Origin || !got.ValidityPeriodStart.Equal(l.Start) || !got.ValidityPeriodEnd.Equal(l.End) {
			t.Errorf("%s: sigstore-go reads %+v", l.Origin, got)
		}
	}
}

// logKeys are public keys of each kind that a log may have.
func logKeys(t *testing.T) map[string]any {
	t.Helper()
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"ed25519": ed, "p256": newKey(t)}
}

func newKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey
}

func encodeKey(t *testing.T, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
