// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// A token goes with every request, and never in the clear to another machine.
func TestToken(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"id":"x","state":"PENDING"}`)
	}))
	defer s.Close()
	c, err := New(s.URL, Options{Token: fixedToken("secret")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "x"); err != nil || got != "Bearer secret" {
		t.Errorf("%q, %v", got, err)
	}
	g, err := New(serveGRPC(t, &fake{header: &got}), Options{Token: fixedToken("secret")})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.List(t.Context(), &pb.ListSubmissionsRequest{}); err != nil || got != "Bearer secret" {
		t.Errorf("gRPC: %q, %v", got, err)
	}
	for _, clear := range []string{"http://gateway.example", "grpc://192.0.2.1:8081", "http://localhost.example", "grpc://127.0.0.1:1,192.0.2.1:1"} {
		if _, err := New(clear, Options{Token: fixedToken("secret")}); err == nil || !strings.Contains(err.Error(), "in the clear") {
			t.Errorf("%s: %v", clear, err)
		}
	}
	for _, fine := range []string{"https://gateway.example", "grpcs://gateway.example", "http://[::1]:1", "http://localhost:1", "grpc://localhost:1,127.0.0.1:2"} {
		if _, err := New(fine, Options{Token: fixedToken("secret")}); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
}

// ListSubmissions notes the caller's token.
func (f *fake) ListSubmissions(ctx context.Context, _ *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	if m, ok := metadata.FromIncomingContext(ctx); ok && f.header != nil {
		*f.header = strings.Join(m.Get("authorization"), ",")
	}
	return &pb.ListSubmissionsResponse{}, nil
}

// Nobody is followed to another place, and the token least of all.
func TestNoRedirects(t *testing.T) {
	c, tries := dial(t, 0, func(_ int64, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	var refusal *Error
	if _, err := c.Get(t.Context(), "x"); !errors.As(err, &refusal) || refusal.Message != "the server answered 307 Temporary Redirect" || tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestList(t *testing.T) {
	c, _ := dial(t, 0, func(_ int64, w http.ResponseWriter, r *http.Request) {
		if got, want := r.URL.RequestURI(), "/v1/submissions?artifact=sha256%3Aab&page_size=5&page_token=t&signer=sha256%3Acd&state=LOGGED"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		_, _ = io.WriteString(w, `{"submissions":[{"id":"1"}],"nextPageToken":"n"}`)
	})
	page, err := c.List(t.Context(), &pb.ListSubmissionsRequest{
		Artifact: "sha256:ab", Signer: "sha256:cd", State: pb.Submission_LOGGED, PageSize: 5, PageToken: "t",
	})
	if err != nil || page.GetNextPageToken() != "n" || page.GetSubmissions()[0].GetId() != "1" {
		t.Errorf("%v %v", page, err)
	}
}

// A gateway may hand out both files, the trusted root alone, or none.
func TestTrustFiles(t *testing.T) {
	for name, c := range map[string]struct {
		has         string
		root, trust string
		err         error
	}{
		"both":  {"trusted_root.json gateway_trust.json", "trusted_root.json", "gateway_trust.json", nil},
		"root":  {"trusted_root.json", "trusted_root.json", "", nil},
		"trust": {"gateway_trust.json", "", "", ErrNoTrustFiles},
		"none":  {"", "", "", ErrNoTrustFiles},
	} {
		t.Run(name, func(t *testing.T) {
			remote, _ := dial(t, 0, func(_ int64, w http.ResponseWriter, r *http.Request) {
				file, ok := strings.CutPrefix(r.URL.Path, "/.well-known/rekor-gateway/")
				if !ok || !strings.Contains(c.has, file) {
					problem(w, http.StatusNotFound, "NOT_FOUND")
					return
				}
				_, _ = io.WriteString(w, file)
			})
			got, err := remote.TrustFiles(t.Context())
			if string(got.TrustedRoot) != c.root || string(got.GatewayTrust) != c.trust || !errors.Is(err, c.err) {
				t.Errorf("%q, %q, %v", got.TrustedRoot, got.GatewayTrust, err)
			}
		})
	}
	g, err := New(serveGRPC(t, &fake{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.TrustFiles(t.Context()); !errors.Is(err, ErrNoTrustFiles) {
		t.Errorf("gRPC: %v", err)
	}
}

// The certificates that count are the ones that were named, on both sides.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"x","state":"PENDING"}`) }))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	own := &s.TLS.Certificates[0]
	for name, c := range map[string]struct {
		options Options
		fine    bool
	}{
		"both":                  {Options{RootCAs: pool, Certificate: own}, true},
		"no client certificate": {Options{RootCAs: pool}, false},
		"unknown authority":     {Options{Certificate: own}, false},
	} {
		remote, err := New(s.URL, c.options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Get(t.Context(), "x"); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
		remote.Close()
	}
}

// A certificate that was named is shown to a gateway that names other authorities, too: it is refused then. Left out, its owner
// would be taken for somebody without a credential.
func TestCertificateOfOtherAuthority(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"x","state":"PENDING"}`) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	own := s.TLS.Certificates[0]
	other := x509.NewCertPool()
	other.AddCert(&x509.Certificate{Raw: []byte("another"), RawSubject: []byte("another")})
	s.TLS.ClientCAs, s.TLS.ClientAuth = other, tls.VerifyClientCertIfGiven
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	for name, c := range map[string]struct {
		certificate *tls.Certificate
		fine        bool
	}{"shown": {&own, false}, "none": {nil, true}} {
		remote, err := New(s.URL, Options{RootCAs: pool, Certificate: c.certificate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Get(t.Context(), "x"); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
		remote.Close()
	}
}

// Whoever waits is told why.
func TestRetryingIsTold(t *testing.T) {
	var told []error
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(told) == 0 {
			problem(w, http.StatusServiceUnavailable, "BUSY")
			return
		}
		_, _ = io.WriteString(w, `{"id":"x","state":"PENDING"}`)
	}))
	defer s.Close()
	c, err := New(s.URL, Options{Retries: gatewayclient.Retries{Patience: time.Minute, Notify: func(err error, _ time.Duration) { told = append(told, err) }}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "x"); err != nil || len(told) != 1 || !strings.Contains(told[0].Error(), "BUSY") {
		t.Errorf("%v, told %v", err, told)
	}
}

func fixedToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}
