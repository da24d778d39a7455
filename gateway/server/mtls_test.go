// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
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
	authority, _, pool := withAuthority(t, cfg)
	strange := newClientAuthority()
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
		"by DNS":           {new(authority.issue(dns("farm.example.com"))), "", 200},
		"by URI":           {new(authority.issue(func(c *x509.Certificate) { c.URIs = []*url.URL{must(url.Parse("spiffe://example.com/farm"))} })), "", 200},
		"by e-mail":        {new(authority.issue(func(c *x509.Certificate) { c.EmailAddresses = []string{"farm@example.com"} })), "", 200},
		"two names of one": {new(authority.issue(dns("farm.example.com", "else.example.com"))), "", 200},
		"another URI by its fragment": {new(authority.issue(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: must(asn1.Marshal([]asn1.RawValue{
				{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("spiffe://example.com/farm#")},
			}))}}
		})), "", 401},
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

// withAuthority has both listeners take clients' certificates of those whose PEM file it returns.
func withAuthority(t *testing.T, cfg *config.Config) (authority *clientAuthority, file string, pool *x509.CertPool) {
	t.Helper()
	cert, pool := newCertificate(t)
	authority = newClientAuthority()
	cert.ClientCAFile = filepath.Join(filepath.Dir(cfg.TrustedRoot), "clients.pem")
	authority.writeTo(t, cert.ClientCAFile)
	cfg.HTTP.TLS, cfg.GRPC.TLS = cert, cert
	return authority, cert.ClientCAFile, pool
}

func (a *clientAuthority) writeTo(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secureFor is a client who shows a certificate of a's for a DNS name.
func (a *clientAuthority) secureFor(pool *x509.CertPool, name string) *tls.Config {
	cert := a.issue(func(c *x509.Certificate) { c.DNSNames = []string{name} })
	return &tls.Config{RootCAs: pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
}

// Authorities of clients are read again with the callers. A file with none changes nothing. Streams of a caller whose name is gone end,
// and nobody else's.
func TestReloadAuthorities(t *testing.T) {
	t.Parallel() // it mostly waits
	cfg := newConfig(t)
	first, file, pool := withAuthority(t, cfg)
	named := func(names ...string) []config.Caller {
		var callers []config.Caller
		for _, name := range names {
			callers = append(callers, config.Caller{Name: name, Tenant: name, May: []string{"submit", "read"}, ClientCert: config.ClientCert{SAN: []string{"dns:" + name}}})
		}
		return callers
	}
	cfg.Callers = named("stays", "goes")
	r := run(t, cfg)
	defer r.stop()
	streams := map[string]chan error{"stays": r.holdStream(first.secureFor(pool, "stays")), "goes": r.holdStream(first.secureFor(pool, "goes"))}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := *cfg
	next.Callers = named("stays")
	if err := r.ReloadCallers(t.Context(), &next); err == nil || !strings.Contains(err.Error(), file+": line 1: there is no certificate in PEM") {
		t.Errorf("a faulty file: %v", err)
	}
	if got := r.askOverTLS(first.secureFor(pool, "goes"), ""); got != 200 {
		t.Errorf("after a faulty file: %d", got)
	}
	second := newClientAuthority()
	second.writeTo(t, file)
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if err := <-streams["goes"]; status.Code(err) != codes.Unauthenticated {
		t.Errorf("who is gone: %v", err)
	}
	select {
	case err := <-streams["stays"]:
		t.Errorf("who stays: %v", err)
	default:
	}
	for name, c := range map[string]struct {
		authority *clientAuthority
		name      string
		want      int
	}{"of the new authority": {second, "stays", 200}, "of the old authority": {first, "stays", 0}, "of who is gone": {second, "goes", 401}} {
		if got := r.askOverTLS(c.authority.secureFor(pool, c.name), ""); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// holdStream opens a batch and keeps it open. What ends it comes out of the channel.
func (r *running) holdStream(secure *tls.Config) chan error {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(secure))))
	r.t.Cleanup(func() { conn.Close() })
	stream := must(pb.NewGatewayServiceClient(conn).SubmitBatch(r.t.Context()))
	if err := stream.Send(new(pb.SubmitBatchRequest)); err != nil {
		r.t.Fatal(err)
	}
	if first, err := stream.Recv(); err != nil { // it is let in
		r.t.Fatal(first, err)
	}
	ended := make(chan error, 1)
	go func() { _, err := stream.Recv(); ended <- err }()
	return ended
}
