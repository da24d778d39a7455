// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness/witnesstest"
)

// ownConfig is a gateway with a log of its own, anchored in a real log every second; all is recorded there that asks for nothing else.
func ownConfig(t *testing.T, s *rekortest.Server) *config.Config {
	t.Helper()
	cfg := rotatingConfig(t, s)
	cfg.OwnLog = newOwnLog(cfg)
	cfg.Policy.Ways = []string{"BATCHED", "DIRECT"}
	return cfg
}

// ownLeaves reads the own log as others do, with the client of another project, and returns its leaves once they are those of the checkpoint.
func (r *running) ownLeaves(cfg *config.Config) map[gateway.LeafHash]int {
	r.t.Helper()
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(r.Addresses().HTTP+"/own/"+cfg.OwnLog.ID()+"/")), nil))
	listed, _ := must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)).OwnLog(cfg.OwnLog.Origin)
	cp, _, _, err := client.FetchCheckpoint(r.t.Context(), fetcher.ReadCheckpoint, must(listed.Verifier()), cfg.OwnLog.Origin)
	if err != nil {
		r.t.Fatal(err)
	}
	leaves := map[gateway.LeafHash]int{}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	size := func(context.Context) (uint64, error) { return cp.Size, nil }
	for b, err := range client.EntryBundles(r.t.Context(), 1, size, fetcher.ReadEntryBundle, 0, cp.Size) {
		if err != nil {
			r.t.Fatal(err)
		}
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(b.Data); err != nil {
			r.t.Fatal(err)
		}
		for _, entry := range bundle.Entries {
			leaf := rfc6962.DefaultHasher.HashLeaf(entry)
			leaves[gateway.LeafHash(leaf)]++
			if err := tree.Append(leaf, nil); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if root := must(tree.GetRootHash(nil)); !bytes.Equal(root, cp.Hash) {
		r.t.Fatalf("%d records have the root %x, the checkpoint %x", cp.Size, root, cp.Hash)
	}
	proofs := must(client.NewProofBuilder(r.t.Context(), checkpoint.Checkpoint(*cp).Size, fetcher.ReadTile))
	if _, err := proofs.InclusionProof(r.t.Context(), cp.Size-1); err != nil {
		r.t.Errorf("the tiles are not to be read: %v", err)
	}
	return leaves
}

// batchedReceipt returns a receipt that verifies offline.
func (r *running) batchedReceipt(cfg *config.Config, id, text string) []byte {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().HTTP + "/v1/submissions/" + id + "/receipt"))
	defer resp.Body.Close()
	raw := must(io.ReadAll(resp.Body))
	if resp.StatusCode != 200 {
		r.t.Fatalf("receipt of %s: %d %s", id, resp.StatusCode, raw)
	}
	verifyBatched(r.t, cfg, raw, text)
	return raw
}

func verifyBatched(t *testing.T, cfg *config.Config, raw []byte, text string) {
	t.Helper()
	parsed := must(receipt.Unmarshal(raw))
	_, err := receipt.Verify(t.Context(), parsed, receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), GatewayTrust: must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)),
		Artifact: strings.NewReader(text), AnySigner: true, Now: time.Now(),
	})
	if err != nil {
		t.Fatalf("receipt does not verify: %v\n%s", err, raw)
	}
}

// TestOwnLog: records go into the gateway's own log, each once, and few anchors into Rekor. Receipts verify offline, and strangers can read the
// log. All goes on after a restart.
func TestOwnLog(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	cfg := ownConfig(t, log)
	r := run(t, cfg)
	const first, second = 600, 30
	ids := r.postAll("first", first)
	leaves := r.awaitLogged(ids)
	r.wantTogether(ids[first-100:])
	early := r.batchedReceipt(cfg, ids[0], "first 0")
	for _, i := range []int{1, 255, 256, 599} {
		r.batchedReceipt(cfg, ids[i], fmt.Sprint("first ", i))
	}
	if a := r.submit(key, "direct"); a.status != 201 { // waits for its anchor
		t.Errorf("%d %v", a.status, a.body)
	}
	r.end()

	r = run(t, cfg)
	ids = r.postAll("second", second)
	leaves = append(leaves, r.awaitLogged(ids)...)
	r.batchedReceipt(cfg, ids[second-1], fmt.Sprint("second ", second-1))
	verifyBatched(t, cfg, early, "first 0")
	own := r.ownLeaves(cfg)
	for _, leaf := range leaves {
		if own[leaf] != 1 {
			t.Errorf("leaf %x is in the own log %d times", leaf, own[leaf])
		}
	}
	if want := first + second + 1; len(own) != want {
		t.Errorf("the own log has %d leaves, want %d", len(own), want)
	}
	r.end()
	anchors := len(server.ReadLeaves(t, log))
	t.Logf("%d records on %d entries", len(own), anchors)
	if anchors > len(own)/4 {
		t.Errorf("%d entries for %d records", anchors, len(own))
	}
}

