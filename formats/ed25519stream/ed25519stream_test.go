// SPDX-License-Identifier: Apache-2.0

package ed25519stream_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519"

	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

// verify streams msg in pieces of the given size.
func verify(pub, sig, msg []byte, piece int) bool {
	v, err := ed25519stream.New(pub, sig)
	if err != nil {
		return false
	}
	for len(msg) > 0 {
		n := min(piece, len(msg))
		v.Write(msg[:n])
		msg = msg[n:]
	}
	return v.Verify()
}

// checkAgrees fails unless the standard library gives the same verdict, which it returns.
func checkAgrees(t *testing.T, pub, sig, msg []byte) bool {
	t.Helper()
	want := len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, msg, sig)
	for _, piece := range []int{1, 7, 4096} {
		if got := verify(pub, sig, msg, piece); got != want {
			t.Fatalf("verdict %v, crypto/ed25519 says %v\npub %x\nsig %x\nmsg %x", got, want, pub, sig, msg)
		}
	}
	return want
}

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func TestRandomSignatures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		priv := newKey(byte(i))
		pub := priv.Public().(ed25519.PublicKey)
		msg := make([]byte, rng.IntN(600))
		for j := range msg {
			msg[j] = byte(rng.Uint32())
		}
		sig := ed25519.Sign(priv, msg)
		if !checkAgrees(t, pub, sig, msg) {
			t.Fatal("a good signature is refused")
		}
		flip := func(b []byte) []byte {
			c := bytes.Clone(b)
			c[rng.IntN(len(c))] ^= 1 << rng.IntN(8)
			return c
		}
		if checkAgrees(t, flip(pub), sig, msg) || checkAgrees(t, pub, flip(sig), msg) ||
			checkAgrees(t, pub, sig, append(bytes.Clone(msg), 0)) {
			t.Fatal("an altered input is accepted")
		}
	}
}

// order is the group order l, little-endian.
var order = []byte{
	0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
}

// addOrder returns s + n·l, the same scalar in an encoding that is not canonical.
func addOrder(s []byte, n int) []byte {
	out := bytes.Clone(s)
	for range n {
		carry := 0
		for i := range out {
			carry += int(out[i]) + int(order[i])
			out[i], carry = byte(carry), carry>>8
		}
	}
	return out
}

func TestNonCanonicalS(t *testing.T) {
	priv, msg := newKey(7), []byte("message")
	pub := priv.Public().(ed25519.PublicKey)
	sig := ed25519.Sign(priv, msg)
	for n := 1; n <= 7; n++ {
		forged := append(bytes.Clone(sig[:32]), addOrder(sig[32:], n)...)
		if checkAgrees(t, pub, forged, msg) {
			t.Errorf("S + %d·l is accepted", n)
		}
		if _, err := ed25519stream.New(pub, forged); !errors.Is(err, ed25519stream.ErrSignature) {
			t.Errorf("S + %d·l: %v, want ErrSignature", n, err)
		}
	}
}

// smallOrder lists encodings, canonical and not, of the eight points of small order: y is
// 0, 1, −1 and the two of order eight, each with y + p where that fits and both signs of x.
func smallOrder(t *testing.T) [][]byte {
	t.Helper()
	y8 := []byte{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	}
	ff := bytes.Repeat([]byte{0xff}, 32)
	ff[31] = 0x7f
	near := func(low byte) []byte { b := bytes.Clone(ff); b[0] = low; return b }
	p, err := new(edwards25519.Point).SetBytes(y8)
	if err != nil {
		t.Fatal(err)
	}
	y8neg := new(edwards25519.Point).Add(p, orderTwo(t)).Bytes()
	y8neg[31] &= 0x7f
	one := make([]byte, 32)
	one[0] = 1
	var all [][]byte
	for _, y := range [][]byte{make([]byte, 32), one, near(0xec), near(0xed), near(0xee), y8, y8neg} {
		signed := bytes.Clone(y)
		signed[31] |= 0x80
		all = append(all, y, signed)
	}
	return all
}

