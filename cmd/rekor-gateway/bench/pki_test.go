// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pkiName is the name of everybody with a certificate.
const pkiName = "farm.example.com"

// pki is one certificate, in files, which gateway, authority and caller have alike.
type pki struct {
	certFile, keyFile string
	caller            tls.Certificate
}

func newPKI(t *testing.T) pki {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{pkiName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true,
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
	dir := t.TempDir()
	p := pki{certFile: filepath.Join(dir, "certificate.pem"), keyFile: filepath.Join(dir, "key.pem"), caller: must(tls.X509KeyPair(certificate, private))}
	check(os.WriteFile(p.certFile, certificate, 0o600))
	check(os.WriteFile(p.keyFile, private, 0o600))
	return p
}

// client is what a client needs who has a certificate, or none.
func (p pki) client(own *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(p.certFile)))
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: pkiName}
	if own != nil {
		c.Certificates = []tls.Certificate{*own}
	}
	return c
}
