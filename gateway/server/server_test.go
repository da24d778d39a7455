// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newConfig is a gateway with files of its own in front of a real log.
func newConfig(t *testing.T) *config.Config {
	t.Helper()
	return newConfigOver(t, rekortest.StartServer(t))
}

func newConfigOver(t *testing.T, log *rekortest.Server) *config.Config {
	t.Helper()
	dir := t.TempDir()
	root := must(trustroot.New(trustroot.LogKey{Origin: log.Origin(), SPKI: must(log.PublicKey()), Start: time.Now().Add(-time.Hour)}))
	if err := root.Write(filepath.Join(dir, "trusted_root.json")); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.HTTP.Listen, c.GRPC.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.TrustedRoot = filepath.Join(dir, "trusted_root.json")
	c.Logs = []config.Log{{ID: "test", Origin: log.Origin(), GRPCURL: log.GRPCURL(), ReadURL: log.ReadURL()}}
	c.RekorAPI.V2 = "test"
	c.Store.SQLite.Path = filepath.Join(dir, "store.db")
	c.Attestation = config.Attestation{Key: filepath.Join(dir, "key"), CreateKey: true, GatewayTrust: filepath.Join(dir, "trust.json")}
	c.Worker.Drain = 10 * time.Second
	return &c
}

// newOwnLog is an own log for a configuration, anchored every second.
func newOwnLog(c *config.Config) config.OwnLog {
	dir := filepath.Dir(c.Store.SQLite.Path)
	return config.OwnLog{
		Origin: "gateway.test/own", Key: filepath.Join(dir, "own.key"), AnchorKey: filepath.Join(dir, "anchor.key"), CreateKeys: true, AnchorEvery: time.Second,
	}
}

type running struct {
	*server.Server
	t    *testing.T
	stop func() error
	log  *bytes.Buffer // read after stop

	registry *prometheus.Registry
}

func run(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	return runBy(t, cfg, time.Now)
}

// runBy runs a gateway that judges the logs' keys by a clock.
func runBy(t *testing.T, cfg *config.Config, now func() time.Time) *running {
	t.Helper()
	r := &running{t: t, log: new(bytes.Buffer), registry: prometheus.NewRegistry()}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Logging.Level)); err != nil {
		t.Fatal(err)
	}
	s, err := server.Build(t.Context(), cfg, server.Options{Registry: r.registry, Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: level})), Version: "test", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.Server = s
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	return r
}

var key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

// form is a submission of text, signed by k.
func form(k *ecdsa.PrivateKey, text string) (contentType string, body *bytes.Buffer) {
	return formOf(k, text, text, "", "")
}

// packedForm is a submission of text in a gzip container.
func packedForm(text string) (contentType string, body *bytes.Buffer) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_ = must(w.Write([]byte(text)))
	w.Close()
	return formOf(key, text, packed.String(), "gzip", "")
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// formOf is a submission of artifact, with a signature of k over text.
func formOf(k *ecdsa.PrivateKey, text, artifact, decompress, representation string) (contentType string, body *bytes.Buffer) {
	digest := sha256.Sum256([]byte(text))
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(k.Public()))})
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for _, part := range []struct {
		name    string
		content []byte
	}{
		{"signature", must(k.Sign(rand.Reader, digest[:], crypto.SHA256))}, {"key", public}, {"decompress", []byte(decompress)}, {"representation", []byte(representation)}, {"artifact", []byte(artifact)},
	} {
		_, _ = must(w.CreateFormFile(part.name, part.name)).Write(part.content)
	}
	w.Close()
	return w.FormDataContentType(), body
}

type answer struct {
	status int
	body   map[string]any
}

func (r *running) submit(k *ecdsa.PrivateKey, text string) answer {
	r.t.Helper()
	kind, body := form(k, text)
	return r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, body))
}

func (r *running) answer(resp *http.Response, err error) answer {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, body: map[string]any{}}
	if err := json.NewDecoder(resp.Body).Decode(&a.body); err != nil {
		r.t.Fatal(err)
	}
	return a
}

// One round: everything serves, then everything ends, and nothing is left behind.
func TestRunAndStop(t *testing.T) {
	cfg := newConfig(t)
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	kind, body := form(key, "hello")
	for round := range 2 {
		r := run(t, cfg)
		if a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, bytes.NewReader(body.Bytes()))); a.body["state"] != "LOGGED" || a.status != []int{201, 200}[round] {
			t.Fatalf("round %d: %d %v", round, a.status, a.body)
		}
		r.checkHost()
		r.checkHealth(insecure.NewCredentials())
		r.checkAdmin()
		http.DefaultClient.CloseIdleConnections()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if text := r.log.String(); !strings.Contains(text, `route="POST /v1/submissions" status=20`) || !strings.Contains(text, "reason=HOST_NOT_ALLOWED") {
			t.Errorf("log:\n%s", text)
		}
	}
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func (r *running) checkHost() {
	r.t.Helper()
	request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/formats", nil))
	request.Host = "evil.example"
	if a := r.answer(http.DefaultClient.Do(request)); a.status != http.StatusMisdirectedRequest {
		r.t.Errorf("a strange Host: %d %v", a.status, a.body)
	}
}

func (r *running) checkHealth(c credentials.TransportCredentials) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(c)))
	defer conn.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // readiness is looked at after the start
		got, err := healthpb.NewHealthClient(conn).Check(r.t.Context(), &healthpb.HealthCheckRequest{Service: "rekorgateway.v1.GatewayService"})
		if err == nil && got.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return
		}
		if err != nil || time.Now().After(deadline) {
			r.t.Errorf("health: %v %v", got, err)
			return
		}
	}
}

