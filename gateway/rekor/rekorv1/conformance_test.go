// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	logtest.Run(t, logtest.Suite{
		Start:  func(t testing.TB) logtest.Server { return startFake(t) },
		Faults: faults(t),
		Once:   true,
	})
}

func openFake(t testing.TB, f *fake, store gateway.Checkpoints, patience time.Duration, former ...logtest.Former) *rekorv1.Log {
	t.Helper()
	cfg := rekorv1.Config{ID: "v1", URL: f.server.URL, Trees: []rekorv1.Tree{{Log: f.trusted()}}, RequestTimeout: patience, ReadTimeout: patience}
	for _, before := range former {
		o := before.Server.(*fake)
		cfg.Trees = append(cfg.Trees, rekorv1.Tree{Log: o.trusted(), Closed: before.Closed})
		f.mu.Lock()
		f.formers = append(f.formers, o)
		f.mu.Unlock()
	}
	l, err := rekorv1.New(cfg, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
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

// checkFakeInclusion checks an inclusion with the libraries alone.
func checkFakeInclusion(t testing.TB, f *fake, got *gateway.Inclusion, e gateway.Prepared) {
	t.Helper()
	entry := logtest.TransparencyLogEntry(t, got, e.Body)
	p := entry.GetInclusionProof()
	cp, _, _, err := log.ParseCheckpoint([]byte(p.GetCheckpoint().GetEnvelope()), f.origin(), f.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(e.Body)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, got.Index, cp.Size, leaf, p.GetHashes(), cp.Hash); err != nil {
		t.Error(err)
	}
	if uint64(p.GetLogIndex()) != got.Index || entry.GetLogIndex() != p.GetLogIndex()+f.before || uint64(p.GetTreeSize()) != cp.Size || string(p.GetRootHash()) != string(cp.Hash) {
		t.Errorf("index %d of %+v", got.Index, entry)
	}
	if err := f.trusted().VerifyPromise(promise(entry)); err != nil {
		t.Error(err)
	}
}

func failing(kind logtest.Kind, name string, fail func(f *fake, w http.ResponseWriter, r *http.Request)) logtest.Fault {
	return logtest.Fault{Name: name, Kind: kind, Inject: func(s logtest.Server, applied bool) {
		s.(*fake).inject(fault{applied: applied, fail: fail})
	}}
}

// answered is a status in the log's own form, with headers.
func answered(kind logtest.Kind, code int, headers ...string) logtest.Fault {
	return failing(kind, fmt.Sprint(code, headers), func(_ *fake, w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		refuse(w, code)
	})
}

func overloaded(want time.Duration, code int, headers ...string) logtest.Fault {
	f := answered(logtest.Overloaded, code, headers...)
	f.RetryAfter = want
	return f
}

func tampered(kind logtest.Kind, name string, tamper func(f *fake, a *answer)) logtest.Fault {
	return logtest.Fault{Name: name, Kind: kind, Inject: func(s logtest.Server, applied bool) {
		s.(*fake).inject(fault{applied: applied, tamper: tamper})
	}}
}

func faults(t *testing.T) []logtest.Fault {
	return append(append(failures(), answers(t)...), slow()...)
}

// failures are answers without an entry.
func failures() []logtest.Fault {
	return []logtest.Fault{
		overloaded(2*time.Second, http.StatusTooManyRequests, "Retry-After", "2"),
		overloaded(10*time.Minute, http.StatusTooManyRequests, "Retry-After", "2000000000"),
		overloaded(0, http.StatusTooManyRequests),
		overloaded(0, http.StatusTooManyRequests, "Retry-After", "soon"),
		overloaded(0, http.StatusTooManyRequests, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"),
		overloaded(3*time.Second, http.StatusServiceUnavailable, "Retry-After", "3"),
		answered(logtest.Refused, http.StatusBadRequest),
		answered(logtest.Refused, http.StatusUnprocessableEntity),
		answered(logtest.Forbidden, http.StatusUnauthorized),
		answered(logtest.Forbidden, http.StatusForbidden),
		answered(logtest.NotTaken, http.StatusNotFound),
		answered(logtest.NotTaken, http.StatusMethodNotAllowed),
		answered(logtest.NotTaken, http.StatusRequestEntityTooLarge),
		answered(logtest.Doubtful, http.StatusNotImplemented),
		answered(logtest.Doubtful, http.StatusInternalServerError),
		answered(logtest.Doubtful, http.StatusBadGateway),
		answered(logtest.Doubtful, http.StatusServiceUnavailable),
		answered(logtest.Doubtful, http.StatusGatewayTimeout),
		answered(logtest.Doubtful, http.StatusOK),
		answered(logtest.FalseAnswer, http.StatusConflict),
		answered(logtest.FalseAnswer, http.StatusConflict, "Location", "/api/v1/log/entries/"+strings.Repeat("0", 80)),
		failing(logtest.NotTaken, "a proxy's 400", func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>bad request</html>", http.StatusBadRequest)
		}),
		failing(logtest.Doubtful, "redirect", func(_ *fake, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:1"+r.URL.Path, http.StatusTemporaryRedirect)
		}),
	}
}

// slow are answers that take too long, or are too much.
func slow() []logtest.Fault {
	hang := func(r *http.Request) { <-r.Context().Done() }
	return []logtest.Fault{
		failing(logtest.Doubtful, "dropped", func(*fake, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		failing(logtest.Doubtful, "no headers", func(_ *fake, _ http.ResponseWriter, r *http.Request) { hang(r) }),
		failing(logtest.Doubtful, "slow body", func(_ *fake, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			hang(r)
		}),
		failing(logtest.FalseAnswer, "endless body", func(_ *fake, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat(" ", 4096))); err != nil {
					return
				}
			}
		}),
		failing(logtest.FalseAnswer, "garbage", func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte("created"))
		}),
	}
}