// orderTwo is the point (0, −1).
func orderTwo(t *testing.T) *edwards25519.Point {
	t.Helper()
	b := bytes.Repeat([]byte{0xff}, 32)
	b[0], b[31] = 0xec, 0x7f
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSmallOrder pairs every small-order key with every small-order R, for S = 0 and S = 1:
// some verify, and the standard library must say so of the same ones.
func TestSmallOrder(t *testing.T) {
	accepted := 0
	points := smallOrder(t)
	for _, a := range points {
		for _, r := range points {
			for s := range byte(2) {
				sig := append(bytes.Clone(r), make([]byte, 32)...)
				sig[32] = s
				for m := range byte(8) {
					if checkAgrees(t, a, sig, []byte{m}) {
						accepted++
					}
				}
			}
		}
	}
	if accepted == 0 {
		t.Error("none verified: the vectors test nothing")
	}
}

// TestMixedOrder gives the key and R a component of order two, where the cofactorless
// equation holds for about half of the messages.
func TestMixedOrder(t *testing.T) {
	two := orderTwo(t)
	a, err := edwards25519.NewScalar().SetUniformBytes(bytes.Repeat([]byte{9}, 64))
	if err != nil {
		t.Fatal(err)
	}
	pub := new(edwards25519.Point).ScalarBaseMult(a)
	pub.Add(pub, two)
	verdicts := map[bool]int{}
	for m := range byte(32) {
		sig := signMixed(t, a, pub.Bytes(), []byte{m})
		verdicts[checkAgrees(t, pub.Bytes(), sig, []byte{m})]++
	}
	if verdicts[true] == 0 || verdicts[false] == 0 {
		t.Errorf("verdicts %v: the vectors test nothing", verdicts)
	}
}

// signMixed signs as if pub had no torsion: S = r + k·a with R = [r]B.
func signMixed(t *testing.T, a *edwards25519.Scalar, pub, msg []byte) []byte {
	t.Helper()
	r, err := edwards25519.NewScalar().SetUniformBytes(bytes.Repeat(msg, 64))
	if err != nil {
		t.Fatal(err)
	}
	encoded := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	k, err := edwards25519.NewScalar().SetUniformBytes(sha512Sum(encoded, pub, msg))
	if err != nil {
		t.Fatal(err)
	}
	return append(encoded, edwards25519.NewScalar().MultiplyAdd(k, a, r).Bytes()...)
}

func TestNewRefuses(t *testing.T) {
	priv := newKey(3)
	pub := priv.Public().(ed25519.PublicKey)
	sig := ed25519.Sign(priv, nil)
	offCurve := make([]byte, 32)
	offCurve[0] = 2
	for _, c := range []struct {
		name     string
		pub, sig []byte
		want     error
	}{
		{"no key", nil, sig, ed25519stream.ErrKey},
		{"short key", pub[:31], sig, ed25519stream.ErrKey},
		{"long key", append(bytes.Clone(pub), 0), sig, ed25519stream.ErrKey},
		{"key off the curve", offCurve, sig, ed25519stream.ErrKey},
		{"no signature", pub, nil, ed25519stream.ErrSignature},
		{"short signature", pub, sig[:63], ed25519stream.ErrSignature},
		{"long signature", pub, append(bytes.Clone(sig), 0), ed25519stream.ErrSignature},
	} {
		if v, err := ed25519stream.New(c.pub, c.sig); v != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.name, v, err)
		}
	}
}

func TestCheckKey(t *testing.T) {
	good := newKey(3).Public().(ed25519.PublicKey)
	if err := ed25519stream.CheckKey(good); err != nil {
		t.Errorf("a good key: %v", err)
	}
	for _, pub := range smallOrder(t) {
		if err := ed25519stream.CheckKey(pub); !errors.Is(err, ed25519stream.ErrSmallOrder) {
			t.Errorf("%x: %v, want ErrSmallOrder", pub, err)
		}
	}
	bad := [][]byte{nil, good[:31], bytes.Repeat([]byte{0xff}, 32)}
	for y := byte(0xef); y != 0; y++ { // the encodings of y = 2 … 18 that are not reduced
		b := bytes.Repeat([]byte{0xff}, 32)
		b[0], b[31] = y, 0x7f
		bad = append(bad, b)
	}
	for _, pub := range bad {
		if err := ed25519stream.CheckKey(pub); !errors.Is(err, ed25519stream.ErrKey) {
			t.Errorf("%x: %v, want ErrKey", pub, err)
		}
	}
}

// TestVerifyTwice: the verdict is on what was written so far, and asking changes nothing.
func TestVerifyTwice(t *testing.T) {
	priv := newKey(5)
	sig := ed25519.Sign(priv, []byte("whole"))
	v, err := ed25519stream.New(priv.Public().(ed25519.PublicKey), sig)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(v, "who")
	early := v.Verify()
	io.WriteString(v, "le")
	if early || !v.Verify() || !v.Verify() {
		t.Error("the verdict depends on when it was asked")
	}
}

// TestIsFor: a verifier is for one key and one signature.
func TestIsFor(t *testing.T) {
	pub, other := newKey(5).Public().(ed25519.PublicKey), newKey(6).Public().(ed25519.PublicKey)
	sig, another := ed25519.Sign(newKey(5), []byte("a")), ed25519.Sign(newKey(5), []byte("b"))
	v, err := ed25519stream.New(pub, sig)
	if err != nil {
		t.Fatal(err)
	}
	mixed := append(bytes.Clone(sig[:32]), another[32:]...)
	if !v.IsFor(pub, sig) || v.IsFor(other, sig) || v.IsFor(pub, another) || v.IsFor(pub, mixed) || v.IsFor(pub, sig[:63]) || v.IsFor(nil, nil) {
		t.Error("it is for another, or not for its own")
	}
}

func FuzzAgreesWithStandardLibrary(f *testing.F) {
	priv := newKey(1)
	sig := ed25519.Sign(priv, []byte("message"))
	f.Add([]byte(priv.Public().(ed25519.PublicKey)), sig, []byte("message"))
	f.Add(make([]byte, 32), make([]byte, 64), []byte{})
	f.Add([]byte{1}, []byte{2}, []byte{3})
	f.Fuzz(func(t *testing.T, pub, sig, msg []byte) { checkAgrees(t, pub, sig, msg) })
}

const benchSize = 64 << 20

func BenchmarkVerify(b *testing.B) {
	priv, msg := newKey(1), make([]byte, benchSize)
	pub, sig := priv.Public().(ed25519.PublicKey), ed25519.Sign(priv, msg)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if !verify(pub, sig, msg, 32<<10) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkSHA256(b *testing.B) {
	msg := make([]byte, benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		sha256.Sum256(msg)
	}
}

func ExampleNew() {
	priv := newKey(1)
	sig := ed25519.Sign(priv, []byte("message"))
	v, err := ed25519stream.New(priv.Public().(ed25519.PublicKey), sig)
	if err != nil {
		panic(err)
	}
	io.Copy(v, bytes.NewReader([]byte("message")))
	fmt.Println(v.Verify())
	// Output: true
}
