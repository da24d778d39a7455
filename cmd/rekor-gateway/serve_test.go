// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// safeBuffer is written to by the gateway while the test reads.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// What never ends, such as reading a pipe that nobody writes to, keeps nobody from stopping the gateway.
func TestLeaveBackground(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	leave := runInBackground(func() { <-release })
	started := time.Now()
	if leave(); time.Since(started) < leaveAfter {
		t.Error("it waits for nothing")
	}
}

// A pipe in the place of the configuration is refused, by signal and by itself, rather than read for ever, and the next reload works.
func TestReloadOfPipe(t *testing.T) {
	dir := t.TempDir()
	keep := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, err := os.ReadFile(offline(rootFile))
	if err != nil {
		t.Fatal(err)
	}
	keep(rootFile, root)
	text := []byte(`
http: {listen: "127.0.0.1:0"}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
trusted_root: trusted_root.json
logs:
  - {id: main, origin: rekor.local, url: "http://127.0.0.1:1"}
worker: {drain: 1s}
attestation: {key: made, create_key: true}
`)
	config := keep("config.yaml", text)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var logs safeBuffer
	ended := make(chan error, 1)
	go func() { ended <- runServe(ctx, config, &logs) }()
	waitFor(t, &logs, `"msg":"serving"`, ended)
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, &logs, "is not a file", ended)
	waitFor(t, &logs, "is not there, or not a file", ended)
	waitForReload(t, &logs, "all", false)
	waitForReload(t, &logs, "callers", false)
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	keep("config.yaml", text)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, &logs, `"what":"callers, certificates, policies, trusted root and logs"`, ended)
	waitForReload(t, &logs, "all", true)
	waitForReload(t, &logs, "callers", true)
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the gateway does not stop")
	}
}

// waitForReload waits until the metrics say how the last reload ended. The log has told it before.
func waitForReload(t *testing.T, logs *safeBuffer, what string, succeeded bool) {
	t.Helper()
	admin := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(logs.String())
	want := fmt.Sprintf("rekor_gateway_config_last_reload_successful{what=%q} %d\n", what, map[bool]int{true: 1}[succeeded])
	var page []byte
	for range 100 {
		resp := must(http.Get(admin[1] + "/metrics"))
		page = must(io.ReadAll(resp.Body))
		_ = resp.Body.Close()
		if strings.Contains(string(page), want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("no %s in %s", want, page)
}

// waitFor waits until text is logged.
func waitFor(t *testing.T, logs *safeBuffer, text string, ended <-chan error) {
	t.Helper()
	for range 1000 {
		if strings.Contains(logs.String(), text) {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("no %s in %s", text, logs.String())
}

// Callers and policies are read again when the file changes, or one that a policy names. A faulty one changes nothing, and is told.
func TestCallersAreFollowed(t *testing.T) {
	dir := t.TempDir()
	root, err := os.ReadFile(offline(rootFile))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const rest = `
http: {listen: "127.0.0.1:0"}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
trusted_root: trusted_root.json
logs:
  - {id: main, origin: rekor.local, url: "http://127.0.0.1:1"}
worker: {drain: 1s}
`
	write(rootFile, string(root))
	write("config.yaml", rest)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var logs safeBuffer
	ended := make(chan error, 1)
	go func() { ended <- runServe(ctx, path, &logs) }()
	waitFor(t, &logs, `"msg":"serving"`, ended)
	waitForReload(t, &logs, "callers", true)
	write("config.yaml", rest+"callers: [{name: all, tenant: public, anonymous: true, may: [raed]}]\n")
	waitFor(t, &logs, `did you mean \"read\"?`, ended)
	waitForReload(t, &logs, "callers", false)
	write("old.pem", "no certificate")
	withPolicy := rest + "policies: {old: {roots: [old.pem]}}\ncallers: [{name: all, tenant: public, anonymous: true, may: [read], policy: old}]\n"
	write("config.yaml", withPolicy)
	waitFor(t, &logs, `policies.old.roots: `, ended)
	write("old.pem", string(must(os.ReadFile("../../formats/x509/testdata/root-cert.pem")))) // the policy's file alone
	waitFor(t, &logs, `"what":"callers and policies"`, ended)
	waitForReload(t, &logs, "callers", true)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A file that another one takes the place of has changed, also where both are of one size and one time, as in stores whose files all have the
// same: what a caller was known by is not good any more.
func TestFilesOfOneTime(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"old": "one", "new": "two"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "config.yaml")
	if err := os.Symlink("old", link); err != nil {
		t.Fatal(err)
	}
	files := watchFiles(link, stateOf(link), new(config.Config))
	if files.haveChanged() {
		t.Error("nothing has changed")
	}
	if err := errors.Join(os.Symlink("new", link+".new"), os.Rename(link+".new", link)); err != nil {
		t.Fatal(err)
	}
	if !files.haveChanged() {
		t.Error("another file was not noticed")
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if !files.haveChanged() || files.haveChanged() {
		t.Error("a file that is gone was not noticed once")
	}
}

// The authorities of callers' certificates are read again when their file changes. A faulty one changes nothing, and is told.
func TestAuthoritiesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	root := string(must(os.ReadFile(offline(rootFile))))
	own := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: must(x509.CreateCertificate(rand.Reader, template, template, own.Public(), own))})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(own))})
	for name, content := range map[string][]byte{
		rootFile: []byte(root), "gateway.crt": cert, "gateway.key": private, "clients.pem": cert, "config.yaml": []byte(`
http: {listen: "127.0.0.1:0", tls: {cert_file: gateway.crt, key_file: gateway.key, client_ca_file: clients.pem}}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
trusted_root: trusted_root.json
logs:
  - {id: main, origin: rekor.local, url: "http://127.0.0.1:1"}
callers: [{name: farm, tenant: builds, client_cert: {san: ["dns:farm.example.com"]}, may: [read]}]
worker: {drain: 1s}
`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var logs safeBuffer
	ended := make(chan error, 1)
	go func() { ended <- runServe(ctx, filepath.Join(dir, "config.yaml"), &logs) }()
	waitFor(t, &logs, `"msg":"serving"`, ended)
	for _, c := range []struct{ content, told string }{{"no certificate", "there is no certificate in PEM"}, {string(cert) + string(cert[:len(cert)/2]), "no certificate in PEM"}, {string(cert) + string(cert), `"what":"callers and policies"`}} {
		if err := os.WriteFile(filepath.Join(dir, "clients.pem"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		waitFor(t, &logs, c.told, ended)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
