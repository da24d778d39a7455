// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// entries are those of a log that can be read.
type entries [][]byte

func (e entries) EachEntry(_ context.Context, _ gateway.Shard, from uint64, f func(uint64, []byte) error) error {
	for i := from; i < uint64(len(e)); i++ {
		if err := f(i, e[i]); err != nil {
			return err
		}
	}
	return nil
}

// encode returns the entry of a record.
func encode(r hashedrekord.Record) []byte { return must(hashedrekord.Body(r)) }

// turned has the other signature that is as good: anybody can make it of the first one.
func turned(r hashedrekord.Record) hashedrekord.Record {
	var s struct{ R, S *big.Int }
	_ = must(asn1.Unmarshal(r.Signature, &s))
	s.S.Sub(elliptic.P256().Params().N, s.S)
	r.Signature = must(asn1.Marshal(s))
	return r
}

// TestForgottenAnchor: what the anchor key has signed and the store does not know stops the log. What it does know does not, whoever has recorded it again
// in which form and where, and neither does what the key has not signed.
func TestForgottenAnchor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	first := join(t, store, folder, log, 50*time.Millisecond, noShards)
	stop := first.run(t)
	first.logAll(t, "first", 3)
	stop()
	page, _, err := store.List(t.Context(), gateway.AnchorTenant(ownID), gateway.ListParams{})
	if err != nil || len(page) == 0 {
		t.Fatalf("%d anchors, %v", len(page), err)
	}
	archived := must(store.Archived(t.Context(), gateway.AnchorTenant(ownID), page[0].ID))
	known := must(hashedrekord.Parse(archived.Entries[0].Body))
	if err := turned(known).Verify(); err != nil {
		t.Fatalf("the turned signature is none: %v", err)
	}
	anchorer := must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor"), false))
	other := signOther(t, anchorer)
	forged := other
	forged.Signature = known.Signature
	stranger := signOther(t, must(attest.LoadAnchorSigner(filepath.Join(folder, "stranger"), true)))
	former := map[string][]ownlog.AnchorKey{
		"by a key of before": {{SPKI: stranger.SPKI}}, "at its end": {{SPKI: stranger.SPKI, To: new(uint64)}}, "past its end": {{SPKI: stranger.SPKI, To: new(uint64)}},
		"unknown, past its end": {{SPKI: anchorer.SPKI(), To: new(uint64)}},
		"by the hash of a key":  {{Sum: sha256.Sum256(stranger.SPKI)}}, "by the hash of another": {{Sum: [32]byte{1}}},
	}
	for name, c := range map[string]struct {
		log   string
		entry []byte
		want  string
	}{
		"at its end":              {"fake", encode(stranger), gateway.TroubleForgotten},
		"past its end":            {"fake", encode(stranger), ""},
		"unknown, past its end":   {"fake", encode(other), gateway.TroubleForgotten}, // of the key in use
		"another record":          {"fake", encode(stranger), ""},
		"the same again":          {"fake", encode(known), ""},
		"the same in another log": {"elsewhere", encode(known), ""},
		"turned":                  {"fake", encode(turned(known)), ""},
		"turned, in another log":  {"elsewhere", encode(turned(known)), ""},
		"not signed with the key": {"fake", encode(forged), ""},
		"unknown":                 {"fake", encode(other), gateway.TroubleForgotten},
		"unknown, turned":         {"fake", encode(turned(other)), gateway.TroubleForgotten},
		"by a key of before":      {"fake", encode(stranger), gateway.TroubleForgotten},
		"by the hash of a key":    {"fake", encode(stranger), gateway.TroubleForgotten},
		"by the hash of another":  {"fake", encode(stranger), ""},
		"unknown, in another log": {"elsewhere", encode(other), gateway.TroubleForgotten},
	} {
		t.Run(name, func(t *testing.T) {
			shards := func() ([]ownlog.AnchorShard, error) {
				read := entries{c.entry}
				if strings.HasSuffix(name, "past its end") {
					read = entries{encode(known), c.entry}
				}
				return []ownlog.AnchorShard{{Log: c.log, Shard: gateway.Shard{Origin: name}, Entries: read, Keys: former[name]}}, nil
			}
			r := join(t, store, folder, log, 50*time.Millisecond, shards)
			stop := r.run(t)
			for deadline := time.Now().Add(time.Minute); r.own.State() == ownlog.StateLooks && time.Now().Before(deadline); {
				time.Sleep(5 * time.Millisecond)
			}
			stop()
			if got := r.own.Trouble(); got != c.want || c.want == "" && r.own.State() != ownlog.StateWorks {
				t.Errorf("%s, trouble %q, want %q", r.own.State(), got, c.want)
			}
		})
	}
}

// signOther returns an anchor of a checkpoint that the store does not have.
func signOther(t *testing.T, anchorer ownlog.Anchorer) hashedrekord.Record {
	t.Helper()
	digest := sha256.Sum256([]byte("another history"))
	_, record, err := receipt.Project(formats.Projection{
		Candidate: formats.Candidate{SPKI: anchorer.SPKI(), Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: must(anchorer.SignDigest(t.Context(), digest)),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// addForeign adds an anchor of another history, made with the anchor key in a folder, of which it returns the SPKI.
func (l *lateLog) addForeign(t *testing.T, folder string) []byte {
	t.Helper()
	anchorer := must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor"), true))
	body := encode(signOther(t, anchorer))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies = append(l.bodies, body)
	return anchorer.SPKI()
}

// countedEntries counts how often they are read.
type countedEntries struct {
	entries
	read atomic.Int64
}

func (e *countedEntries) EachEntry(ctx context.Context, shard gateway.Shard, from uint64, f func(uint64, []byte) error) error {
	e.read.Add(1)
	return e.entries.EachEntry(ctx, shard, from, f)
}

// TestForgottenReadsOnce: where an anchor is forgotten, logs are not read again for each submission.
func TestForgottenReadsOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	read := &countedEntries{entries: entries{encode(signOther(t, must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor"), true))))}}
	shards := func() ([]ownlog.AnchorShard, error) {
		return []ownlog.AnchorShard{{Log: "fake", Shard: gateway.Shard{Origin: "fake"}, Entries: read}}, nil
	}
	r := join(t, store, folder, log, 50*time.Millisecond, shards)
	r.run(t)
	await(t, "refuses", func() bool { return r.own.State() == ownlog.StateRefuses })
	for begun := time.Now(); time.Since(begun) < 2*time.Second; time.Sleep(20 * time.Millisecond) {
		r.own.Wake()
	}
	if n := read.read.Load(); n != 1 {
		t.Errorf("the log was read %d times", n)
	}
}