func (r *running) checkAdmin() {
	r.t.Helper()
	if a := r.answer(http.Get(r.Addresses().Admin + "/readyz")); a.status != 200 {
		r.t.Errorf("readyz: %d", a.status)
	}
	if a := r.answer(http.Get(r.Addresses().Admin + "//readyz")); a.status != 404 {
		r.t.Errorf("//readyz: %d", a.status)
	}
	resp := must(http.Get(r.Addresses().Admin + "/metrics"))
	defer resp.Body.Close()
	text := string(must(io.ReadAll(resp.Body)))
	for _, want := range []string{
		`rekor_gateway_http_requests_total{method="POST",route="POST /v1/submissions",status="20`,
		`rekor_gateway_grpc_calls_total{code="OK",method="/grpc.health.v1.Health/Check"} `,
		"rekor_gateway_entries_pending", "rekor_gateway_entries_pending_bytes", "rekor_gateway_log_checkpoint_size", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(text, want) {
			r.t.Errorf("metrics lack %s", want)
		}
	}
}

// A call that waits for the log when the gateway is told to stop still gets its receipt.
func TestDrain(t *testing.T) {
	r := run(t, newConfig(t))
	got := make(chan answer, 1)
	go func() { got <- r.submit(key, "late") }()
	for deadline := time.Now().Add(time.Minute); !r.pending(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is pending")
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if a := <-got; a.status != 201 || a.body["state"] != "LOGGED" {
		t.Errorf("%d %v", a.status, a.body)
	}
	if err := r.Ready(t.Context()); err == nil {
		t.Error("ready after the end")
	}
}

func (r *running) pending() bool {
	resp := must(http.Get(r.Addresses().Admin + "/metrics"))
	defer resp.Body.Close()
	return strings.Contains(string(must(io.ReadAll(resp.Body))), `rekor_gateway_entries_pending{log="test"} 1`)
}

// The ports come first: a second gateway leaves no trace.
func TestPortInUse(t *testing.T) {
	cfg := newConfig(t)
	taken := must(net.Listen("tcp", "127.0.0.1:0"))
	defer taken.Close()
	cfg.GRPC.Listen = taken.Addr().String()
	_, err := server.Build(t.Context(), cfg, server.Options{Logger: slog.New(slog.DiscardHandler)})
	var listen *server.ListenError
	if !errors.As(err, &listen) || listen.Address != cfg.GRPC.Listen || !strings.Contains(err.Error(), cfg.GRPC.Listen) {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(cfg.Store.SQLite.Path); err == nil {
		t.Error("the store was made")
	}
}

func TestBuildRefuses(t *testing.T) {
	good := newConfig(t)
	for name, change := range map[string]func(*config.Config){
		"no trusted root":   func(c *config.Config) { c.TrustedRoot += "x" },
		"strange origin":    func(c *config.Config) { c.Logs[0].Origin = "other.test" },
		"unknown format":    func(c *config.Config) { c.Policy.Keys = map[string][]string{"zip": {"x"}} },
		"no certificate":    func(c *config.Config) { c.HTTP.TLS = config.TLS{CertFile: "none", KeyFile: "none"} },
		"no gRPC key":       func(c *config.Config) { c.GRPC.TLS = config.TLS{CertFile: "none", KeyFile: "none"} },
		"store is a folder": func(c *config.Config) { c.Store.SQLite.Path = filepath.Dir(c.Store.SQLite.Path) },
		"key is a folder":   func(c *config.Config) { c.Attestation.Key = filepath.Dir(c.Attestation.Key) },
		"broken trust file": func(c *config.Config) { c.Attestation.GatewayTrust = c.TrustedRoot },
	} {
		c := *good
		c.Logs = append([]config.Log(nil), good.Logs...)
		change(&c)
		if s, err := server.Build(t.Context(), &c, server.Options{Logger: slog.New(slog.DiscardHandler)}); err == nil || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the gateway and the log sign with may not sign releases.
func TestForbiddenSigners(t *testing.T) {
	cfg := newConfig(t)
	r := run(t, cfg)
	defer r.stop()
	block, _ := pem.Decode(must(os.ReadFile(cfg.Attestation.Key)))
	own := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*ecdsa.PrivateKey)
	if a := r.submit(own, "hello"); a.status != 422 || a.body["reason"] != "FORBIDDEN_SIGNER" {
		t.Errorf("%d %v", a.status, a.body)
	}
}

func TestTLS(t *testing.T) {
	cfg := newConfig(t)
	cert, pool := newCertificate(t)
	cfg.HTTP.TLS, cfg.GRPC.TLS = cert, cert
	r := run(t, cfg)
	defer r.stop()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if a := r.answer((&http.Client{Transport: transport}).Get(r.Addresses().HTTP + "/v1/formats")); a.status != 200 {
		t.Errorf("%d %v", a.status, a.body)
	}
	r.checkHealth(credentials.NewTLS(&tls.Config{RootCAs: pool}))
	if a := r.Addresses(); !strings.HasPrefix(a.HTTP, "https://") || !strings.HasPrefix(a.GRPC, "grpcs://") {
		t.Errorf("%+v", a)
	}
}

func newCertificate(t *testing.T) (config.TLS, *x509.CertPool) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	files := config.TLS{CertFile: filepath.Join(t.TempDir(), "cert"), KeyFile: filepath.Join(t.TempDir(), "key")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
	if err := errors.Join(os.WriteFile(files.CertFile, certPEM, 0o600), os.WriteFile(files.KeyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return files, pool
}
