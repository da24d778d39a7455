// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// buildProgram builds a command of this module.
func buildProgram(t *testing.T, pkg string, arguments ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	out, err := exec.Command("go", append(append([]string{"build", "-o", path}, arguments...), pkg)...).CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return path
}

// deployment is a gateway's configuration and its process, which may come and go.
type deployment struct {
	t       *testing.T
	program string
	dir     string // of its files
	url     string
	cfg     config.Config
	own     *ownLogs // nil: none
	process *exec.Cmd
}

// deploy configures a gateway in front of log.
func deploy(t *testing.T, program string, log *rekortest.Server) *deployment {
	t.Helper()
	g := &deployment{t: t, program: program, dir: t.TempDir(), cfg: config.Default()}
	root := must(trustroot.New(trustroot.LogKey{Origin: log.Origin(), SPKI: must(log.PublicKey()), Start: time.Now().Add(-time.Hour)}))
	if err := root.Write(g.file(rootFile)); err != nil {
		t.Fatal(err)
	}
	g.cfg.HTTP.Listen, g.cfg.GRPC.Listen, g.cfg.Admin.Listen = freeAddress(), freeAddress(), freeAddress()
	g.url = "http://" + g.cfg.HTTP.Listen
	g.cfg.TrustedRoot = rootFile
	g.cfg.Logs = []config.Log{{ID: "test", Origin: log.Origin(), GRPCURL: log.GRPCURL(), ReadURL: log.ReadURL()}}
	g.cfg.Attestation = config.Attestation{Key: keyFile, CreateKey: true, GatewayTrust: trustFile}
	g.cfg.Limits.MinFreeDisk = 64 << 20 // the machine that tests may have less than what a gateway of its own asks for
	return g
}

func freeAddress() string { return fmt.Sprintf("127.0.0.1:%d", must(rekortest.FreePort())) }

func (g *deployment) file(name string) string { return filepath.Join(g.dir, name) }

// start runs the gateway and waits until it serves.
func (g *deployment) start(env ...string) {
	g.t.Helper()
	g.launch(env...)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get("http://" + g.cfg.Admin.Listen + "/readyz"); err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway does not start:\n%s", must(os.ReadFile(g.file("log"))))
		}
	}
}

// launch runs the gateway.
func (g *deployment) launch(env ...string) {
	g.t.Helper()
	cfg := g.cfg
	if g.own != nil {
		cfg.OwnLog = g.own.config()
	}
	if err := os.WriteFile(g.file(configFile), must(cfg.Marshal()), 0o600); err != nil {
		g.t.Fatal(err)
	}
	log := must(os.OpenFile(g.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	defer log.Close()
	g.process = exec.Command(g.program, "serve", "--config", g.file(configFile))
	g.process.Stdout, g.process.Stderr = log, log
	g.process.Env = append(os.Environ(), env...)
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = g.process.Process.Kill()
		_ = g.process.Wait()
	})
}

// always returns the gateway, for who might pick another one.
func (g *deployment) always(*rand.Rand) *deployment { return g }

// stop ends the gateway in an orderly way.
func (g *deployment) stop() {
	g.t.Helper()
	_ = g.process.Process.Signal(os.Interrupt)
	if err := g.process.Wait(); err != nil {
		g.t.Errorf("stopping the gateway: %v\n%s", err, must(os.ReadFile(g.file("log"))))
	}
}

// submitted is what a gateway says of a submission.
type submitted struct {
	ID, State, Representation string
	Entries                   []struct {
		Log      string
		LeafHash string
		LogIndex string
	}
}

// submit sends the parts by HTTP; err is that of the connection.
func (g *deployment) submit(query string, parts ...[2]string) (status int, s submitted, err error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		_, _ = io.WriteString(must(w.CreateFormFile(p[0], p[0])), p[1])
	}
	w.Close()
	resp, err := http.Post(g.url+"/v1/submissions?"+query, w.FormDataContentType(), &body)
	if err != nil {
		return 0, s, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, s, err
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, s, fmt.Errorf("status %d: %s", resp.StatusCode, raw)
	}
	return resp.StatusCode, s, json.Unmarshal(raw, &s)
}

// get asks for one submission.
func (g *deployment) get(id string) (s submitted, err error) {
	resp, err := http.Get(g.url + "/v1/submissions/" + id)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// list returns the IDs of all submissions.
func (g *deployment) list() (ids []string) {
	g.t.Helper()
	resp := must(http.Get(g.url + "/v1/submissions"))
	defer resp.Body.Close()
	var page struct{ Submissions []submitted }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		g.t.Fatal(err)
	}
	for _, s := range page.Submissions {
		ids = append(ids, s.ID)
	}
	return ids
}

// shell runs a script in dir.
func shell(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
