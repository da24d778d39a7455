// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// clientAuthority issues certificates of clients.
type clientAuthority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newClientAuthority() *clientAuthority {
	a := &clientAuthority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key))))
	return a
}

// issue returns a client's certificate, as change has it.
func (a *clientAuthority) issue(change func(*x509.Certificate)) tls.Certificate {
	own := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "farm.example.com"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(template)
	return tls.Certificate{Certificate: [][]byte{must(x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key))}, PrivateKey: own}
}

// TestClientCertificates: a caller is known by a name in a certificate of the clients' own authority, over HTTP and gRPC, and by nothing else in it.
func TestClientCertificates(t *testing.T) {
	cfg := newConfig(t)
	cert, pool := newCertificate(t)
	authority, strange := newClientAuthority(), newClientAuthority()
	cert.ClientCAFile = filepath.Join(filepath.Dir(cfg.TrustedRoot), "clients.pem")
	if err := os.WriteFile(cert.ClientCAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.HTTP.TLS, cfg.GRPC.TLS = cert, cert
	withCallers(cfg, map[string][]string{"reader": {"read"}})
	cfg.Callers = append(cfg.Callers,
		config.Caller{Name: "farm", Tenant: "builds", May: []string{"read"}, ClientCert: config.ClientCert{SAN: []string{"dns:farm.example.com", "uri:spiffe://example.com/farm", "email:farm@example.com"}}},
		config.Caller{Name: "other", Tenant: "others", May: []string{"read"}, ClientCert: config.ClientCert{SAN: []string{"dns:other.example.com"}}})
	r := run(t, cfg)
	defer r.stop()
	dns := func(names ...string) func(*x509.Certificate) { return func(c *x509.Certificate) { c.DNSNames = names } }
	for name, c := range map[string]struct {
		cert  *tls.Certificate
		token string
		want  int // 0: the connection is refused
	}{
		"by DNS":               {new(authority.issue(dns("farm.example.com"))), "", 200},
		"by URI":               {new(authority.issue(func(c *x509.Certificate) { c.URIs = []*url.URL{must(url.Parse("spiffe://example.com/farm"))} })), "", 200},
		"by e-mail":            {new(authority.issue(func(c *x509.Certificate) { c.EmailAddresses = []string{"farm@example.com"} })), "", 200},
		"two names of one":     {new(authority.issue(dns("farm.example.com", "else.example.com"))), "", 200},
		"names of two callers": {new(authority.issue(dns("farm.example.com", "other.example.com"))), "", 401},
		"without a name":       {new(authority.issue(dns())), "", 401},
		"by another name":      {new(authority.issue(dns("else.example.com"))), "", 401},
		"by a wildcard":        {new(authority.issue(dns("*.example.com"))), "", 401},
		"DNS name of URI's":    {new(authority.issue(dns("spiffe://example.com/farm"))), "", 401},
		"none":                 {nil, "", 401},
		"none, and a token":    {nil, bearer("reader"), 200},
		"with a token":         {new(authority.issue(dns("farm.example.com"))), bearer("reader"), 401},
		"of another authority": {new(strange.issue(dns("farm.example.com"))), "", 0},
		"expired": {new(authority.issue(func(c *x509.Certificate) {
			c.DNSNames, c.NotAfter = []string{"farm.example.com"}, time.Now().Add(-time.Minute)
		})), "", 0},
		"from the future": {new(authority.issue(func(c *x509.Certificate) {
			c.DNSNames, c.NotBefore = []string{"farm.example.com"}, time.Now().Add(time.Minute)
		})), "", 0},
		"for servers alone": {new(authority.issue(func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{"farm.example.com"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})), "", 0},
	} {
		secure := &tls.Config{RootCAs: pool}
		if c.cert != nil { // sent whatever authorities the gateway names
			secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert, nil }
		}
		if got := r.askOverTLS(secure, c.token); got != c.want {
			t.Errorf("%s, over HTTP: %d, want %d", name, got, c.want)
		}
		want := map[int]codes.Code{200: codes.OK, 401: codes.Unauthenticated, 0: codes.Unavailable}[c.want]
		if got := r.callOverTLS(secure, c.token); got != want {
			t.Errorf("%s, over gRPC: %v, want %v", name, got, want)
		}
	}
}

func (r *running) askOverTLS(secure *tls.Config, token string) int {
	r.t.Helper()
	transport := &http.Transport{TLSClientConfig: secure.Clone(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/submissions", nil))
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	resp, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		r.t.Errorf("%s is spoken", resp.Proto)
	}
	return resp.StatusCode
}

func (r *running) callOverTLS(secure *tls.Config, token string) codes.Code {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(secure.Clone()))))
	defer conn.Close()
	ctx := r.t.Context()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", token)
	}
	_, err := pb.NewGatewayServiceClient(conn).ListSubmissions(ctx, &pb.ListSubmissionsRequest{})
	return status.Code(err)
}
