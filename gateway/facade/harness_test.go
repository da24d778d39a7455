// SPDX-License-Identifier: Apache-2.0

package facade_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/facade"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

const (
	sourceID = "real"
	host     = "rekor.example"
	tree     = int64(6_962_000_000_000_000_001)
)

// TestMain lets more tests run at once than there are processors: they mostly wait for checkpoints.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(postgrestest.Main(m))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// endingStore is what an ending needs of a store.
type endingStore interface {
	ownlog.Store
	Stats(ctx context.Context) (gateway.Stats, error)
}

// room is a facade over a real log of Rekor v2, with the rooms around it, as a server joins them.
type room struct {
	*intake.Service
	*delivery.Waiters
	*facade.Facade
	own      *ownlog.Log
	endings  []*ownlog.Ending
	source   *rekorv2.Log
	store    gateway.Store
	delivery *delivery.Delivery
}

// trees are a facade's, the current one last.
type trees []struct {
	id  int64
	key string // its file's name
}

var oneTree = trees{{tree, "facade"}}

func treeLog(id int64) string { return "facade-" + strconv.FormatInt(id, 16) }

// openSource returns the log at the servers, of which the last one is written to.
func openSource(t testing.TB, store gateway.Store, servers ...*rekortest.Server) *rekorv2.Log {
	t.Helper()
	var shards []rekorv2.Shard
	for _, s := range servers {
		shards = append(shards, rekorv2.Shard{Origin: s.Origin(), GRPCURL: s.GRPCURL(), ReadURL: s.ReadURL(), Verifier: s.Verifier(), KeyID: s.KeyID()})
	}
	last := len(shards) - 1
	shards[0], shards[last] = shards[last], shards[0]
	log := must(rekorv2.New(rekorv2.Config{ID: sourceID, Shards: shards, IntegrationDelay: time.Second, RequestTimeout: time.Minute},
		store, slog.New(slog.DiscardHandler), prometheus.NewRegistry()))
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s := must(sqlite.Open(t.Context(), path, sqlite.Options{}))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// join makes the rooms over a store, with keys in a folder.
func join(t testing.TB, store gateway.Store, source *rekorv2.Log, folder string, all trees) *room {
	t.Helper()
	return must(tryJoin(t, store, source, folder, all))
}

// tryJoin is join, and returns why there is no facade.
func tryJoin(t testing.TB, store gateway.Store, source *rekorv2.Log, folder string, all trees) (_ *room, err error) {
	t.Helper()
	r := &room{Waiters: delivery.NewWaiters(store), source: source, store: store}
	quiet := slog.New(slog.DiscardHandler)
	notify := func(p []gateway.Progress) { r.Notify(p) }
	former := map[string][]byte{} // anchor keys
	ended := []string{}
	cfg := facade.Config{Store: store, Source: sourceID, Await: r.Await, Logger: quiet}
	for i, one := range all {
		signer := must(attest.LoadFacadeSigner(filepath.Join(folder, one.key), host, true))
		if i < len(all)-1 {
			ended = append(ended, treeLog(one.id))
			former[treeLog(one.id)] = must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor-"+one.key), true)).SPKI()
			cfg.Former = append(cfg.Former, facade.Tree{ID: one.id, Log: treeLog(one.id), Reader: ownlog.NewReader(store, treeLog(one.id)), Signer: signer})
			continue
		}
		r.own = must(ownlog.New(t.Context(), ownlog.Config{
			ID: treeLog(one.id), Origin: facade.Origin(host, one.id), Store: store, Codec: recording.Own{}, Signer: signer, VerifierKey: string(signer.PublicKey()),
			Anchorer:     must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor-"+one.key), true)),
			Anchors:      func() ownlog.LogSet { return ownlog.LogSet{List: []gateway.Recorder{source}, Need: 1} },
			AnchorShards: func() ([]ownlog.AnchorShard, error) { return shardsOf(source), nil },
			Stored:       func(s gateway.Submission) { r.delivery.Wake(s) }, Changed: notify, Logger: quiet, Now: time.Now,
		}))
		cfg.Own, cfg.Current = r.own, facade.Tree{ID: one.id, Log: treeLog(one.id), Reader: r.own.Reader, Signer: signer}
	}
	for _, id := range ended {
		r.endings = append(r.endings, ownlog.NewEnding(ownlog.EndingConfig{
			Log: id, To: r.own, Store: store.(endingStore), Counted: true, Changed: notify, Logger: quiet,
			AnchorShards: func() ([]ownlog.AnchorShard, error) {
				return shardsOf(source, ownlog.AnchorKey{SPKI: former[id]}), nil
			},
		}))
	}
	if r.Facade, err = facade.New(t.Context(), cfg); err != nil {
		return nil, err
	}
	elsewhere := []string{}
	for _, one := range all {
		elsewhere = append(elsewhere, treeLog(one.id))
	}
	r.delivery = delivery.New(delivery.Config{
		Logs: []gateway.Log{source}, Elsewhere: elsewhere, Store: store, Probe: gatewaytest.NewProbe, Logger: quiet,
		Timing:  delivery.Timing{AddTimeout: time.Minute, Drain: time.Second},
		Changed: func(p []gateway.Progress) { r.Notify(p); r.own.NoteChanged(p); r.Facade.NoteChanged(p) },
	})
	r.Service = intake.New(intake.Config{
		Formats: formatsAll(), Queue: store, Archive: store, MaxArtifact: 1 << 20, Committed: func(s gateway.Submission) { r.delivery.Wake(s) },
		Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(source)}),
	})
	return r, nil
}

