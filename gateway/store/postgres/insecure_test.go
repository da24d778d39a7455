// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// TestInsecureServers: a server that cannot be spoken to as sslmode asks is said to be so, and not waited for.
func TestInsecureServers(t *testing.T) {
	server := postgrestest.NewServer(t)
	secure := strings.Replace(server.DSN("postgres"), "sslmode=disable", "sslmode=verify-full", 1)
	for _, dsn := range []string{secure, strings.Replace(secure, "verify-full", "require", 1)} {
		if _, err := Open(t.Context(), dsn, Options{}); !errors.Is(err, ErrUnsafeServer) || !strings.Contains(err.Error(), "it has no TLS") || errors.Is(err, gateway.ErrStoreUnavailable) {
			t.Errorf("without TLS: %v", err)
		}
	}
	oneIsDown := strings.Replace(secure, server.Address(), server.Address()+",127.0.0.1:1", 1)
	if _, err := Open(t.Context(), oneIsDown, Options{}); !errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("one without TLS, and one that is down: %v", err)
	}
	authority := serveTLS(t, server)
	if _, err := Open(t.Context(), secure, Options{}); !errors.Is(err, ErrUnsafeServer) || errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("a certificate of nobody known: %v", err)
	}
	s, err := Open(t.Context(), secure+"&sslrootcert="+authority, Options{})
	if err != nil {
		t.Fatalf("a certificate that is known: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// serveTLS has a server speak TLS, and returns a file with its certificate.
func serveTLS(t *testing.T, server *postgrestest.Server) (file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Stat(server.Data())
	if err != nil {
		t.Fatal(err)
	}
	owner := folder.Sys().(*syscall.Stat_t)
	write := func(path, kind string, content []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, block := range map[string]struct {
		kind    string
		content []byte
	}{"server.crt": {"CERTIFICATE", certificate}, "server.key": {"PRIVATE KEY", private}} {
		path := filepath.Join(server.Data(), name)
		write(path, block.kind, block.content)
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{`ALTER SYSTEM SET ssl = on`, `SELECT pg_reload_conf()`} {
		if err := server.Exec(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	awaitTLS(t, server)
	file = filepath.Join(t.TempDir(), "authority.pem")
	write(file, "CERTIFICATE", certificate)
	return file
}

func awaitTLS(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	const speaks = `DO $$ BEGIN IF current_setting('ssl') <> 'on' THEN RAISE 'not yet'; END IF; END $$`
	deadline := time.Now().Add(time.Minute)
	for server.Exec(t.Context(), "postgres", speaks) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the server does not speak TLS")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
