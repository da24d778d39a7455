// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Fake is a Rekor v2 log in this process: real proofs and signatures, the upstream server's own
// checks of what it takes, and faults on demand. It listens on the loopback interface.
type Fake struct {
	rekortilespb.UnimplementedRekorServer

	t        testing.TB
	origin   string
	signer   note.Signer
	verifier note.Verifier
	keyID    []byte
	listener *listener
	server   *grpc.Server
	reads    *httptest.Server
	interval time.Duration
	secure   bool

	mu        sync.Mutex
	entries   *history
	known     map[string]uint64 // index by body
	size      uint64            // published
	published chan struct{}     // closed when size grows
	override  []byte            // served as the checkpoint, when set
	faults    []Fault
	requests  int
	frozen    bool
	onRead    func(http.Handler) http.Handler
}

// FakeOption changes how a Fake works.
type FakeOption func(*Fake)

// PublishEvery makes the log publish at intervals, not at once after each entry. Zero is at
// once; a negative interval leaves it to Publish.
func PublishEvery(interval time.Duration) FakeOption {
	return func(f *Fake) { f.interval = interval }
}

// TLS makes the log serve TLS; RootCAs has the certificate.
func TLS(f *Fake) { f.secure = true }

// StartFake starts a log, which ends with the test.
func StartFake(t testing.TB, options ...FakeOption) *Fake {
	t.Helper()
	f := &Fake{
		t: t, origin: Origin, entries: new(history), known: map[string]uint64{},
		published: make(chan struct{}),
	}
	for _, option := range options {
		option(f)
	}
	f.signer, f.verifier, f.keyID = newLogKey(t, f.origin)
	f.serveReads()
	f.listener = listenLoopback(t)
	f.serveWrites()
	if f.interval > 0 {
		go f.publishRegularly()
	}
	return f
}

// newLogKey makes a log's key as the upstream server uses it.
func newLogKey(t testing.TB, origin string) (note.Signer, note.Verifier, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	both, err := signature.LoadED25519SignerVerifier(private)
	must(err)
	signer, err := rekornote.NewNoteSigner(context.Background(), origin, both)
	must(err)
	verifier, err := rekornote.NewNoteVerifier(origin, both)
	must(err)
	_, keyID, err := rekornote.KeyHash(origin, public)
	must(err)
	return signer, verifier, keyID
}

func (f *Fake) serveReads() {
	f.reads = httptest.NewUnstartedServer(http.HandlerFunc(f.handleRead))
	f.reads.Config.ErrorLog = stdlog.New(io.Discard, "", 0) // clients that refuse the certificate
	if f.secure {
		f.reads.StartTLS()
	} else {
		f.reads.Start()
	}
	f.t.Cleanup(f.reads.Close)
}

func (f *Fake) serveWrites() {
	var options []grpc.ServerOption
	if f.secure {
		options = append(options, grpc.Creds(credentials.NewTLS(f.reads.TLS.Clone())))
	}
	f.server = grpc.NewServer(options...)
	rekortilespb.RegisterRekorServer(f.server, f)
	go func() { _ = f.server.Serve(f.listener) }()
	f.t.Cleanup(f.server.Stop)
}

func (f *Fake) publishRegularly() {
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	for {
		select {
		case <-f.t.Context().Done():
			return
		case <-tick.C:
			f.Publish()
		}
	}
}

// GRPCURL is where entries are written.
func (f *Fake) GRPCURL() string { return f.scheme() + f.listener.Addr().String() }

// ReadURL is the base URL of the tiles.
func (f *Fake) ReadURL() string { return f.reads.URL }

func (f *Fake) scheme() string {
	if f.secure {
		return "https://"
	}
	return "http://"
}

// RootCAs has the certificate of a log that serves TLS.
func (f *Fake) RootCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	if cert := f.reads.Certificate(); cert != nil {
		pool.AddCert(cert)
	}
	return pool
}

// Origin is the checkpoints' origin.
func (f *Fake) Origin() string { return f.origin }

// Verifier verifies the checkpoints.
func (f *Fake) Verifier() note.Verifier { return f.verifier }

// KeyID is the log's id in a trusted root.
func (f *Fake) KeyID() []byte { return f.keyID }

// Append logs and publishes bodies as they are, as if others had sent them.
func (f *Fake) Append(bodies ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, body := range bodies {
		f.known[string(body)] = f.entries.appendBody(body)
	}
	f.publishEntries()
}

// Publish publishes all entries logged so far.
func (f *Fake) Publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publishEntries()
}

func (f *Fake) publishEntries() {
	if size := uint64(len(f.entries.bodies)); size != f.size {
		f.size = size
		close(f.published)
		f.published = make(chan struct{})
	}
}

// Logged returns how often body is in the log, published or not.
func (f *Fake) Logged(body []byte) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.entries.bodies {
		if bytes.Equal(b, body) {
			n++
		}
	}
	return n
}

// Prove returns the inclusion of an entry that is published, or nil.
func (f *Fake) Prove(body []byte) *rekorpb.TransparencyLogEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	index, ok := f.known[string(body)]
	if !ok || index >= f.size {
		return nil
	}
	return f.proveEntry(f.entries, index, f.size)
}

// Size is the published size.
func (f *Fake) Size() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Requests returns how many entries were sent to the log, refused ones included.
func (f *Fake) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// Forget makes the log forget which entries it has, as the real one does after 256 others.
func (f *Fake) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.known)
}

// Freeze makes the log refuse all new entries.
func (f *Fake) Freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = true
}

// Fork changes the entry at index, behind everybody's back. From now on the checkpoints and the
// tiles are of the new history.
func (f *Fake) Fork(index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = f.entries.cloneHistory()
	f.entries.replaceBody(index, forgeBody(f.entries.bodies[index]))
}

func forgeBody(body []byte) []byte { return slices.Concat(body, []byte(" forged")) }

// Checkpoint returns the signed checkpoint of the first size entries, as the history is now.
func (f *Fake) Checkpoint(size uint64) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signRoot(size, f.entries.computeRoot(size))
}

// ForgedCheckpoint returns a signed checkpoint of size entries of a history in which the entry
// at index was another one. The tiles stay as they are.
func (f *Fake) ForgedCheckpoint(index, size uint64) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	twin := f.entries.cloneHistory()
	twin.replaceBody(index, forgeBody(twin.bodies[index]))
	return f.signRoot(size, twin.computeRoot(size))
}

// ServeCheckpoint serves envelope as the checkpoint, whatever happens; nil serves the live one.
func (f *Fake) ServeCheckpoint(envelope []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.override = envelope
}

// SignCheckpoint signs whatever it is given.
func (f *Fake) SignCheckpoint(size uint64, root []byte) []byte { return f.signRoot(size, root) }

func (f *Fake) signRoot(size uint64, root []byte) []byte {
	return signCheckpoint(f.signer, log.Checkpoint{Origin: f.origin, Size: size, Hash: root})
}

func signCheckpoint(signer note.Signer, cp log.Checkpoint) []byte {
	envelope, err := note.Sign(&note.Note{Text: string(cp.Marshal())}, signer)
	must(err)
	return envelope
}
