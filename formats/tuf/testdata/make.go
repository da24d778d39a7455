// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Command make writes TUF repositories' metadata with go-tuf: see make.sh.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"log"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

var (
	future  = time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	expired = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
)

type pair struct {
	key    *metadata.Key
	signer signature.Signer
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func newPair(private crypto.Signer, signer signature.Signer, scheme string) pair {
	key := must(metadata.KeyFromPublicKey(private.Public()))
	key.Scheme = scheme
	return pair{key, signer}
}

func newECDSA(curve elliptic.Curve, hash crypto.Hash, scheme string) pair {
	k := must(ecdsa.GenerateKey(curve, rand.Reader))
	return newPair(k, must(signature.LoadECDSASigner(k, hash)), scheme)
}

func newP256() pair {
	return newECDSA(elliptic.P256(), crypto.SHA256, metadata.KeySchemeECDSA_SHA2_P256)
}

func newEd25519() pair {
	_, k := must2(ed25519.GenerateKey(rand.Reader))
	return newPair(k, must(signature.LoadED25519Signer(k)), metadata.KeySchemeEd25519)
}

func must2[A, B any](a A, b B, err error) (A, B) {
	check(err)
	return a, b
}

func newRSA() pair {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	s := must(signature.LoadRSAPSSSigner(k, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256}))
	return newPair(k, s, metadata.KeySchemeRSASSA_PSS_SHA256)
}

func write[T metadata.Roles](name string, m *metadata.Metadata[T], signers ...pair) {
	m.ClearSignatures()
	for _, s := range signers {
		must(m.Sign(s.signer))
	}
	// Sign names keys by what KeyFromPublicKey makes of them; the listed key may differ.
	for i, s := range signers {
		m.Signatures[i].KeyID = must(s.key.ID())
	}
	check(m.ToFile(name, name != "snapshot.json"))
}

func newRoot(version int64, threshold int, roles map[string][]pair) *metadata.Metadata[metadata.RootType] {
	root := metadata.Root(future)
	root.Signed.Version = version
	for role, keys := range roles {
		for _, k := range keys {
			check(root.Signed.AddKey(k.key, role))
		}
	}
	root.Signed.Roles["targets"].Threshold = threshold
	return root
}

func newTargets(expires time.Time, paths ...string) *metadata.Metadata[metadata.TargetsType] {
	t := metadata.Targets(expires)
	for _, p := range paths {
		t.Signed.Targets[p] = must(metadata.TargetFile().FromFile("target.txt", "sha256", "sha512"))
	}
	return t
}

func main() {
	check(os.WriteFile("target.txt", []byte("a target of the repository\n"), 0o644))
	a, b, c := newP256(), newP256(), newP256()
	big := newECDSA(elliptic.P384(), crypto.SHA384, metadata.KeySchemeECDSA_SHA2_P384)
	ed, rsaKey := newEd25519(), newRSA()
	roles := func(root pair) map[string][]pair {
		return map[string][]pair{"root": {root}, "targets": {a, b, big, ed}, "snapshot": {ed}, "timestamp": {rsaKey}}
	}
	write("root-1.json", newRoot(1, 2, roles(a)), a)
	write("root-2.json", newRoot(2, 2, roles(b)), a, b) // rotates the root key
	write("root-3.json", newRoot(3, 2, roles(b)), b)
	write("root-2-unlinked.json", newRoot(2, 2, roles(c)), c) // its own key alone signed it

	write("targets.json", newTargets(future, "target.txt"), a, big)
	write("targets-mixed.json", newTargets(future, "target.txt"), a, ed)
	write("targets-one.json", newTargets(future, "target.txt"), a)
	write("targets-wrong-role.json", newTargets(future, "target.txt"), rsaKey)
	write("targets-stranger.json", newTargets(future, "target.txt"), c)
	write("targets-expired.json", newTargets(expired, "target.txt"), a, big)
	write("snapshot.json", metadata.Snapshot(future), ed)
	write("timestamp.json", metadata.Timestamp(future), rsaKey)
	makeDelegation(a, big, c)
	makeTwice(a)
	makeExpiredRoot(a)
}

func makeDelegation(a, big, c pair) {
	t := newTargets(future)
	t.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{},
		Roles: []metadata.DelegatedRole{{Name: "releases", Threshold: 1, KeyIDs: []string{}, Paths: []string{"releases/*"}}}}
	check(t.Signed.AddKey(c.key, "releases"))
	write("delegating.json", t, a, big)
	write("releases.json", newTargets(future, "releases/target.txt"), c)
	write("releases-outside.json", newTargets(future, "elsewhere/target.txt"), c)
}

// makeTwice lists one key under two ids, with a threshold of two.
func makeTwice(a pair) {
	other := *a.key
	again := metadata.Key{Type: metadata.KeyTypeECDSA_SHA2_P256_COMPAT, Scheme: other.Scheme, Value: other.Value}
	twin := pair{&again, a.signer}
	root := newRoot(1, 2, map[string][]pair{"root": {a}, "targets": {a, twin}, "snapshot": {a}, "timestamp": {a}})
	write("twice-root.json", root, a)
	write("twice-targets.json", newTargets(future), a, twin)
}

func makeExpiredRoot(a pair) {
	root := newRoot(1, 1, map[string][]pair{"root": {a}, "targets": {a}, "snapshot": {a}, "timestamp": {a}})
	root.Signed.Expires = expired
	write("expired-root.json", root, a)
	write("expired-root-targets.json", newTargets(future), a)
}
