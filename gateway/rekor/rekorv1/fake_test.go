// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

const host = "fake.test"

var treeIDs atomic.Int64

// fake is a Rekor v1 in this process, for faults that the real one cannot be made to show: real proofs and signatures over a tree in memory, whose
// entries are included at once. Before it there are before entries in the log's other trees.
type fake struct {
	t      testing.TB
	server *httptest.Server
	treeID int64
	before int64

	mu       sync.Mutex // guards what follows
	key      *ecdsa.PrivateKey
	bodies   [][]byte
	tree     *testonly.Tree
	formers  []*fake // trees of this log that were written to before
	faults   []fault
	requests int
	broken   logtest.Breakage
}

// fault is one failing write. With applied the entry is logged all the same.
type fault struct {
	applied bool
	// fail answers in place of the log, when set.
	fail func(f *fake, w http.ResponseWriter, r *http.Request)
	// tamper makes another answer of the right one, when set.
	tamper func(f *fake, a *answer)
}

// answer is the log's.
type answer struct {
	id    string
	entry map[string]any
	proof map[string]any // in it
	body  []byte
}

func startFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{t: t, treeID: 1<<60 + treeIDs.Add(1), before: 5000, tree: testonly.New(rfc6962.DefaultHasher), broken: logtest.Intact}
	f.key = newKey(t)
	f.server = httptest.NewServer(f.routes())
	t.Cleanup(f.server.Close)
	return f
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *fake) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/log/entries", f.create)
	mux.HandleFunc("GET /api/v1/log", f.info)
	mux.HandleFunc("GET /api/v1/log/entries/{id}", f.breakable(f.get))
	mux.HandleFunc("GET /api/v1/log/proof", f.breakable(f.consistency))
	return mux
}

func (f *fake) origin() string { return fmt.Sprintf("%s - %d", host, f.treeID) }

func (f *fake) spki() []byte {
	der, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	return der
}

// trusted is the tree as a trusted root has it.
func (f *fake) trusted() trustroot.Log {
	root, err := trustroot.New(trustroot.LogKey{Origin: host, SPKI: f.spki(), Start: time.Unix(0, 0)})
	if err != nil {
		f.t.Fatal(err)
	}
	return root.LogsOf(f.origin())[0]
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	f.requests++
	var now *fault
	if len(f.faults) > 0 {
		now, f.faults = &f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	if err != nil {
		return
	}
	record, err := hashedrekord.RekorV1.Parse(body)
	if err == nil {
		err = hashedrekord.RekorV1.Verify(record, formats.Projection{})
	}
	if err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	if now != nil {
		f.runFault(w, r, *now, body)
		return
	}
	index, duplicate := f.sequence(body)
	if duplicate {
		w.Header().Set("Location", "/api/v1/log/entries/"+f.idOf(body))
		refuse(w, http.StatusConflict)
		return
	}
	f.write(w, f.prove(index, body))
}

func (f *fake) runFault(w http.ResponseWriter, r *http.Request, now fault, body []byte) {
	if now.applied {
		f.sequence(body)
	}
	if now.fail != nil {
		now.fail(f, w, r)
		return
	}
	// An entry that is not in the log has the proof of another one, so that no checkpoint contradicts it.
	f.mu.Lock()
	last := uint64(len(f.bodies)) - 1
	f.mu.Unlock()
	a := f.prove(last, body)
	now.tamper(f, &a)
	f.write(w, a)
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": "what the log says"})
}

func (f *fake) sequence(body []byte) (index uint64, duplicate bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, known := range f.bodies {
		if bytes.Equal(known, body) {
			return uint64(i), true
		}
	}
	f.bodies = append(f.bodies, body)
	f.tree.AppendData(body)
	return uint64(len(f.bodies)) - 1, false
}

func (f *fake) idOf(body []byte) string {
	return fmt.Sprintf("%016x%x", f.treeID, hashedrekord.LeafHash(body))
}

// prove returns the answer for a body, with the proof of index.
func (f *fake) prove(index uint64, body []byte) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := f.tree.Size()
	hashes, err := f.tree.InclusionProof(index, size)
	if err != nil {
		f.t.Error(err)
	}
	texts := []string{}
	for _, h := range hashes {
		texts = append(texts, hex.EncodeToString(h))
	}
	proof := map[string]any{
		"checkpoint": f.head(f.key), "hashes": texts, "logIndex": index, "rootHash": hex.EncodeToString(f.tree.Hash()), "treeSize": size,
	}
	a := answer{id: f.idOf(body), body: body, proof: proof, entry: map[string]any{
		"body": body, "integratedTime": time.Now().Unix(), "logID": fmt.Sprintf("%x", sha256.Sum256(f.spki())), "logIndex": int64(index) + f.before,
	}}
	a.entry["verification"] = map[string]any{"inclusionProof": proof}
	f.promise(&a)
	return a
}

// promise signs the entry as it is.
func (f *fake) promise(a *answer) {
	signed := map[string]any{}
	for _, member := range []string{"body", "integratedTime", "logID", "logIndex"} {
		signed[member] = a.entry[member]
	}
	raw, err := json.Marshal(signed)
	if err != nil {
		f.t.Error(err)
	}
	canonical, err := jsoncanonicalizer.Transform(raw)
	if err != nil {
		f.t.Error(err)
	}
	a.entry["verification"].(map[string]any)["signedEntryTimestamp"] = sign(f.t, f.key, canonical)
}

