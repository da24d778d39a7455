// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

var large = make([]byte, 64<<20)

// BenchmarkVerify must reach 0.85 of BenchmarkSHA256 in the same run.
func BenchmarkVerify(b *testing.B) {
	k := newKey().withUser(nil)
	sig := pack(2, plain(k.primary).sign(k.primary, large))
	p, err := pgp.New().Parse(context.Background(), sig, k.bytes(), formats.Policy{Now: now})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(large)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(large))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSHA256(b *testing.B) {
	b.SetBytes(int64(len(large)))
	for b.Loop() {
		sha256.Sum256(large)
	}
}

// BenchmarkSmall is a whole submission of 1 KiB: parse, find the key, verify.
func BenchmarkSmall(b *testing.B) {
	small := large[:1024]
	k := newKey().withUser(nil)
	sig, keys := pack(2, plain(k.primary).sign(k.primary, small)), k.bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify(sig, keys, formats.Policy{}, small); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeyring finds one key in a keyring of 4 MiB.
func BenchmarkKeyring(b *testing.B) {
	k := newKey().withUser(nil)
	other := newKey().withUser(nil).bytes()[0]
	ring := append(bytes.Repeat(other, (formats.MaxKeySize-1024)/len(other)), k.bytes()[0]...)
	sig := pack(2, plain(k.primary).sign(k.primary, artifact))
	b.SetBytes(int64(len(ring)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pgp.New().Parse(context.Background(), sig, [][]byte{ring}, formats.Policy{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}
