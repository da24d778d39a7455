// SPDX-License-Identifier: Apache-2.0

// Command make takes the output of signing tools apart: make KIND OUT [FILE…] writes OUT.bin, the bytes that were
// signed, OUT.sig, the signature as its algorithm has it, and OUT.pem, the public key. See make.sh.
package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"log"
	"os"
)

// signed is what one tool made.
type signed struct {
	bytes, signature []byte
	key              crypto.PublicKey
}

var kinds = map[string]func(files ...string) signed{
	"openpgp": openPGP, "sshsig": sshSignature, "ssh-certificate": sshCertificate, "ssh-userauth": userAuth,
	"certificate": certificate, "csr": request, "crl": revocationList, "ocsp": ocsp, "crmf": crmf, "spkac": challenge,
	"tls-server": tlsServer, "tls-client": tlsClient, "dtls-client": dtlsClient, "dsse": envelope, "sigsum": leaf,
	"minisign": minisign, "jws": jws, "cose": coseSign1, "checkpoint": checkpoint, "cosignature": cosignature,
}

func main() {
	log.SetFlags(0)
	kind, out, files := os.Args[1], os.Args[2], os.Args[3:]
	log.SetPrefix(kind + ": ")
	s := kinds[kind](files...)
	write(out+".bin", s.bytes)
	write(out+".sig", s.signature)
	write(out+".pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(s.key))}))
}

func read(name string) []byte { return must(os.ReadFile(name)) }

func write(name string, b []byte) { check(os.WriteFile(name, b, 0o644)) }

func readPEM(name string) []byte {
	block, _ := pem.Decode(read(name))
	return block.Bytes
}

func readKey(name string) crypto.PublicKey { return must(x509.ParsePKIXPublicKey(readPEM(name))) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
