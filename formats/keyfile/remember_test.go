// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestRememberFiles: a file is read once, and nobody's copy of its keys is another's; what is not good is read each time.
func TestRememberFiles(t *testing.T) {
	before := remembered.Load()
	defer remembered.Store(before)
	if err := RememberFiles(2); err != nil {
		t.Fatal(err)
	}
	m, err := formats.StartWork(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	read := func(name string) []Key {
		t.Helper()
		keys, err := readOnce(m, []byte(name), func(*formats.Meter) ([]Key, error) {
			reads++
			return []Key{{SPKI: []byte(name)}, {SPKI: []byte("more")}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	first := read("a")
	want := slices.Clone(first)
	first[0] = Key{}
	second := read("a")
	second[1] = Key{}
	if got := read("a"); !reflect.DeepEqual(got, want) || reads != 1 {
		t.Errorf("%v after %d reads, want %v after one", got, reads, want)
	}
	read("b")
	read("c") // in place of a
	if read("a"); reads != 4 {
		t.Errorf("%d reads, want 4", reads)
	}
	for range 2 {
		if _, err := readOnce(m, []byte("bad"), func(*formats.Meter) ([]Key, error) { reads++; return nil, errBad }); !errors.Is(err, errBad) {
			t.Errorf("%v", err)
		}
		_, _ = readOnce(m, make([]byte, maxRememberedFile+1), func(*formats.Meter) ([]Key, error) { reads++; return nil, nil })
	}
	if reads != 8 {
		t.Errorf("%d reads, want 8: bad and large files are not remembered", reads)
	}
}

// TestRememberedFilesCostTheSame: what is refused as too much work is refused whatever was read before, and charged as much.
func TestRememberedFilesCostTheSame(t *testing.T) {
	before := remembered.Load()
	defer remembered.Store(before)
	if err := RememberFiles(2); err != nil {
		t.Fatal(err)
	}
	chain := makeChain(t)
	spend := func(limit int64) (int64, error) {
		work := formats.NewWork(limit)
		m, err := formats.StartWork(formats.WithWork(t.Context(), work), "")
		if err == nil {
			_, err = Read(m, chain)
		}
		return work.Spent(), err
	}
	want, err := spend(formats.MaxWork)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := spend(formats.MaxWork); err != nil || got != want {
		t.Errorf("%d units once it is remembered, %d before: %v", got, want, err)
	}
	if _, err := spend(want - 1); err == nil {
		t.Error("what was too much work is not, once it is remembered")
	}
}

// makeChain returns a certificate and its issuer, in PEM.
func makeChain(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}}
	var chain []byte
	for _, c := range []*x509.Certificate{leaf, issuer} {
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return chain
}

var errBad = errors.New("bad")
