// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// deployV1 is deploy in front of a real Rekor v1, with a caller by a token in the path.
func deployV1(t *testing.T, v1 *rekorv1test.Server) *deployment {
	t.Helper()
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	root := must(trustroot.New(trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: v1.Key, Start: time.Now().Add(-time.Hour)}))
	if err := root.Write(g.file(rootFile)); err != nil {
		t.Fatal(err)
	}
	g.cfg.Logs = []config.Log{{ID: "v1", Kind: config.KindRekorV1, Origin: rekorv1test.Hostname + " - " + strconv.FormatInt(v1.TreeID(), 10), URL: v1.URL}}
	g.cfg.RekorAPI.V1 = "v1"
	shell(t, g.dir, "rekor-gateway config token build --path >path-token")
	g.cfg.Callers = []config.Caller{{Name: "build", Tenant: "build", May: []string{"submit", "read"}, PathTokenSHA256: []string{g.hashOfFile("path-token")}}}
	return g
}

// TestBuildServiceUpload: a rekord of PGP with 100 MB in it, as openSUSE's build service posts it, passes through in little memory, and is answered by the
// entry; the same again by where that is.
func TestBuildServiceUpload(t *testing.T) {
	const size, allowance = 100 << 20, 64 << 10 // bytes, and KiB above idle
	g := deployV1(t, rekorv1test.Start(t))
	g.cfg.Limits.SpoolDir = t.TempDir()
	g.start()
	dir := t.TempDir()
	server := g.url + "/r/" + strings.TrimSpace(string(must(os.ReadFile(g.file("path-token")))))
	shell(t, dir, `export GNUPGHOME=$PWD/gnupg; mkdir -m 700 $GNUPGHOME; gpg --batch --quiet --passphrase '' --quick-generate-key signer@example.com rsa2048 sign never
		gpg --batch --export --armor signer@example.com >key
		entry() { gpg --batch --quiet --armor --detach-sign --output $1.sig $1; { printf '{"apiVersion":"0.0.1","kind":"rekord","spec":{"data":{"content":"'; base64 -w0 $1
			printf '"},"signature":{"format":"pgp","content":"%s","publicKey":{"content":"%s"}}}}' $(base64 -w0 $1.sig) $(base64 -w0 key); } >$1.json; }
		echo small >small; head -c `+strconv.Itoa(size)+` /dev/urandom >large; entry small; entry large; gpgconf --kill all`)
	post := func(name string) string {
		return shell(t, dir, "curl -sS -D- -H 'Content-Type: application/json' -T "+name+".json -X POST "+server+"/api/v1/log/entries")
	}
	if out := post("small"); !strings.Contains(out, "201 Created") {
		t.Fatal(out)
	}
	for _, want := range []string{"201 Created", "409 Conflict"} {
		g.resetPeak()
		idle := g.memory("VmRSS")
		out := post("large")
		if !strings.Contains(out, want) || !strings.Contains(out, "Location: /api/v1/log/entries/") {
			t.Fatalf("not %s: %s", want, out)
		}
		peak := g.memory("VmHWM")
		t.Logf("%s: %d KiB idle, %d KiB at the peak", want, idle, peak)
		if peak-idle > allowance {
			t.Errorf("%s: %d KiB above idle, at most %d are allowed", want, peak-idle, allowance)
		}
	}
	if left := must(os.ReadDir(g.cfg.Limits.SpoolDir)); len(left) > 0 {
		t.Errorf("left in the spool: %v", left)
	}
	g.stop()
}

// TestDemoOfRekorCLI runs what make demo-rekor-cli runs, against a real Rekor v1, and over a facade of a real Rekor v2.
func TestDemoOfRekorCLI(t *testing.T) {
	v1, v2 := rekorv1test.Start(t), rekortest.StartServer(t)
	program := buildProgram(t, "../rekor-gateway")
	for name, test := range map[string]struct {
		key trustroot.LogKey
		log []string
	}{
		"v1": {trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: v1.Key}, []string{v1.URL}},
		"v2": {trustroot.LogKey{Origin: v2.Origin(), SPKI: must(v2.PublicKey())}, []string{v2.GRPCURL(), v2.ReadURL(), v2.Origin()}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trusted_root.json")
			test.key.Start = time.Now().Add(-time.Hour)
			if err := must(trustroot.New(test.key)).Write(path); err != nil {
				t.Fatal(err)
			}
			demo := exec.Command("./demo/rekor-cli.sh", append([]string{path}, test.log...)...)
			demo.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+filepath.Dir(v1.CLI())+":"+os.Getenv("PATH"))
			out, err := demo.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "All of it by rekor-cli, through the gateway") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
