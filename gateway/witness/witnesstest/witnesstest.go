// SPDX-License-Identifier: Apache-2.0

// Package witnesstest runs a real witness for tests: litewitness, of filippo.io/torchwood.
package witnesstest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite" // the witness's database
)

// Witness is a litewitness, with all that it has cosigned in a folder.
type Witness struct {
	Key string // its verifier key
	URL string // its submission prefix

	folder, address, fingerprint, name string
	stop                               func()
}

// Start runs a witness until the test ends. Without the programs the test is skipped, and fails where CI is set.
func Start(t testing.TB) *Witness {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	w := &Witness{name: "witness.test/lite", folder: t.TempDir(), stop: func() {}}
	plain, err := note.NewEd25519VerifierKey(w.name, public)
	check(t, err)
	verifier, err := cosign.NewVerifierForCosignatureV1(plain)
	check(t, err)
	w.Key = fmt.Sprintf("%s+%08x+%s", w.name, verifier.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, public...)))
	spki, err := ssh.NewPublicKey(public)
	check(t, err)
	w.fingerprint = ssh.FingerprintSHA256(spki)
	serveAgent(t, w.socket(), private)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	w.address = free.Addr().String()
	check(t, free.Close())
	w.URL = "http://" + w.address
	t.Cleanup(func() { w.Stop() })
	w.Restart(t)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *Witness) database() string { return filepath.Join(w.folder, "db") }
func (w *Witness) socket() string   { return filepath.Join(w.folder, "s") }

// serveAgent lends a key by the protocol of ssh-agent until the test ends.
func serveAgent(t testing.TB, socket string, key ed25519.PrivateKey) {
	t.Helper()
	keys := agent.NewKeyring()
	check(t, keys.Add(agent.AddedKey{PrivateKey: key}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
}

// Restart runs the witness again, with what it had cosigned before.
func (w *Witness) Restart(t testing.TB) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(binary(t, "litewitness"), "-name", w.name, "-db", w.database(), "-ssh-agent", w.socket(), "-key", w.fingerprint, "-listen", w.address) // #nosec G204 -- the program that make builds
	cmd.Stderr = &out
	check(t, cmd.Start())
	w.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); w.stop = func() {} }
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", w.address)
		if err == nil {
			check(t, conn.Close())
			return
		}
		if time.Now().After(deadline) {
			w.stop()
			t.Fatalf("litewitness does not listen: %v\n%s", err, &out)
		}
	}
}

// Stop ends the witness.
func (w *Witness) Stop() { w.stop() }

// AddLog has the witness cosign for a log of that origin, whose checkpoints are signed by the key: with the rows that torchwood's witnessctl
// writes, which cannot be built where its module's dependencies are not to be had.
func (w *Witness) AddLog(t testing.TB, origin, vkey string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.database()+"?_pragma=busy_timeout(10000)")
	check(t, err)
	defer func() { check(t, db.Close()) }()
	ctx := context.WithoutCancel(t.Context())
	_, err = db.ExecContext(ctx, `INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)`, origin, base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.EmptyRoot()))
	check(t, err)
	_, err = db.ExecContext(ctx, `INSERT INTO key (origin, key) VALUES (?, ?)`, origin, vkey)
	check(t, err)
}

// binary returns the path of a program that `make witness-tools` builds.
func binary(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv("WITNESS_TOOLS"); dir != "" {
		return filepath.Join(dir, name)
	}
	dir, err := os.Getwd()
	check(t, err)
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".build", "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: run `make test` first", name)
	}
	t.Skipf("SKIPPED WITHOUT A REAL WITNESS: %s is missing; run `make test` first", name)
	return ""
}
