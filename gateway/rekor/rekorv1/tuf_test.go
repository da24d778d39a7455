// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
)

// tufRoots are metadata by go-tuf that Rekor v1 takes, with the root for it.
var tufRoots = map[string]string{
	"targets-mixed.json": "root-1.json", "snapshot.json": "root-1.json", "timestamp.json": "root-1.json",
	"root-1.json": "root-1.json", "root-2.json": "root-1.json", "root-3.json": "root-2.json",
}

func describeTUF(t *testing.T, metadata, root []byte) (formats.Description, *gateway.Whole) {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), "tuf", metadata, [][]byte{root}, formats.Policy{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	v, err := parsed.Verify(t.Context(), formats.Artifact{})
	if err != nil {
		t.Fatal(err)
	}
	d := parsed.Describe()
	if d.Whole == nil {
		return d, nil
	}
	return d, &gateway.Whole{Whole: *d.Whole, SPKI: v.Signers[0].SPKI, Size: v.Size}
}

// openBare opens a log that no artifacts are sent to: metadata needs none.
func openBare(t *testing.T, s *rekorv1test.Server) *rekorv1.Log {
	t.Helper()
	l, err := rekorv1.New(rekorv1.Config{
		ID: "v1", URL: s.URL, Trees: []rekorv1.Tree{{Log: treeOf(t, s)}},
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

// TestServerTUF has the real Rekor v1 record TUF metadata: what it records is what was worked out before, byte for byte, also when one of its own
// clients has sent it before.
func TestServerTUF(t *testing.T) {
	s := rekorv1test.Start(t)
	l := openBare(t, s)
	shard := l.Describe().Shard
	for name, root := range tufRoots {
		t.Run(name, func(t *testing.T) {
			metadata, root := readTestdata(t, "tuf", name), readTestdata(t, "tuf", root)
			_, whole := describeTUF(t, metadata, root)
			if whole == nil {
				t.Fatal("it has no form for the log")
			}
			p, entry, err := l.Prepare(gateway.Offer{Whole: whole})
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != tufrecord.Kind || !bytes.Equal(entry.GetBundle().GetMessageSignature().GetSignature(), whole.Signature) {
				t.Errorf("prepared %+v, %v", p, entry)
			}
			byClient := name == "snapshot.json" || name == "root-2.json"
			if byClient {
				status, body := postTUF(t, s, json.RawMessage(metadata), json.RawMessage(root))
				if status != http.StatusCreated || !bytes.Equal(body, p.Body) {
					t.Fatalf("a client is answered %d with\n%s, expected\n%s", status, body, p.Body)
				}
			}
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
			if e.GetKindVersion().GetKind() != tufrecord.KindName || e.GetKindVersion().GetVersion() != tufrecord.APIVersion || treeOf(t, s).VerifyPromise(promise(e)) != nil {
				t.Errorf("answered with %v", e)
			}
			found, err := l.Find(t.Context(), shard, []gateway.LeafHash{p.LeafHash}, 0, first.Index+1)
			if err != nil || found.Inclusions[p.LeafHash] == nil || logtest.TransparencyLogEntry(t, found.Inclusions[p.LeafHash], p.Body).GetKindVersion().GetKind() != tufrecord.KindName {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
}

// TestServerRefusesTUF: what is not offered to the real Rekor v1, it does not take, and the plan says why.
func TestServerRefusesTUF(t *testing.T) {
	s := rekorv1test.Start(t)
	planner := planning.Planner{Logs: []planning.Acceptor{openBare(t, s)}}
	for name, says := range map[string]string{"targets.json": "do not reach the threshold"} { // a P-384 key among the two
		metadata, root := readTestdata(t, "tuf", name), readTestdata(t, "tuf", "root-1.json")
		d, whole := describeTUF(t, metadata, root)
		if whole != nil {
			t.Errorf("%s is offered", name)
		}
		if status, body := postTUF(t, s, json.RawMessage(metadata), json.RawMessage(root)); status != http.StatusBadRequest {
			t.Errorf("%s: the log answers %d: %s", name, status, body)
		}
		plan, err := planner.Plan(d, "")
		if err != nil || plan.Chosen != gateway.Projected {
			t.Errorf("%s: planned as %s, %v", name, plan.Chosen, err)
		}
		if refusal := plan.Option(gateway.Native).Refusal; refusal == nil || !strings.Contains(refusal.Message, says) {
			t.Errorf("%s: not NATIVE for %v", name, refusal)
		}
	}
	d, _ := describeTUF(t, readTestdata(t, "tuf", "snapshot.json"), readTestdata(t, "tuf", "root-1.json"))
	plan, err := planner.Plan(d, "")
	if err != nil || plan.Chosen != gateway.Native || plan.Option(gateway.Native).MaxBytes != 0 {
		t.Errorf("planned %+v, %v", plan, err)
	}
	d.Whole.Signature = bytes.Repeat([]byte("x"), 48<<10-len(d.Whole.Key))
	if plan, err = planner.Plan(d, gateway.Native); formats.ReasonOf(plan.Option(gateway.Native).Refusal) != formats.ReasonTooLarge || err == nil {
		t.Errorf("too large, planned %+v, %v", plan.Options, err)
	}
}

// postTUF sends the log an entry as its clients do, with JSON in it or with that in base64, and returns the body that it answers with.
func postTUF(t *testing.T, s *rekorv1test.Server, metadata, root any) (status int, recorded []byte) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "tuf", "spec": map[string]any{
		"metadata": map[string]any{"content": metadata}, "root": map[string]any{"content": root},
	}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(s.URL+"/api/v1/log/entries", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var entries map[string]struct{ Body string }
	if response.StatusCode != http.StatusCreated {
		return response.StatusCode, answer
	}
	if err := json.Unmarshal(answer, &entries); err != nil || len(entries) != 1 {
		t.Fatal(errors.Join(err, errors.New(string(answer))))
	}
	for _, e := range entries {
		if recorded, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, recorded
}
