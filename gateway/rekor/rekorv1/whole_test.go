// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// blobs has artifacts by the leaf hash of their entries.
type blobs map[gateway.LeafHash][]byte

func (b blobs) BlobOf(_ context.Context, leaf gateway.LeafHash) (gateway.Blob, error) {
	data, ok := b[leaf]
	if !ok {
		return gateway.Blob{}, gateway.ErrBlobGone
	}
	return gateway.Blob{ID: gateway.BlobID(leaf[:16]), Size: int64(len(data)), SHA256: sha256.Sum256(data)}, nil
}

func (b blobs) BlobPart(_ context.Context, id gateway.BlobID, part int) ([]byte, error) {
	for leaf, data := range b {
		if at := part * gateway.BlobPart; gateway.BlobID(leaf[:16]) == id && at < len(data) {
			return data[at:min(at+gateway.BlobPart, len(data))], nil
		}
	}
	return nil, gateway.ErrBlobGone
}

func openWhole(t testing.TB, url string, tree trustroot.Log, b gateway.Blobs) *rekorv1.Log {
	t.Helper()
	l, err := rekorv1.New(rekorv1.Config{
		ID: "v1", URL: url, Trees: []rekorv1.Tree{{Log: tree}}, InlineMax: 64 << 20, Blobs: b,
	}, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func readTestdata(t testing.TB, format, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../formats", format, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wholeCases are signatures by the real tools, with their keys and files.
var wholeCases = map[string]struct{ format, signature, key, artifact string }{
	"minisign":         {"minisign", "prehashed.minisig", "signer.pub", "artifact.txt"},
	"minisign, legacy": {"minisign", "legacy.minisig", "signer.pub", "artifact.txt"},
	"minisign, CRLF":   {"minisign", "crlf.minisig", "crlf.pub", "artifact.txt"},
	"signify":          {"minisign", "signify.sig", "release.pub", "artifact.txt"},
}

// describeWhole returns the signature as the log records it, verified over the artifact.
func describeWhole(t testing.TB, format string, signature, key, artifact []byte) (formats.Description, *gateway.Whole) {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), format, signature, [][]byte{key}, formats.Policy{Now: time.Now(), SSHNamespaces: []string{"file", "git"}, PublishUserIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))
	if err != nil {
		t.Fatal(err)
	}
	d := parsed.Describe()
	if d.Whole == nil {
		return d, nil
	}
	return d, &gateway.Whole{Whole: *d.Whole, SPKI: v.Signers[0].SPKI, SHA256: sha256.Sum256(artifact), Size: v.Size}
}

// TestServerWhole has the real Rekor v1 record signatures of formats that it knows itself: what it records is what was worked out before, byte for byte,
// and what is sent again is answered with the entry that is there.
func TestServerWhole(t *testing.T) {
	s := rekorv1test.Start(t)
	waiting := blobs{}
	l := openWhole(t, s.URL, treeOf(t, s), waiting)
	shard := l.Describe().Shard
	for name, c := range wholeCases {
		t.Run(name, func(t *testing.T) {
			artifact := readTestdata(t, c.format, c.artifact)
			_, whole := describeWhole(t, c.format, readTestdata(t, c.format, c.signature), readTestdata(t, c.format, c.key), artifact)
			addWhole(t, l, shard, treeOf(t, s), waiting, whole, artifact)
		})
	}
	for _, kind := range sshKinds {
		t.Run("ssh, "+kind, func(t *testing.T) {
			artifact := bytes.Repeat([]byte("an artifact of several parts\n"), 20_000)
			signature, key := signSSH(t, kind, artifact)
			_, whole := describeWhole(t, "ssh", signature, key, artifact)
			addWhole(t, l, shard, treeOf(t, s), waiting, whole, artifact)
		})
	}
}

// addWhole has the log record a signature, twice.
func addWhole(t *testing.T, l *rekorv1.Log, shard gateway.Shard, tree trustroot.Log, waiting blobs, whole *gateway.Whole, artifact []byte) {
	t.Helper()
	if whole == nil {
		t.Fatal("it has no form for the log")
	}
	p, entry, err := l.Prepare(gateway.Offer{Whole: whole})
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != rekord.Kind || !bytes.Equal(entry.GetBundle().GetMessageSignature().GetSignature(), whole.Signature) {
		t.Errorf("prepared %+v, %v", p, entry)
	}
	if waiting[p.LeafHash] == nil { // else another file is the same signature
		if _, err := l.Add(t.Context(), shard, p); !errors.Is(err, gateway.ErrUnreadable) {
			t.Errorf("without its artifact: %v", err)
		}
	}
	waiting[p.LeafHash] = artifact
	first, err := l.Add(t.Context(), shard, p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Add(t.Context(), shard, p)
	if err != nil {
		t.Fatal(err)
	}
	if again.Index != first.Index {
		t.Errorf("logged at %d and %d", first.Index, again.Index)
	}
	e := logtest.TransparencyLogEntry(t, first, p.Body)
	if e.GetKindVersion().GetKind() != rekord.KindName || tree.VerifyPromise(promise(e)) != nil {
		t.Errorf("answered with %v", e)
	}
	found, err := l.Find(t.Context(), shard, []gateway.LeafHash{p.LeafHash}, 0, first.Index+1)
	if err != nil || found.Inclusions[p.LeafHash] == nil || logtest.TransparencyLogEntry(t, found.Inclusions[p.LeafHash], p.Body).GetKindVersion().GetKind() != rekord.KindName {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestServerRefusesWhat says which signatures the real Rekor v1 refuses: those for which there is no form, by what would be one.
func TestServerRefusesWhat(t *testing.T) {
	s := rekorv1test.Start(t)
	artifact := []byte("artifact\n")
	for _, options := range [][]string{{"-O", "hashalg=sha256"}, {"-n", "git"}} {
		signature, key := signSSH(t, "ed25519", artifact, options...)
		d, whole := describeWhole(t, "ssh", signature, key, artifact)
		if whole != nil || d.NotWhole == nil || !strings.Contains(d.NotWhole.Hint, "ssh-keygen") {
			t.Errorf("%v: %+v, %v", options, whole, d.NotWhole)
		}
		if status := postWhole(t, s, "ssh", signature, key, artifact); status != http.StatusBadRequest {
			t.Errorf("%v: the log answers %d", options, status)
		}
	}
	signature, key := signSSH(t, "ed25519", artifact)
	if status := postWhole(t, s, "ssh", signature, key, artifact); status != http.StatusCreated {
		t.Errorf("the log answers %d", status)
	}
}

// postWhole sends the log a rekord as its clients do.
func postWhole(t *testing.T, s *rekorv1test.Server, format string, signature, key, artifact []byte) int {
	t.Helper()
	encode := base64.StdEncoding.EncodeToString
	body, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "rekord", "spec": map[string]any{
		"data":      map[string]any{"content": encode(artifact)},
		"signature": map[string]any{"format": format, "content": encode(signature), "publicKey": map[string]any{"content": encode(key)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(s.URL+"/api/v1/log/entries", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// TestServerPGP has the real Rekor v1 record what is offered to it of the signatures that gpg and others have made: each of these it takes.
func TestServerPGP(t *testing.T) {
	s := rekorv1test.Start(t)
	waiting := blobs{}
	l := openWhole(t, s.URL, treeOf(t, s), waiting)
	shard := l.Describe().Shard
	artifact := readTestdata(t, "pgp", "artifact")
	signatures, err := filepath.Glob("../../../formats/pgp/testdata/*.sig")
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, file := range append(signatures, "armored.asc") {
		signature := readTestdata(t, "pgp", filepath.Base(file))
		for _, name := range pgpKeys {
			key := readTestdata(t, "pgp", name)
			parsed, err := all.Formats().Parse(t.Context(), "pgp", signature, [][]byte{key}, formats.Policy{Now: time.Now(), PublishUserIDs: true})
			if err != nil {
				continue
			}
			v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))
			if err != nil {
				continue
			}
			d := parsed.Describe()
			if d.Whole == nil {
				t.Logf("%s by %s is not offered: %v", filepath.Base(file), name, d.NotWhole)
				continue
			}
			t.Run(filepath.Base(file)+" by "+name, func(t *testing.T) {
				addWhole(t, l, shard, treeOf(t, s), waiting, &gateway.Whole{Whole: *d.Whole, SPKI: v.Signers[0].SPKI, SHA256: sha256.Sum256(artifact), Size: v.Size}, artifact)
				taken[strings.TrimSuffix(name, ".key")] = true
			})
		}
	}
	for _, name := range []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "ed25519", "subkey"} {
		if !taken[name] {
			t.Errorf("nothing by %s is taken", name)
		}
	}
	if d := describeUnpublished(t, "rsa3072-SHA256.sig", "rsa3072.key"); d.Whole != nil || !strings.Contains(d.NotWhole.Hint, "publish_user_ids") {
		t.Errorf("without leave a user ID would be published: %v", d.NotWhole)
	}
}

var pgpKeys = []string{
	"rsa2048.key", "rsa3072.key", "rsa4096.key", "p256.key", "p384.key", "p521.key", "ed25519.key", "subkey.key", "expired.key", "many.key", "subrevoked.key",
	"revoked-retired.key", "revoked-superseded.key", "v3.key", "v6-ed25519.key", "v6-p256.key", "v6-rsa.key",
}

// describeUnpublished describes a signature under the default policy.
func describeUnpublished(t *testing.T, signature, key string) formats.Description {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), "pgp", readTestdata(t, "pgp", signature), [][]byte{readTestdata(t, "pgp", key)}, formats.Policy{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Describe()
}
