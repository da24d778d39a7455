// SPDX-License-Identifier: Apache-2.0

// Package tuftest gives tests a TUF repository of their own, with real metadata, which can be made to say and do what one should not.
package tuftest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Repository is a TUF repository with consistent snapshots, served on the loopback interface. It is safe for concurrent use.
type Repository struct {
	URL   string
	First []byte // the first root.json

	t testing.TB

	mu       sync.Mutex // guards what follows
	files    map[string][]byte
	faults   []Fault
	requests []string
	agents   map[string]bool

	keys     map[string]ed25519.PrivateKey // of the roles
	versions map[string]int64              // of the roles, as they are published next
	expires  map[string]time.Time
	lastRoot ed25519.PrivateKey
}

// Fault may answer a request in place of the repository, and reports whether it has.
type Fault func(w http.ResponseWriter, r *http.Request) bool

// Start makes and serves a repository that has nothing yet but its root. Its metadata expire a day from now on.
func Start(t testing.TB) *Repository {
	t.Helper()
	r := &Repository{
		t: t, files: map[string][]byte{}, agents: map[string]bool{}, keys: map[string]ed25519.PrivateKey{}, versions: map[string]int64{}, expires: map[string]time.Time{},
	}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		r.keys[role], r.versions[role] = newKey(), 1
		r.expires[role] = time.Now().Add(24 * time.Hour)
	}
	r.First = r.publishRoot()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

func newKey() ed25519.PrivateKey { return must(fresh()) }

func fresh() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ServeHTTP implements http.Handler.
func (r *Repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	name := strings.TrimPrefix(request.URL.Path, "/")
	r.mu.Lock()
	content, ok := r.files[name]
	r.requests = append(r.requests, name)
	r.agents[request.UserAgent()] = true
	faults := r.faults
	r.mu.Unlock()
	for _, f := range faults {
		if f(w, request) {
			return
		}
	}
	if !ok {
		http.NotFound(w, request)
		return
	}
	_, _ = w.Write(content)
}

// SetFaults replaces what goes wrong.
func (r *Repository) SetFaults(faults ...Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = faults
}

// Requests returns the paths that were asked for, and forgets them.
func (r *Repository) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.requests
	r.requests = nil
	return all
}

// HasSeen reports whether somebody has asked by that User-Agent.
func (r *Repository) HasSeen(agent string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.agents[agent]
}

// SetVersion has a role be published with a version next.
func (r *Repository) SetVersion(role string, version int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[role] = version
}

// SetExpiry has a role be published with an expiry from now on.
func (r *Repository) SetExpiry(role string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expires[role] = at
}

// Key returns the key of a role; SetKey replaces it without a root that says so.
func (r *Repository) Key(role string) ed25519.PrivateKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[role]
}

// SetKey has a role be signed with a key from now on. The next root is signed with it alone, where it is the root's.
func (r *Repository) SetKey(role string, key ed25519.PrivateKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[role] = key
	if role == metadata.ROOT {
		r.lastRoot = key
	}
}

// Rotate publishes another root, with new keys for these roles.
func (r *Repository) Rotate(roles ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, role := range roles {
		r.keys[role] = newKey()
	}
	r.publishRoot()
}

// publishRoot signs the root with its key, and with the one of before. The caller holds the lock, or is Start.
func (r *Repository) publishRoot() []byte {
	root := metadata.Root(r.expires[metadata.ROOT].UTC())
	root.Signed.Version = r.versions[metadata.ROOT]
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		key := must(metadata.KeyFromPublicKey(r.keys[role].Public()))
		if err := root.Signed.AddKey(key, role); err != nil {
			panic(err)
		}
	}
	current := r.keys[metadata.ROOT]
	sign(root, current)
	if r.lastRoot != nil && !r.lastRoot.Equal(current) {
		sign(root, r.lastRoot)
	}
	r.lastRoot = current
	b := must(root.ToBytes(false))
	r.files[fmt.Sprintf("%d.root.json", root.Signed.Version)] = b
	r.versions[metadata.ROOT]++
	return b
}

func sign[T metadata.Roles](m *metadata.Metadata[T], key ed25519.PrivateKey) {
	must(m.Sign(must(signature.LoadSigner(key, crypto.Hash(0)))))
}

// Publish publishes targets with their metadata, each role a version higher than before.
func (r *Repository) Publish(targets map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := metadata.Targets(r.expires[metadata.TARGETS].UTC())
	list.Signed.Version = r.next(metadata.TARGETS)
	for name, content := range targets {
		info := must(metadata.TargetFile().FromBytes(name, content, "sha256"))
		list.Signed.Targets[name] = info
		r.files["targets/"+hex.EncodeToString(info.Hashes["sha256"])+"."+name] = content
	}
	sign(list, r.keys[metadata.TARGETS])
	r.files[fmt.Sprintf("%d.targets.json", list.Signed.Version)] = must(list.ToBytes(false))

	snapshot := metadata.Snapshot(r.expires[metadata.SNAPSHOT].UTC())
	snapshot.Signed.Version = r.next(metadata.SNAPSHOT)
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(list.Signed.Version)
	sign(snapshot, r.keys[metadata.SNAPSHOT])
	r.files[fmt.Sprintf("%d.snapshot.json", snapshot.Signed.Version)] = must(snapshot.ToBytes(false))

	r.publishTimestamp(map[string]*metadata.MetaFiles{"snapshot.json": metadata.MetaFile(snapshot.Signed.Version)})
}

// PublishTimestamp publishes a timestamp alone, which is signed and says this.
func (r *Repository) PublishTimestamp(meta map[string]*metadata.MetaFiles) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishTimestamp(meta)
}

func (r *Repository) publishTimestamp(meta map[string]*metadata.MetaFiles) {
	timestamp := metadata.Timestamp(r.expires[metadata.TIMESTAMP].UTC())
	timestamp.Signed.Version = r.next(metadata.TIMESTAMP)
	timestamp.Signed.Meta = meta
	sign(timestamp, r.keys[metadata.TIMESTAMP])
	r.files["timestamp.json"] = must(timestamp.ToBytes(false))
}

func (r *Repository) next(role string) int64 {
	v := r.versions[role]
	r.versions[role]++
	return v
}