// answers are entries with something wrong.
func answers(t *testing.T) []logtest.Fault {
	other := newKey(t)
	list := []logtest.Fault{
		tampered(logtest.FalseProof, "false proof", func(_ *fake, a *answer) {
			hashes := a.proof["hashes"].([]string)
			a.proof["hashes"] = append([]string{strings.Repeat("ff", 32)}, hashes[min(1, len(hashes)):]...)
		}),
		tampered(logtest.FalseCheckpoint, "another key's checkpoint", func(f *fake, a *answer) {
			f.mu.Lock()
			defer f.mu.Unlock()
			a.proof["checkpoint"] = f.head(other)
		}),
		tampered(logtest.FalseCheckpoint, "another tree's checkpoint", func(f *fake, a *answer) {
			f.mu.Lock()
			defer f.mu.Unlock()
			a.proof["checkpoint"] = signHead(f.t, f.key, log.Checkpoint{Origin: host + " - 7", Size: f.tree.Size(), Hash: f.tree.Hash()})
		}),
		tampered(logtest.OtherEntry, "another entry", func(f *fake, a *answer) { *a = f.prove(0, f.bodies[0]) }),
		tampered(logtest.OtherEntry, "another entry under this one's id", func(f *fake, a *answer) {
			id := a.id
			*a = f.prove(0, f.bodies[0])
			a.id = id
		}),
	}
	// The answer to an entry that is not in the log has no proof that holds, whatever else is wrong with it: these are of one that is.
	for i := range list {
		list[i].OnlyApplied = list[i].Kind == logtest.FalseCheckpoint
	}
	for name, tamper := range map[string]func(f *fake, a *answer){
		"false promise": func(_ *fake, a *answer) { a.entry["integratedTime"] = time.Now().Unix() - 1000 },
		"promise by another": func(f *fake, a *answer) {
			a.entry["verification"].(map[string]any)["signedEntryTimestamp"] = sign(f.t, other, nil)
		},
		"no promise":            func(_ *fake, a *answer) { delete(a.entry["verification"].(map[string]any), "signedEntryTimestamp") },
		"no time":               func(f *fake, a *answer) { a.entry["integratedTime"] = 0; f.promise(a) },
		"no proof":              func(_ *fake, a *answer) { delete(a.entry["verification"].(map[string]any), "inclusionProof") },
		"no checkpoint":         func(_ *fake, a *answer) { delete(a.proof, "checkpoint") },
		"no body":               func(f *fake, a *answer) { a.entry["body"] = []byte{}; f.promise(a) },
		"another log's id":      func(f *fake, a *answer) { a.entry["logID"] = hex.EncodeToString(make([]byte, 32)); f.promise(a) },
		"another tree's id":     func(_ *fake, a *answer) { a.id = strings.Repeat("0", 16) + a.id[16:] },
		"an id without a tree":  func(_ *fake, a *answer) { a.id = a.id[16:] },
		"negative index":        func(_ *fake, a *answer) { a.proof["logIndex"] = -1 },
		"index past the end":    func(_ *fake, a *answer) { a.proof["logIndex"] = a.proof["treeSize"] },
		"global index too low":  func(f *fake, a *answer) { a.entry["logIndex"] = 0; f.promise(a) },
		"another size":          func(_ *fake, a *answer) { a.proof["treeSize"] = a.proof["treeSize"].(uint64) + 1 },
		"another root":          func(_ *fake, a *answer) { a.proof["rootHash"] = strings.Repeat("0", 64) },
		"a hash that is none":   func(_ *fake, a *answer) { a.proof["hashes"] = []string{"xyz"} },
		"a short hash":          func(_ *fake, a *answer) { a.proof["hashes"] = []string{"00"} },
		"an index that is none": func(_ *fake, a *answer) { a.proof["logIndex"] = "1" },
	} {
		f := tampered(logtest.FalseAnswer, name, tamper)
		f.OnlyApplied = true
		list = append(list, f)
	}
	return list
}
