// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// signed is a file with a signature by a real tool.
type signed struct{ artifact, signature, key []byte }

// signSSH has ssh-keygen sign.
func signSSH(t *testing.T, artifact []byte) signed {
	t.Helper()
	folder := t.TempDir()
	keyFile, file := filepath.Join(folder, "key"), filepath.Join(folder, "artifact")
	mustWrite(t, file, artifact)
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice@example.com", "-f", keyFile)
	runTool(t, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", keyFile, file)
	return signed{artifact, must(os.ReadFile(file + ".sig")), must(os.ReadFile(keyFile + ".pub"))}
}

// signMinisign has minisign sign.
func signMinisign(t *testing.T, artifact []byte) signed {
	t.Helper()
	folder := t.TempDir()
	key, secret, file := filepath.Join(folder, "key.pub"), filepath.Join(folder, "key"), filepath.Join(folder, "artifact")
	mustWrite(t, file, artifact)
	runTool(t, "minisign", "-G", "-W", "-p", key, "-s", secret)
	runTool(t, "minisign", "-S", "-s", secret, "-m", file, "-t", "timestamp:1700000000 file:artifact")
	return signed{artifact, must(os.ReadFile(file + ".minisig")), must(os.ReadFile(key))}
}

func mustWrite(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// form returns the multipart form of s, with fields.
func (s signed) form(fields ...string) (kind string, body io.Reader) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, part := range map[string][]byte{"signature": s.signature, "key": s.key} {
		_, _ = must(w.CreateFormFile(name, name)).Write(part)
	}
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	if s.artifact != nil {
		_, _ = must(w.CreateFormFile("artifact", "artifact")).Write(s.artifact)
	}
	_ = w.Close()
	return w.FormDataContentType(), &b
}

// submitSigned posts s and waits for it to be logged.
func (r *running) submitSigned(s signed, fields ...string) answer {
	r.t.Helper()
	kind, body := s.form(fields...)
	return r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=60s", kind, body))
}

// verifySigned verifies a submission's receipt offline, with the key alone.
func (r *running) verifySigned(cfg *config.Config, id string, s signed) *receipt.Report {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().HTTP + "/v1/submissions/" + id + "/receipt"))
	defer resp.Body.Close()
	report, err := receipt.Verify(r.t.Context(), must(receipt.Unmarshal(must(io.ReadAll(resp.Body)))), receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), GatewayTrust: must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)),
		Artifact: bytes.NewReader(s.artifact), ExpectedKeys: [][]byte{s.key}, Now: time.Now(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// wholeConfig is that of a gateway with a real Rekor v1 log, to which artifacts of up to inlineMax bytes are sent.
func wholeConfig(t *testing.T, inlineMax config.Size) (*config.Config, *rekorv1test.Server) {
	t.Helper()
	v1 := rekorv1test.Start(t)
	cfg := rotatingConfig(t, rekortest.StartServer(t))
	l, trustedV1 := v1Of(v1)
	l.InlineMax = &inlineMax
	cfg.Logs = []config.Log{l}
	writeRoot(t, cfg, trustedV1)
	return cfg, v1
}

// TestRekorV1Whole records signatures of real tools as the real Rekor v1 does itself, and those of files that are too large for that as statements.
func TestRekorV1Whole(t *testing.T) {
	t.Parallel()
	const inlineMax = 1 << 20
	cfg, v1 := wholeConfig(t, inlineMax)
	r := run(t, cfg)
	defer r.stop()
	for name, sign := range map[string]func(*testing.T, []byte) signed{"ssh": signSSH, "minisign": signMinisign} {
		for size, want := range map[int]string{9: "NATIVE", inlineMax: "NATIVE", inlineMax + 1: "ATTESTED"} {
			s := sign(t, bytes.Repeat([]byte("x"), size))
			a := r.submitSigned(s)
			if a.status != http.StatusCreated || a.body["representation"] != want {
				t.Fatalf("%s of %d bytes: %d %v", name, size, a.status, a.body)
			}
			id := a.body["id"].(string)
			if again := r.submitSigned(s); again.status != http.StatusOK || again.body["id"] != id {
				t.Errorf("%s again: %d %v", name, again.status, again.body)
			}
			report := r.verifySigned(cfg, id, s)
			said := strings.Join(report.Proven, "\n")
			if want == "NATIVE" && (!strings.Contains(said, "byte for byte") || !strings.Contains(said, "by the promise of log "+cfg.Logs[0].Origin)) {
				t.Errorf("%s: proven:\n%s", name, said)
			}
			if _, err := report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir()}); want == "NATIVE" && (err == nil || !strings.Contains(err.Error(), "kind rekord")) {
				t.Errorf("%s: exported for cosign: %v", name, err)
			}
		}
		large := sign(t, bytes.Repeat([]byte("x"), inlineMax+1))
		if a := r.submitSigned(large, "representation", "NATIVE"); a.status != http.StatusRequestEntityTooLarge || !strings.Contains(fmt.Sprint(a.body), "inline_max") {
			t.Errorf("%s: NATIVE, and too large: %d %v", name, a.status, a.body)
		}
	}
	r.planWhole(signSSH(t, []byte("x")))
	await(t, "that no artifact waits any more", func() bool {
		resp := must(http.Get(r.Addresses().Admin + "/metrics"))
		defer resp.Body.Close()
		return bytes.Contains(must(io.ReadAll(resp.Body)), []byte(`rekor_gateway_spooled_artifacts{unit="bytes"} 0`))
	})
	r.searchV1(v1, signSSH(t, []byte("found by its digest")))
}

