// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// withFacade has clients of Rekor v1 see a facade of a configuration's log.
func withFacade(c *config.Config) *config.Config {
	dir := filepath.Dir(c.Store.SQLite.Path)
	c.RekorAPI.V1 = c.Logs[0].ID
	c.RekorAPI.Facade = config.Facade{Host: "rekor.example", Key: filepath.Join(dir, "facade.key"), AnchorKey: filepath.Join(dir, "facade-anchor.key"), CreateKeys: true}
	return c
}

// TestFacadeState: metrics say that the facade's tree is worked on, as they do of the own log.
func TestFacadeState(t *testing.T) {
	t.Parallel()
	cfg := withFacade(newConfigOver(t, rekortest.StartServer(t)))
	cfg.OwnLog = newOwnLog(cfg)
	r := run(t, cfg)
	await(t, "both work", func() bool {
		states := r.ownStates()
		return len(states) == 2 && !slices.ContainsFunc(slices.Collect(maps.Values(states)), func(s string) bool { return s != "works" })
	})
	r.end()
}

// TestFacade: rekor-cli, given the address of a gateway over Rekor v2, uploads, finds, reads and verifies, after a restart, with another shard of Rekor
// v2, and with another key of the facade; and no file that verifiers get names the facade.
func TestFacade(t *testing.T) {
	t.Parallel()
	first := rekortest.StartServer(t)
	cfg := withPathToken(withFacade(newConfigOver(t, first)))
	cfg.OwnLog = newOwnLog(cfg)
	r := run(t, cfg)
	f := &cliFolder{t: t, dir: t.TempDir(), path: os.Getenv("REKOR_V1") + ":" + os.Getenv("PATH")}
	if os.Getenv("REKOR_V1") == "" {
		t.Skip("REKOR_V1 names no folder with rekor-cli")
	}
	f.mustRun(signInEveryFormat + "openssl dgst -sha256 -sign x509.private -out x509-2.sig artifact\n")
	use := func() { f.url = r.Addresses().HTTP + "/r/" + pathToken }
	use()
	const (
		ssh      = "--type rekord --artifact artifact --pki-format ssh --signature ssh.sig --public-key ssh.key"
		minisign = "--type rekord --artifact artifact --pki-format minisign --signature minisign.sig --public-key minisign.key"
	)
	const hashed = "--type hashedrekord --artifact-hash $(sha256sum artifact | cut -d' ' -f1) --pki-format x509 --signature x509.sig --public-key x509.key"
	if out := f.mustRun("cli loginfo; cli loginfo"); strings.Count(out, "Active Tree Size:       0") != 2 {
		t.Errorf("before the first upload loginfo says %s", out)
	}
	var uuids []string
	upload := func(arguments string) {
		t.Helper()
		out := f.mustRun("cli upload " + arguments)
		uuid := uuidForm.FindString(out)
		if uuid == "" || !strings.Contains(out, "Created entry at index ") {
			t.Fatalf("%s: %s", arguments, out)
		}
		uuids = append(uuids, uuid)
		if again := f.mustRun("cli upload " + arguments); !strings.Contains(again, "already exists") || !strings.Contains(again, uuid) {
			t.Errorf("%s, again: %s", arguments, again)
		}
	}
	var asProposed []string // what rekor-cli finds by what it has proposed
	check := func() {
		t.Helper()
		for _, arguments := range asProposed {
			f.mustRun("cli verify " + arguments)
		}
		for _, uuid := range uuids {
			f.mustRun("cli verify --uuid " + uuid + "; cli get --uuid " + uuid)
		}
		f.mustRun("cli loginfo; cli get --log-index 0")
		if found := f.mustRun("cli search --artifact artifact; cli search --public-key x509.key --pki-format x509"); strings.Count(found, uuids[0]) != 2 {
			t.Errorf("found are %s", found)
		}
	}
	upload(hashed)
	twin := strings.Replace(hashed, "--type hashedrekord --artifact-hash $(sha256sum artifact | cut -d' ' -f1)", "--type rekord --artifact artifact", 1)
	if again := f.mustRun("cli upload " + twin); !strings.Contains(again, "already exists") || !strings.Contains(again, uuids[0]) {
		t.Errorf("as a rekord, which is the same entry: %s", again)
	}
	upload(minisign)
	asProposed = append(asProposed, hashed, minisign)
	const pgp = "--type rekord --artifact artifact --pki-format pgp --signature pgp.sig --public-key pgp.key"
	upload(pgp)
	check()
	if found := f.mustRun("cli search --artifact artifact"); !strings.Contains(found, uuids[1]) {
		t.Errorf("the minisign signature is not found by its artifact: %s", found)
	}
	f.refuse("cli verify "+pgp, "UNSUPPORTED_FEATURE: ")
	f.refuse("cli verify "+ssh, "cannot be located")
	f.refuse("cli verify "+strings.Replace(minisign, "artifact artifact", "artifact another", 1), "")
	for _, file := range []string{cfg.TrustedRoot, cfg.Attestation.GatewayTrust} {
		if b := must(os.ReadFile(file)); bytes.Contains(b, []byte("rekor.example")) {
			t.Errorf("%s names the facade", file)
		}
	}
	r.stop()

	second := rekortest.StartServer(t, rekortest.Named("next.log.test"))
	writeRoot(t, cfg, trusted(first, anHourAgo, time.Now()), trusted(second, time.Now(), time.Time{}))
	cfg.Logs[0].Origin, cfg.Logs[0].IntegrationDelay, cfg.Logs[0].GRPCURL, cfg.Logs[0].ReadURL = second.Origin(), time.Second, second.GRPCURL(), second.ReadURL()
	cfg.Logs[0].Former = []config.FormerLog{{Origin: first.Origin(), ReadURL: first.ReadURL()}}
	r = run(t, cfg)
	use()
	upload(ssh)
	asProposed = append(asProposed, ssh)
	check()
	r.stop()

	dir := filepath.Dir(cfg.Store.SQLite.Path)
	cfg.RekorAPI.Facade.FormerKeys = []string{cfg.RekorAPI.Facade.Key}
	cfg.RekorAPI.Facade.Key, cfg.RekorAPI.Facade.AnchorKey = filepath.Join(dir, "facade2.key"), filepath.Join(dir, "facade2-anchor.key")
	r = run(t, cfg)
	defer r.stop()
	use()
	if out := f.mustRun("cli loginfo"); !strings.Contains(out, "Active Tree Size:       0") || !strings.Contains(out, "Total Tree Size:        6") {
		t.Errorf("with another key loginfo says %s", out)
	}
	upload("--type rekord --artifact artifact --pki-format x509 --signature x509-2.sig --public-key x509.key")
	check()
	if out := f.mustRun("cli loginfo"); !strings.Contains(out, "Active Tree Size:       1") || !strings.Contains(out, "Total Tree Size:        7") {
		t.Errorf("loginfo says %s", out)
	}
}
