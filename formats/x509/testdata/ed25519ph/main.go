// SPDX-License-Identifier: Apache-2.0

// Command ed25519ph signs a file with Ed25519ph, which OpenSSL 3.0 cannot:
// ed25519ph KEY.pem FILE > FILE.sig
package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"log"
	"os"
)

func main() {
	block, _ := pem.Decode(read(os.Args[1]))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	digest := sha512.Sum512(read(os.Args[2]))
	sig, err := key.(ed25519.PrivateKey).Sign(nil, digest[:], &ed25519.Options{Hash: crypto.SHA512})
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(sig)
}

func read(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return b
}