// TestOwnLogWitnessed: receipts, and the checkpoint that strangers read, have a real witness's cosignature.
func TestOwnLogWitnessed(t *testing.T) {
	t.Parallel()
	lite := witnesstest.Start(t)
	cfg := ownConfig(t, rekortest.StartServer(t))
	lite.AddLog(t, cfg.OwnLog.Origin, must(attest.LoadCheckpointSigner(cfg.OwnLog.Key, cfg.OwnLog.Origin, true)).VerifierKey())
	cfg.OwnLog.Witnesses = []config.Witness{{Key: lite.Key, URL: lite.URL}}
	r := run(t, cfg)
	ids := r.postAll("witnessed", 5)
	leaves := r.awaitLogged(ids)
	verifier := note.VerifierList(must(trustroot.ParseWitnessKey(lite.Key)))
	await(t, "a cosignature", func() bool {
		resp := must(http.Get(r.Addresses().HTTP + "/own/" + cfg.OwnLog.ID() + "/checkpoint"))
		defer resp.Body.Close()
		_, err := note.Open(must(io.ReadAll(resp.Body)), verifier)
		return err == nil
	})
	cosigned, stranger := 0, witnesstest.Start(t)
	for i, id := range ids {
		parsed := must(receipt.Unmarshal(r.batchedReceipt(cfg, id, fmt.Sprint("witnessed ", i))))
		proof := must(receipt.ParseOwnProof([]byte(parsed.GetEntries()[0].GetOwn().GetProof())))
		if _, err := note.Open(proof.Checkpoint, verifier); err == nil {
			if cosigned++; cosigned == 1 {
				checkPolicies(t, cfg, must(receipt.Marshal(parsed)), fmt.Sprint("witnessed ", i), lite, stranger)
			}
		}
	}
	if own := r.ownLeaves(cfg); cosigned == 0 || len(own) != len(leaves) {
		t.Errorf("%d of %d receipts have a cosignature; the log has %d records", cosigned, len(ids), len(own))
	}
	r.end()
}

// verifyWitnessed verifies a receipt as cosigned by a witness, and returns what it proves.
func verifyWitnessed(t *testing.T, cfg *config.Config, raw []byte, text, policy string) (*receipt.Report, error) {
	t.Helper()
	return receipt.Verify(t.Context(), must(receipt.Unmarshal(raw)), receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), GatewayTrust: must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)),
		Artifact: strings.NewReader(text), AnySigner: true, Now: time.Now(), WitnessPolicy: must(witness.ParsePolicy([]byte(policy))),
	})
}

// checkPolicies verifies a receipt with a cosignature under policies that it meets, and that it does not.
func checkPolicies(t *testing.T, cfg *config.Config, raw []byte, text string, lite, stranger *witnesstest.Witness) {
	t.Helper()
	listed, _ := must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)).OwnLog(cfg.OwnLog.Origin)
	names := "log " + listed.Key + "\nwitness lite " + lite.Key + "\nwitness stranger " + stranger.Key + "\n"
	report, err := verifyWitnessed(t, cfg, raw, text, names+"group Q any lite stranger\nquorum Q\n")
	if err != nil || !strings.Contains(report.String(), "time: existed by ") || !strings.Contains(report.String(), "as your witness policy asks, by witness.test/lite") {
		t.Errorf("%v\n%s", err, report)
	}
	for _, quorum := range []string{"quorum stranger\n", "group Q all lite stranger\nquorum Q\n"} {
		var refused *formats.Error
		if _, err := verifyWitnessed(t, cfg, raw, text, names+quorum); !errors.As(err, &refused) || refused.Reason != receipt.ReasonQuorumNotMet {
			t.Errorf("%s: %v", quorum, err)
		}
	}
}

// TestOwnLogForgotten: a gateway whose store was put back to before its last anchors makes no second history: it says so, takes what it
// is sent, and records nothing in its own log.
func TestOwnLogForgotten(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	cfg := ownConfig(t, log)
	r := run(t, cfg)
	r.awaitLogged(r.postAll("kept", 5))
	r.end()
	folder, copied := filepath.Dir(cfg.Store.SQLite.Path), t.TempDir()
	copyStoreFiles(t, folder, copied)

	r = run(t, cfg)
	r.awaitLogged(r.postAll("lost", 5))
	r.end()
	anchors := len(server.ReadLeaves(t, log))
	copyStoreFiles(t, copied, folder)

	r = run(t, cfg)
	ids := r.postAll("after", 5)
	await(t, "the trouble", func() bool { return r.troubles()[cfg.OwnLog.ID()] == gateway.TroubleForgotten })
	time.Sleep(3 * time.Second) // in which an anchor would be made
	for _, id := range ids {
		if state := r.get(id).body["state"]; state != "PENDING" {
			t.Errorf("%s is %v", id, state)
		}
	}
	r.end()
	if now := len(server.ReadLeaves(t, log)); now != anchors {
		t.Errorf("%d entries were made", now-anchors)
	}
}

func copyStoreFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, old := range must(filepath.Glob(filepath.Join(to, "store.db*"))) {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range must(filepath.Glob(filepath.Join(from, "store.db*"))) {
		if err := os.WriteFile(filepath.Join(to, filepath.Base(path)), must(os.ReadFile(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