// planWhole asks for a plan, which says early up to which size it holds.
func (r *running) planWhole(s signed) {
	r.t.Helper()
	kind, body := s.form()
	a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions:plan", kind, body))
	if said := fmt.Sprint(a.body["notes"]); a.body["chosen"] != "NATIVE" || !strings.Contains(said, "at most 1.0 MiB") || !strings.Contains(said, "a larger one is recorded as ATTESTED") {
		r.t.Errorf("planned: %d %v", a.status, a.body)
	}
	digest := signed{nil, s.signature, s.key}
	kind, body = digest.form("digest", fmt.Sprintf("sha512:%x", sha512.Sum512(s.artifact)))
	if a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions:plan", kind, body)); a.body["chosen"] != "ATTESTED" {
		r.t.Errorf("planned by a digest: %d %v", a.status, a.body)
	}
}

// searchV1 has the log's own search find what was recorded.
func (r *running) searchV1(v1 *rekorv1test.Server, s signed) {
	r.t.Helper()
	if a := r.submitSigned(s); a.status != http.StatusCreated {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	query := fmt.Sprintf(`{"hash":"sha256:%x"}`, sha256.Sum256(s.artifact))
	resp := must(http.Post(v1.URL+"/api/v1/index/retrieve", "application/json", strings.NewReader(query)))
	defer resp.Body.Close()
	if found := must(io.ReadAll(resp.Body)); len(found) < 80 {
		r.t.Errorf("search finds %s", found)
	}
}

// TestRekorV1WholeRestart: an artifact waits for its log over a restart, and goes once there.
func TestRekorV1WholeRestart(t *testing.T) {
	t.Parallel()
	cfg, v1 := wholeConfig(t, 4<<20)
	s := signSSH(t, bytes.Repeat([]byte("it waits\n"), 100_000))
	r := run(t, cfg)
	v1.Kill()
	kind, body := s.form()
	a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=0", kind, body))
	if a.status != http.StatusAccepted || a.body["representation"] != "NATIVE" {
		t.Fatalf("%d %v", a.status, a.body)
	}
	r.stop()
	v1.Restart()
	r = run(t, cfg)
	defer r.stop()
	id := a.body["id"].(string)
	await(t, "logged", func() bool { return r.get(id).body["state"] == "LOGGED" })
	r.verifySigned(cfg, id, s)
}