func sign(t testing.TB, key *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Error(err)
	}
	return signature
}

// head is the signed checkpoint. The caller holds the lock.
func (f *fake) head(key *ecdsa.PrivateKey) string {
	return signHead(f.t, key, log.Checkpoint{Origin: f.origin(), Size: f.tree.Size(), Hash: f.tree.Hash()})
}

func signHead(t testing.TB, key *ecdsa.PrivateKey, cp log.Checkpoint) string {
	text := cp.Marshal()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Error(err)
	}
	id := sha256.Sum256(spki)
	line := append(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(id[:])), sign(t, key, text)...)
	return fmt.Sprintf("%s\n— %s %s\n", text, host, base64.StdEncoding.EncodeToString(line))
}

func (f *fake) write(w http.ResponseWriter, a answer) {
	raw, err := json.Marshal(map[string]any{a.id: a.entry})
	if err != nil {
		f.t.Error(err)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(raw)
}

func (f *fake) info(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	former := []map[string]any{}
	for _, o := range f.formers {
		o.mu.Lock()
		former = append(former, map[string]any{"treeID": strconv.FormatInt(o.treeID, 10), "signedTreeHead": o.head(o.key)})
		o.mu.Unlock()
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"treeID": strconv.FormatInt(f.treeID, 10), "signedTreeHead": f.head(f.key), "inactiveShards": former})
}

// of returns the tree with an id, of all that the log has.
func (f *fake) of(id int64) *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range append([]*fake{f}, f.formers...) {
		if o.treeID == id {
			return o
		}
	}
	return nil
}

func (f *fake) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	tree, err := strconv.ParseInt(id[:16], 16, 64)
	o := f.of(tree)
	if err != nil || o == nil {
		http.NotFound(w, r)
		return
	}
	o.mu.Lock()
	at := slices.IndexFunc(o.bodies, func(body []byte) bool { return o.idOf(body) == id })
	o.mu.Unlock()
	if at < 0 {
		http.NotFound(w, r)
		return
	}
	a := o.prove(uint64(at), o.bodies[at])
	_ = json.NewEncoder(w).Encode(map[string]any{a.id: a.entry})
}

func (f *fake) consistency(w http.ResponseWriter, r *http.Request) {
	tree, _ := strconv.ParseInt(r.FormValue("treeID"), 10, 64)
	first, _ := strconv.ParseUint(r.FormValue("firstSize"), 10, 64)
	last, _ := strconv.ParseUint(r.FormValue("lastSize"), 10, 64)
	o := f.of(tree)
	if o == nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	hashes, err := o.tree.ConsistencyProof(first, last)
	if err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	texts := []string{}
	for _, h := range hashes {
		texts = append(texts, hex.EncodeToString(h))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"rootHash": hex.EncodeToString(o.tree.HashAt(last)), "hashes": texts})
}

// firstHash is in front of a proof's first hash.
var firstHash = []byte(`"hashes":["`)

// breakable serves what BreakTiles breaks.
func (f *fake) breakable(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		how := f.broken
		f.mu.Unlock()
		if how == logtest.Unavailable {
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		answered := httptest.NewRecorder()
		next(answered, r)
		raw := bytes.TrimSpace(answered.Body.Bytes())
		switch {
		case how == logtest.Corrupted && bytes.Contains(raw, firstHash):
			at := bytes.Index(raw, firstHash) + len(firstHash)
			raw[at] = map[bool]byte{true: '1', false: '0'}[raw[at] == '0']
		case how == logtest.Truncated:
			raw = raw[:max(0, len(raw)-32)]
		}
		w.WriteHeader(answered.Code)
		_, _ = w.Write(raw)
	}
}

// What follows is logtest.Server.

func (f *fake) Open(t testing.TB, store gateway.Checkpoints, patience time.Duration, former ...logtest.Former) gateway.Log {
	return openFake(t, f, store, patience, former...)
}

func (f *fake) Verifier() note.Verifier { return f.trusted().Verifier }

func (f *fake) CheckInclusion(t testing.TB, got *gateway.Inclusion, e gateway.Prepared) {
	t.Helper()
	checkFakeInclusion(t, f, got, e)
}

func (f *fake) Append(entries ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		f.bodies = append(f.bodies, e)
		f.tree.AppendData(e)
	}
}

func (f *fake) Size() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tree.Size()
}

func (f *fake) Logged(entry []byte) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.bodies {
		if bytes.Equal(b, entry) {
			n++
		}
	}
	return n
}

func (f *fake) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

func (f *fake) Fork(index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies = slices.Clone(f.bodies)
	f.bodies[index] = append(slices.Clone(f.bodies[index]), " forged"...)
	f.tree = testonly.New(rfc6962.DefaultHasher)
	f.tree.AppendData(f.bodies...)
}

func (f *fake) BreakTiles(how logtest.Breakage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = how
}

func (f *fake) inject(faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}
