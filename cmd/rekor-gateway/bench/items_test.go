// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"go.mozilla.org/pkcs7"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// item is one submission: over an artifact, or over its digest.
type item struct {
	signature, key, artifact []byte
	digest, spki             []byte // of X.509 over a digest
}

func (i item) header() *pb.SubmissionHeader {
	h := &pb.SubmissionHeader{Signature: i.signature, Keys: [][]byte{i.key}}
	if i.digest != nil {
		h.Digest = "sha256:" + hex.EncodeToString(i.digest)
	}
	return h
}

// request is what the header says, as the domain takes it.
func (i item) request() gateway.Request {
	r := gateway.Request{Tenant: gateway.DefaultTenant, Signature: i.signature, Keys: [][]byte{i.key}}
	if i.digest != nil {
		r.Digest = &formats.Digest{Algorithm: formats.SHA256, Value: i.digest}
	}
	return r
}

// give returns the artifact as the domain takes it.
func (i item) give() (formats.Artifact, error) {
	if i.artifact == nil {
		return formats.Artifact{}, nil
	}
	return formats.FromReader(bytes.NewReader(i.artifact)), nil
}

// artifactSize is that of artifacts that are sent, in bytes.
const artifactSize = 1 << 10

// makeItems makes n items by sign, fresh ones, with all processors.
func makeItems(n int, sign func(artifact []byte) item) []item {
	items := make([]item, n)
	check(inParallel(n, runtime.NumCPU(), func(_, i int) error {
		artifact := make([]byte, artifactSize)
		_, _ = rand.Read(artifact[:32])
		items[i] = sign(artifact)
		return nil
	}))
	return items
}

// signX509 returns a maker of signatures by one P-256 key over digests.
func signX509() func([]byte) item {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	spki := must(x509.MarshalPKIXPublicKey(key.Public()))
	file := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	return func(artifact []byte) item {
		digest := sha256.Sum256(artifact)
		return item{signature: must(ecdsa.SignASN1(rand.Reader, key, digest[:])), key: file, digest: digest[:], spki: spki}
	}
}

// signArtifacts is signX509 over the artifacts themselves.
func signArtifacts() func([]byte) item {
	sign := signX509()
	return func(artifact []byte) item {
		i := sign(artifact)
		i.digest, i.artifact = nil, artifact
		return i
	}
}

// mixedItems makes n items, as many of each of the six formats, in turn.
func mixedItems(n int) []item {
	makers := []func([]byte) item{
		signArtifacts(), signPGP(), signSSH(), signPKCS7(), signMinisign(), signTUF(),
	}
	each := make([][]item, len(makers))
	for i, sign := range makers {
		each[i] = makeItems(n/len(makers), sign)
	}
	var all []item
	for i := range each[0] {
		for _, items := range each {
			all = append(all, items[i])
		}
	}
	return all
}

func signPGP() func([]byte) item {
	cfg := &packet.Config{RSABits: 2048, DefaultHash: crypto.SHA256}
	e := must(openpgp.NewEntity("Bench", "", "bench@example.com", cfg))
	var key bytes.Buffer
	check(e.Serialize(&key))
	return func(artifact []byte) item {
		var sig bytes.Buffer
		check(openpgp.DetachSign(&sig, e, bytes.NewReader(artifact), cfg))
		return item{signature: sig.Bytes(), key: key.Bytes(), artifact: artifact}
	}
}

// signSSH makes SSHSIG blobs (OpenSSH's PROTOCOL.sshsig) in the namespace "file".
func signSSH() func([]byte) item {
	signer := must(ssh.NewSignerFromSigner(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
	key := ssh.MarshalAuthorizedKey(signer.PublicKey())
	return func(artifact []byte) item {
		digest := sha512.Sum512(artifact)
		signed := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{"file", "", "sha512", string(digest[:])})...)
		blob := ssh.Marshal(struct {
			Version                                   uint32
			Key, Namespace, Reserved, Hash, Signature string
		}{1, string(signer.PublicKey().Marshal()), "file", "", "sha512", string(ssh.Marshal(must(signer.Sign(rand.Reader, signed))))})
		return item{
			signature: pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: append([]byte("SSHSIG"), blob...)}), key: key, artifact: artifact,
		}
	}
}

func signPKCS7() func([]byte) item {
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	certificate := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	return func(artifact []byte) item {
		signed := must(pkcs7.NewSignedData(artifact))
		signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
		check(signed.AddSigner(certificate, key, pkcs7.SignerInfoConfig{}))
		signed.Detach()
		return item{signature: must(signed.Finish()), key: file, artifact: artifact}
	}
}

func signMinisign() func([]byte) item {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	line := func(parts ...[]byte) string { return base64.StdEncoding.EncodeToString(slices.Concat(parts...)) }
	file := []byte("untrusted comment: minisign public key\n" + line([]byte("Ed12345678"), public) + "\n")
	return func(artifact []byte) item {
		const comment = "timestamp:1735689600\tfile:artifact"
		digest := blake2b.Sum512(artifact)
		sig := ed25519.Sign(key, digest[:])
		global := ed25519.Sign(key, append(slices.Clone(sig), comment...))
		text := fmt.Appendf(nil, "untrusted comment: signature\n%s\ntrusted comment: %s\n%s\n", line([]byte("ED12345678"), sig), comment, line(global))
		return item{signature: text, key: file, artifact: artifact}
	}
}

// signTUF makes targets metadata of about the artifact's size, by a P-256 key under a root of one key.
func signTUF() func([]byte) item {
	type object = map[string]any
	const expires = "2050-01-01T00:00:00Z"
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})
	listed := object{"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": string(public)}}
	sum := sha256.Sum256(must(cjson.EncodeCanonical(listed)))
	id := hex.EncodeToString(sum[:])
	sign := func(signed object) []byte {
		digest := sha256.Sum256(must(cjson.EncodeCanonical(signed)))
		sig := object{"keyid": id, "sig": hex.EncodeToString(must(ecdsa.SignASN1(rand.Reader, key, digest[:])))}
		return must(json.Marshal(object{"signed": signed, "signatures": []object{sig}}))
	}
	role := object{"keyids": []any{id}, "threshold": 1}
	root := sign(object{
		"_type": "root", "spec_version": "1.0.31", "version": 1, "expires": expires, "consistent_snapshot": true,
		"keys": object{id: listed}, "roles": object{"root": role, "targets": role, "snapshot": role, "timestamp": role},
	})
	return func(artifact []byte) item {
		targets := object{}
		for i := range 6 { // about as many bytes as the other formats' artifacts have
			digest := sha256.Sum256(append(slices.Clone(artifact[:32]), byte(i)))
			targets[fmt.Sprintf("file-%d", i)] = object{"length": 1 << 20, "hashes": object{"sha256": hex.EncodeToString(digest[:])}}
		}
		return item{
			signature: sign(object{"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": expires, "targets": targets}), key: root,
		}
	}
}