func formatsAll() *formats.Registry { return all.Formats() }

// shardsOf returns where anchors may be: in all of the log.
func shardsOf(source *rekorv2.Log, keys ...ownlog.AnchorKey) []ownlog.AnchorShard {
	list := []ownlog.AnchorShard{}
	shards := []gateway.Shard{source.Describe().Shard}
	for _, former := range source.Former() {
		shards = append(shards, former.Shard)
	}
	for _, s := range shards {
		list = append(list, ownlog.AnchorShard{Log: sourceID, Shard: s, Entries: source, Keys: keys, Delay: time.Second})
	}
	return list
}

// run runs the rooms until the returned function is called.
func (r *room) run(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	all := []func(context.Context){r.Service.Run, r.delivery.Run, r.own.Run, r.Facade.Run}
	for _, e := range r.endings {
		all = append(all, e.Run)
	}
	for _, f := range all {
		running.Go(func() { f(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// log submits a request, and returns it once Rekor v2 has it.
func (r *room) log(ctx context.Context, request gateway.Request) (gateway.Submission, error) {
	sub, err := r.Submit(ctx, request, gatewaytest.NoArtifact)
	if err != nil {
		return gateway.Submission{}, err
	}
	err = r.Await(ctx, &sub)
	return sub, err
}

// proposed is what rekor-cli posts of the kind hashedrekord.
type proposed struct {
	Spec struct {
		Data      struct{ Hash struct{ Value string } }
		Signature struct {
			Content   []byte
			PublicKey struct{ Content []byte }
		}
	}
}

// serve serves what rekor-cli asks for.
func (r *room) serve(t testing.TB) (url string) {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any, err error) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case errors.Is(err, gateway.ErrNotFound):
			status, v = http.StatusNotFound, rekorjson.Error{Code: http.StatusNotFound, Message: err.Error()}
		case err != nil:
			status, v = http.StatusServiceUnavailable, rekorjson.Error{Code: http.StatusServiceUnavailable, Message: err.Error()}
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	one := func(w http.ResponseWriter, id rekorjson.ID, e rekorjson.Entry, err error) {
		answer(w, http.StatusOK, rekorjson.Entries{id.String(): e}, err)
	}
	mux.HandleFunc("GET /api/v1/log", func(w http.ResponseWriter, req *http.Request) {
		info, err := r.Info(req.Context())
		answer(w, http.StatusOK, info, err)
	})
	mux.HandleFunc("GET /api/v1/log/publicKey", func(w http.ResponseWriter, req *http.Request) {
		id, _ := strconv.ParseInt(req.FormValue("treeID"), 10, 64)
		key, err := r.PublicKey(req.Context(), id)
		if err != nil {
			answer(w, 0, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(key)
	})
	mux.HandleFunc("GET /api/v1/log/proof", func(w http.ResponseWriter, req *http.Request) {
		first, _ := strconv.ParseUint(req.FormValue("firstSize"), 10, 64)
		last, _ := strconv.ParseUint(req.FormValue("lastSize"), 10, 64)
		id, _ := strconv.ParseInt(req.FormValue("treeID"), 10, 64)
		p, err := r.Proof(req.Context(), id, first, last)
		answer(w, http.StatusOK, p, err)
	})
	mux.HandleFunc("GET /api/v1/log/entries", func(w http.ResponseWriter, req *http.Request) {
		index, _ := strconv.ParseInt(req.FormValue("logIndex"), 10, 64)
		id, e, err := r.EntryByIndex(req.Context(), index)
		one(w, id, e, err)
	})
	mux.HandleFunc("GET /api/v1/log/entries/{id}", func(w http.ResponseWriter, req *http.Request) {
		asked, err := rekorjson.ParseID(req.PathValue("id"))
		var e rekorjson.Entry
		if err == nil {
			asked, e, err = r.EntryByID(req.Context(), asked)
		}
		one(w, asked, e, err)
	})
	mux.HandleFunc("POST /api/v1/log/entries/retrieve", func(w http.ResponseWriter, req *http.Request) {
		var asked struct {
			EntryUUIDs []string
			LogIndexes []int64
			Entries    []json.RawMessage
		}
		err := json.NewDecoder(req.Body).Decode(&asked)
		found := []rekorjson.Entries{}
		add := func(id rekorjson.ID, e rekorjson.Entry, err error) {
			if err == nil {
				found = append(found, rekorjson.Entries{id.String(): e})
			}
		}
		for _, text := range asked.EntryUUIDs {
			id, _ := rekorjson.ParseID(text)
			add(r.EntryByID(req.Context(), id))
		}
		for _, index := range asked.LogIndexes {
			add(r.EntryByIndex(req.Context(), index))
		}
		for _, raw := range asked.Entries {
			add(r.post(req.Context(), raw, new(bool)))
		}
		answer(w, http.StatusOK, found, err)
	})
	mux.HandleFunc("POST /api/v1/log/entries", func(w http.ResponseWriter, req *http.Request) {
		var raw json.RawMessage
		err := json.NewDecoder(req.Body).Decode(&raw)
		var known bool
		var id rekorjson.ID
		var e rekorjson.Entry
		if err == nil {
			id, e, err = r.post(req.Context(), raw, &known)
		}
		status := http.StatusCreated
		if err == nil {
			w.Header().Set("Location", "/api/v1/log/entries/"+id.String())
		}
		if known {
			answer(w, http.StatusConflict, rekorjson.Error{Code: http.StatusConflict, Message: "there already"}, err)
			return
		}
		answer(w, status, rekorjson.Entries{id.String(): e}, err)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// post records what rekor-cli proposes.
func (r *room) post(ctx context.Context, raw []byte, known *bool) (rekorjson.ID, rekorjson.Entry, error) {
	var p proposed
	fail := func(err error) (rekorjson.ID, rekorjson.Entry, error) { return rekorjson.ID{}, rekorjson.Entry{}, err }
	if err := json.Unmarshal(raw, &p); err != nil {
		return fail(err)
	}
	digest, err := hex.DecodeString(p.Spec.Data.Hash.Value)
	if err != nil {
		return fail(err)
	}
	sub, err := r.Submit(ctx, gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509", Signature: p.Spec.Signature.Content, Keys: [][]byte{p.Spec.Signature.PublicKey.Content},
		Digest: &formats.Digest{Algorithm: formats.SHA256, Value: digest},
	}, gatewaytest.NoArtifact)
	if err != nil {
		return fail(err)
	}
	*known = sub.Existing && sub.State == gateway.Logged
	if err = r.Await(ctx, &sub); err != nil {
		return fail(err)
	}
	before, err := r.AwaitRecorded(ctx, sub, nil)
	if err != nil {
		return fail(err)
	}
	*known = *known || before
	return r.Recorded(ctx, sub, nil)
}
