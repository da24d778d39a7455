// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// makeCertificate returns a certificate for 127.0.0.1 and localhost that is its own authority.
func makeCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

// token is a secret that goes with each call.
type token string

func (k token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(k)}, nil
}

func (token) RequireTransportSecurity() bool { return true }

// TestTLS: the certificates that count are the ones that were named, on both sides, with one address and with several; a token goes
// with each call, and never in the clear.
func TestTLS(t *testing.T) {
	own, pool := makeCertificate(t)
	var seen string
	f := &fake{get: func(ctx context.Context, _ int64) (*pb.Submission, error) {
		seen = strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), ",")
		return &pb.Submission{State: pb.Submission_PENDING}, nil
	}}
	secure := grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	first, second := serveFake(t, f, secure), serveFake(t, f, secure)
	for name, x := range map[string]struct {
		cfg      client.Config
		replicas []*replica
		fine     bool
	}{
		"one":                   {client.Config{TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}, Credentials: token("secret")}, []*replica{first}, true},
		"several":               {client.Config{TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}, Credentials: token("secret")}, []*replica{first, second}, true},
		"no client certificate": {client.Config{TLS: &tls.Config{RootCAs: pool}, Credentials: token("secret")}, []*replica{first}, false},
		"unknown authority":     {client.Config{TLS: &tls.Config{Certificates: []tls.Certificate{own}}, Credentials: token("secret")}, []*replica{first, second}, false},
		"another name":          {client.Config{TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, ServerName: "gateway.example"}, Credentials: token("secret")}, []*replica{first, second}, false},
		"in the clear":          {client.Config{}, []*replica{first}, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen = ""
			_, err := dialWith(t, x.cfg, x.replicas...).Get(t.Context(), "id")
			if (err == nil) != x.fine || x.fine != (seen == "Bearer secret") {
				t.Errorf("%v, token %q", err, seen)
			}
		})
	}
	if _, err := client.New(client.Config{Addresses: []string{first.address}, Credentials: token("secret")}); err == nil {
		t.Error("a token would go in the clear")
	}
}

// TestConnectionRefusedForPings: a gateway that cuts the client off for its pings, or drains, is called again over another connection.
func TestConnectionRefusedForPings(t *testing.T) {
	f := &fake{get: func(context.Context, int64) (*pb.Submission, error) {
		return &pb.Submission{State: pb.Submission_PENDING}, nil
	}}
	behind := serveFake(t, f)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	cutOff := make(chan error, 1)
	go func() {
		first, err := listener.Accept()
		if err != nil {
			return
		}
		cutOff <- refuseForPings(first)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(c, behind.address)
		}
	}()
	c := dialWith(t, client.Config{Addresses: []string{listener.Addr().String()}, Retries: client.Retries{Patience: time.Minute}})
	if _, err := c.Get(t.Context(), "id"); err != nil {
		t.Error(err)
	}
	if err := <-cutOff; err != nil {
		t.Error(err)
	}
}

// refuseForPings takes a call, and cuts the connection off as grpc-go does for too many pings.
func refuseForPings(c net.Conn) error {
	defer c.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := c.Read(preface); err != nil {
		return err
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		if _, ok := frame.(*http2.HeadersFrame); ok {
			return framer.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
		}
	}
}

func forward(c net.Conn, address string) {
	defer c.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = to.(*net.TCPConn).ReadFrom(c); to.Close() }()
	_, _ = c.(*net.TCPConn).ReadFrom(to)
}

// Errors of a call in the clear to a server with TLS are no answers of a gateway.
func TestNoGateway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c := dialWith(t, client.Config{Addresses: []string{listener.Addr().String()}, Retries: client.Retries{Patience: 300 * time.Millisecond}})
	if _, err := c.Get(t.Context(), "x"); !errors.Is(err, client.ErrConnection) {
		t.Errorf("%v", err)
	}
}
