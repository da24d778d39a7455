// SPDX-License-Identifier: Apache-2.0

package rekorv1test_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
)

// TestUpload has the real rekor-cli upload a hashedrekord, twice, and look at it by its UUID, its index and its artifact's hash, before and after
// rekor-server was killed.
func TestUpload(t *testing.T) {
	s := rekorv1test.Start(t)
	cli := client{t: t, server: s, home: t.TempDir()}
	upload := append([]string{"upload", "--type", "hashedrekord", "--pki-format", "x509"}, cli.signArtifact("the release")...)
	var uploaded struct {
		AlreadyExists   bool
		Location        string
		Index, TreeSize int64
	}
	for _, again := range []bool{false, true} {
		cli.run(&uploaded, upload...)
		if uploaded.AlreadyExists != again {
			t.Errorf("uploaded: %+v", uploaded)
		}
	}
	uuid := filepath.Base(uploaded.Location)
	if want := fmt.Sprintf("%016x", s.TreeID()); !strings.HasPrefix(uuid, want) {
		t.Errorf("the UUID is %s, not one of tree %s", uuid, want)
	}
	s.Kill()
	s.Restart()
	digest := sha256.Sum256([]byte("the release"))
	for _, by := range [][]string{{"--uuid", uuid}, {"--log-index", "0"}} {
		var got struct {
			Body struct {
				HashedRekordObj struct {
					Data struct{ Hash struct{ Value string } }
				}
			}
			LogIndex int64
			UUID     string
			LogID    string
		}
		cli.run(&got, append([]string{"get"}, by...)...)
		logID := sha256.Sum256(s.Key)
		if got.UUID != uuid || got.LogIndex != 0 || got.Body.HashedRekordObj.Data.Hash.Value != hex.EncodeToString(digest[:]) || got.LogID != hex.EncodeToString(logID[:]) {
			t.Errorf("by %v: %+v", by, got)
		}
	}
	var found struct{ UUIDs []string }
	cli.run(&found, "search", "--sha", hex.EncodeToString(digest[:]))
	if len(found.UUIDs) != 1 || found.UUIDs[0] != uuid {
		t.Errorf("found %v", found.UUIDs)
	}
	var info struct{ ActiveTreeSize int64 }
	cli.run(&info, "loginfo")
	if info.ActiveTreeSize != 1 {
		t.Errorf("the log has %d entries", info.ActiveTreeSize)
	}
}

// client is rekor-cli.
type client struct {
	t      testing.TB
	server *rekorv1test.Server
	home   string
}

// run reads what rekor-cli prints as JSON into out.
func (c client) run(out any, arguments ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), c.server.CLI(), append(arguments, "--rekor_server", c.server.URL, "--format", "json")...)
	cmd.Dir, cmd.Env = c.home, append(os.Environ(), "HOME="+c.home)
	printed, err := cmd.Output()
	if err != nil {
		said := ""
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			said = string(exit.Stderr)
		}
		c.t.Fatalf("rekor-cli %s: %v\n%s", arguments[0], err, said)
	}
	if err := json.Unmarshal(printed, out); err != nil {
		c.t.Fatalf("rekor-cli %s: %v in %s", arguments[0], err, printed)
	}
}

// signArtifact signs an artifact with a new key, and returns the arguments for it.
func (c client) signArtifact(artifact string) []string {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(artifact))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		c.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	var arguments []string
	for name, content := range map[string][]byte{
		"artifact": []byte(artifact), "signature": signature, "public-key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
	} {
		if err := os.WriteFile(filepath.Join(c.home, name), content, 0o600); err != nil {
			c.t.Fatal(err)
		}
		arguments = append(arguments, "--"+name, name)
	}
	return arguments
}
