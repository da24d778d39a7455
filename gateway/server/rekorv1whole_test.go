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
	"runtime/debug"
	"strings"
	"sync/atomic"
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
	if said := fmt.Sprint(a.body["notes"]); a.body["chosen"] != "NATIVE" || !strings.Contains(said, "at most 1.0 MiB") || !strings.Contains(said, "a larger one, or a digest alone, is recorded as ATTESTED") {
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

// signPGP has gpg make a key, with a user ID, and sign.
func signPGP(t *testing.T, artifact []byte) signed {
	t.Helper()
	home := filepath.Join(must(os.MkdirTemp("", "gpg")), "home") // its sockets need a short path
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(filepath.Dir(home))
	})
	file := filepath.Join(home, "artifact")
	mustWrite(t, file, artifact)
	gpg := func(args ...string) {
		runTool(t, "gpg", append([]string{"--homedir", home, "--batch", "--passphrase", ""}, args...)...)
	}
	gpg("--quick-gen-key", "Alice <alice@example.com>", "rsa3072", "sign", "never")
	gpg("--armor", "--output", file+".key", "--export")
	gpg("--armor", "--output", file+".asc", "--detach-sign", file)
	return signed{artifact, must(os.ReadFile(file + ".asc")), must(os.ReadFile(file + ".key"))}
}

// TestRekorV1PGP: with leave of the policy the log records what gpg has signed, with the user ID; without, no user ID leaves the gateway.
func TestRekorV1PGP(t *testing.T) {
	t.Parallel()
	s := signPGP(t, []byte("signed by gpg\n"))
	for publish, want := range map[bool]string{true: "NATIVE", false: "ATTESTED"} {
		cfg, v1 := wholeConfig(t, 1<<20)
		cfg.Policy.PublishUserIDs = publish
		r := run(t, cfg)
		a := r.submitSigned(s)
		if a.status != http.StatusCreated || a.body["representation"] != want {
			t.Fatalf("%t: %d %v", publish, a.status, a.body)
		}
		report := r.verifySigned(cfg, a.body["id"].(string), s)
		if publish && !strings.Contains(strings.Join(report.Proven, "\n"), "byte for byte") {
			t.Errorf("proven %q", report.Proven)
		}
		resp := must(http.Post(v1.URL+"/api/v1/index/retrieve", "application/json", strings.NewReader(`{"email":"alice@example.com"}`)))
		if found := must(io.ReadAll(resp.Body)); (len(found) > 60) != publish {
			t.Errorf("%t: search for the address finds %s", publish, found)
		}
		_ = resp.Body.Close()
		r.stop()
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

// TestRekorV1WholeMemory: an artifact of 100 MB is spooled and sent, and never held.
func TestRekorV1WholeMemory(t *testing.T) {
	const size, allowed = 100_000_000, 100 << 20
	cfg, _ := wholeConfig(t, 256<<20)
	cfg.Worker.AddTimeout = 5 * time.Minute
	cfg.Limits.MaxArtifactBytes = 1 << 30
	folder := t.TempDir()
	file := filepath.Join(folder, "artifact")
	mustWrite(t, file, nil)
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	runTool(t, "minisign", "-G", "-W", "-p", filepath.Join(folder, "key.pub"), "-s", filepath.Join(folder, "key"))
	runTool(t, "minisign", "-S", "-s", filepath.Join(folder, "key"), "-m", file)
	r := run(t, cfg)
	defer r.stop()
	r.submitSigned(signMinisign(t, []byte("warm")))
	debug.FreeOSMemory()
	idle := readRSS(t)
	peak, stop := sampleRSS(t)
	body, kind := streamForm(t, must(os.ReadFile(file+".minisig")), must(os.ReadFile(filepath.Join(folder, "key.pub"))), file)
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, r.Addresses().HTTP+"/v1/submissions?wait=60s", body))
	request.Header.Set("Content-Type", kind)
	a := r.answer(http.DefaultClient.Do(request))
	for id, _ := a.body["id"].(string); a.body["state"] == "PENDING"; a = r.get(id) {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	if a.body["state"] != "LOGGED" || a.body["representation"] != "NATIVE" {
		t.Fatalf("%d %v", a.status, a.body)
	}
	t.Logf("RSS %d MiB above idle", (peak.Load()-idle)>>20)
	if peak.Load()-idle > allowed {
		t.Errorf("RSS grew by %d MiB", (peak.Load()-idle)>>20)
	}
}

// streamForm returns a form whose artifact is read from the file while it is sent.
func streamForm(t *testing.T, signature, key []byte, file string) (body io.Reader, kind string) {
	t.Helper()
	read, write := io.Pipe()
	w := multipart.NewWriter(write)
	go func() {
		for name, part := range map[string][]byte{"signature": signature, "key": key} {
			_, _ = must(w.CreateFormFile(name, name)).Write(part)
		}
		f := must(os.Open(file))
		defer f.Close()
		_, _ = io.Copy(must(w.CreateFormFile("artifact", "artifact")), f)
		_ = write.CloseWithError(w.Close())
	}()
	return read, w.FormDataContentType()
}

// readRSS returns the resident set of this process in bytes.
func readRSS(t *testing.T) int64 {
	t.Helper()
	var pages, resident int64
	if _, err := fmt.Sscan(string(must(os.ReadFile("/proc/self/statm"))), &pages, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// sampleRSS has peak be the largest resident set until stop.
func sampleRSS(t *testing.T) (peak *atomic.Int64, stop func()) {
	t.Helper()
	peak = new(atomic.Int64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			peak.Store(max(peak.Load(), readRSS(t)))
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}

// TestUploadsLeaveRoom: uploads under way, whose signatures are not even of what is uploaded, keep nobody's submissions out.
func TestUploadsLeaveRoom(t *testing.T) {
	t.Parallel()
	cfg, _ := wholeConfig(t, 16<<20)
	cfg.Limits.MaxPendingBytes = config.Size(10<<20 + 200)
	run := run(t, cfg)
	defer run.stop()
	evil := signSSH(t, []byte("something else"))
	for _, size := range []int{1 << 20, 10 << 20} {
		r, w := io.Pipe()
		defer w.Close()
		form := multipart.NewWriter(w)
		go func() {
			_, _ = must(form.CreateFormFile("signature", "s")).Write(evil.signature)
			_, _ = must(form.CreateFormFile("key", "k")).Write(evil.key)
			_, _ = must(form.CreateFormFile("artifact", "a")).Write(bytes.Repeat([]byte("x"), size+16<<10))
		}()
		go func() {
			if resp, err := http.Post(run.Addresses().HTTP+"/v1/submissions", form.FormDataContentType(), r); err == nil {
				resp.Body.Close()
			}
		}()
	}
	time.Sleep(2 * time.Second)
	if a := run.submitSigned(signSSH(t, []byte("innocent"))); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}
