// SPDX-License-Identifier: Apache-2.0

package facade_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// cli is the real rekor-cli, with a home of its own in which it keeps what it has seen of each tree.
type cli struct {
	home, url string
}

func newCLI(t *testing.T, url string) cli {
	t.Helper()
	if os.Getenv("REKOR_V1") == "" {
		t.Skip("REKOR_V1 names no folder with rekor-cli")
	}
	return cli{t.TempDir(), url}
}

// run returns what rekor-cli prints, which has to succeed.
func (c cli) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.try(t, args...)
	if err != nil {
		t.Fatalf("rekor-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c cli) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	begun := time.Now()
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("REKOR_V1"), "rekor-cli"), append(args, "--rekor_server", c.url)...)
	cmd.Env = []string{"HOME=" + c.home}
	out, err := cmd.CombinedOutput()
	t.Logf("rekor-cli %s (%v)\n%s", args[0], time.Since(begun).Round(time.Millisecond), out)
	return string(out), err
}

// signFile returns the arguments that name a new artifact with its signature and key.
func signFile(t *testing.T, text string) []string {
	t.Helper()
	folder := t.TempDir()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	digest := sha256.Sum256([]byte(text))
	signature := must(ecdsa.SignASN1(rand.Reader, key, digest[:]))
	spki := must(x509.MarshalPKIXPublicKey(&key.PublicKey))
	write := func(name string, b []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return []string{
		"--artifact", write("artifact", []byte(text)), "--signature", write("signature", signature), "--pki-format", "x509",
		"--public-key", write("key.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), "--type", "hashedrekord",
	}
}

// emptyRoot is that of a tree without records (RFC 6962, section 2.1).
const emptyRoot = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

var uuidOf = regexp.MustCompile(`/api/v1/log/entries/([0-9a-f]{80})`)

// TestRekorCLI: the real rekor-cli records, reads and verifies through a facade over a real log of Rekor v2, and finds that its tree only grows, after a
// restart and when Rekor v2 has begun another shard.
func TestRekorCLI(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := openStore(t, filepath.Join(folder, "db"))
	first := rekortest.StartServer(t)
	r := join(t, store, openSource(t, store, first), folder, oneTree)
	stop := r.run(t)
	c := newCLI(t, r.serve(t))
	uploaded := signFile(t, "one")
	var uuids []string
	upload := func(args []string) {
		t.Helper()
		out := c.run(t, append([]string{"upload"}, args...)...)
		found := uuidOf.FindStringSubmatch(out)
		if found == nil || !strings.Contains(out, "Created entry at index") {
			t.Fatalf("upload says %s", out)
		}
		uuids = append(uuids, found[1])
	}
	waitFor(t, "certainty", r.own.IsCertain)
	for range 2 { // of which rekor-cli keeps nothing, since no proof leads on from an empty tree
		if out := c.run(t, "loginfo"); !strings.Contains(out, "Active Tree Size:       0") || !strings.Contains(out, emptyRoot) {
			t.Errorf("of an empty tree loginfo says %s", out)
		}
	}
	upload(uploaded)
	if out := c.run(t, append([]string{"upload"}, uploaded...)...); !strings.Contains(out, "already exists") || !strings.Contains(out, uuids[0]) {
		t.Errorf("a second upload says %s", out)
	}
	check := func() {
		t.Helper()
		c.run(t, "loginfo")
		for _, id := range uuids {
			c.run(t, "get", "--uuid", id)
			c.run(t, "verify", "--uuid", id)
		}
		if out := c.run(t, "get", "--log-index", "0"); !strings.Contains(out, uuids[0]) {
			t.Errorf("entry 0 is %s", out)
		}
		c.run(t, append([]string{"verify"}, uploaded...)...)
	}
	check()
	upload(signFile(t, "two"))
	check()
	stop()

	r = join(t, store, openSource(t, store, first), folder, oneTree)
	stop = r.run(t)
	c.url = r.serve(t)
	upload(signFile(t, "three"))
	check()
	stop()

	second := rekortest.StartServer(t, rekortest.Named("next.log.test"))
	r = join(t, store, openSource(t, store, first, second), folder, oneTree)
	stop = r.run(t)
	c.url = r.serve(t)
	upload(signFile(t, "four"))
	check()
	stop()

	r = join(t, store, openSource(t, store, first, second), folder, slices.Concat(oneTree, trees{{tree - 1, "next"}}))
	r.run(t)
	c.url = r.serve(t)
	waitFor(t, "certainty", r.own.IsCertain)
	waitFor(t, "the former tree's end", func() bool { return must(store.OwnLog(t.Context(), treeLog(tree))).Closed })
	if out := c.run(t, "loginfo"); !strings.Contains(out, "Active Tree Size:       0") || !strings.Contains(out, "Total Tree Size:        4") {
		t.Errorf("with another key loginfo says %s", out)
	}
	upload(signFile(t, "five"))
	check()
	states := must(os.ReadFile(filepath.Join(c.home, ".rekor", "state.json")))
	if !bytes.Contains(states, []byte(`"6962000000000000001"`)) || !bytes.Contains(states, []byte(`"6962000000000000000"`)) {
		t.Errorf("rekor-cli has kept %s", states)
	}
}
