// SPDX-License-Identifier: Apache-2.0

// Command authenticator signs in the place of a FIDO security key, which a build machine
// has none of: it makes a key, and signs as OpenSSH's PROTOCOL.u2f and PROTOCOL.sshsig
// say. It also makes rsa-sha2-256 signatures, which SSHSIG allows and ssh-keygen never
// writes. make.sh has ssh-keygen verify what comes out.
//
//	authenticator new KIND KEY         writes KEY (PKCS#8) and KEY.pub
//	authenticator sign KEY PUB FLAGS   signs standard input; PUB may be a certificate
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"os"
	"slices"
	"strconv"

	"golang.org/x/crypto/ssh"
)

const application = "ssh:"

func main() {
	log.SetFlags(0)
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "new":
		create(args[1], args[2])
	case len(args) == 4 && args[0] == "sign":
		flags, err := strconv.ParseUint(args[3], 0, 8)
		check(err)
		sign(args[1], args[2], byte(flags))
	default:
		log.Fatal("usage: authenticator new KIND KEY | sign KEY PUB FLAGS")
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func create(kind, path string) {
	key, wire := newKey(kind)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	pub, err := ssh.ParsePublicKey(wire)
	check(err)
	check(os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(pub), 0o644))
}

// newKey returns a key and its public half in SSH's wire format.
func newKey(kind string) (key crypto.Signer, wire []byte) {
	switch kind {
	case "sk-ecdsa":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(err)
		point, err := k.PublicKey.Bytes()
		check(err)
		return k, ssh.Marshal(struct {
			Type, Curve string
			Point       []byte
			Application string
		}{ssh.KeyAlgoSKECDSA256, "nistp256", point, application})
	case "sk-ed25519":
		pub, k, err := ed25519.GenerateKey(rand.Reader)
		check(err)
		return k, ssh.Marshal(struct {
			Type        string
			Point       []byte
			Application string
		}{ssh.KeyAlgoSKED25519, pub, application})
	case "rsa":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		pub, err := ssh.NewPublicKey(k.Public())
		check(err)
		return k, pub.Marshal()
	}
	log.Fatalf("unknown kind %q", kind)
	return nil, nil
}

func sign(keyPath, pubPath string, flags byte) {
	raw, err := os.ReadFile(keyPath)
	check(err)
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	line, err := os.ReadFile(pubPath)
	check(err)
	pub, _, _, _, err := ssh.ParseAuthorizedKey(line)
	check(err)
	message, err := io.ReadAll(os.Stdin)
	check(err)
	digest := sha512.Sum512(message)
	head := struct{ Magic [6]byte }{[6]byte([]byte("SSHSIG"))}
	blob := append(ssh.Marshal(head), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Digest                    []byte
	}{"file", "", "sha512", digest[:]})...)
	out := append(ssh.Marshal(head), ssh.Marshal(struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{1, pub.Marshal(), "file", "", "sha512", ssh.Marshal(signBlob(key.(crypto.Signer), blob, flags))})...)
	check(pem.Encode(os.Stdout, &pem.Block{Type: "SSH SIGNATURE", Bytes: out}))
}

func signBlob(key crypto.Signer, blob []byte, flags byte) ssh.Signature {
	const counter = 7
	rest := ssh.Marshal(struct {
		Flags   byte
		Counter uint32
	}{flags, counter})
	app, inner := sha256.Sum256([]byte(application)), sha256.Sum256(blob)
	signed := slices.Concat(app[:], rest, inner[:])
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(k, signed), Rest: rest}
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256(signed)
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		check(err)
		return ssh.Signature{Format: ssh.KeyAlgoSKECDSA256, Blob: ssh.Marshal(struct{ R, S *big.Int }{r, s}), Rest: rest}
	case *rsa.PrivateKey:
		sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, inner[:])
		check(err)
		return ssh.Signature{Format: ssh.KeyAlgoRSASHA256, Blob: sig}
	}
	log.Fatalf("unknown key %T", key)
	return ssh.Signature{}
}
