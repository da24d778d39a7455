// SPDX-License-Identifier: Apache-2.0

// Package receipttest is a transparency log in memory, for tests of receipts.
package receipttest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// Log is a log whose every entry is included at once. It is not safe for concurrent use.
type Log struct {
	tb     testing.TB
	origin string
	key    ed25519.PrivateKey
	id     []byte
	tree   *testonly.Tree
}

// NewLog returns a log called origin, with a few foreign entries and a key of its own.
func NewLog(tb testing.TB, origin string) *Log {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	_, id, err := rekornote.KeyHash(origin, key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	l := &Log{tb: tb, origin: origin, key: key, id: id, tree: testonly.New(rfc6962.DefaultHasher)}
	for _, foreign := range []string{"a", "b", "c", "d", "e"} {
		l.tree.AppendData([]byte(foreign))
	}
	return l
}

// SPKI returns the log's public key.
func (l *Log) SPKI() []byte {
	der, err := x509.MarshalPKIXPublicKey(l.key.Public())
	if err != nil {
		l.tb.Fatal(err)
	}
	return der
}

// Root returns a trusted root of this log alone.
func (l *Log) Root() *trustroot.Root {
	r, err := trustroot.New(trustroot.LogKey{Origin: l.origin, SPKI: l.SPKI(), Start: time.Unix(0, 0)})
	if err != nil {
		l.tb.Fatal(err)
	}
	return r
}

// Add logs records and returns what a Rekor v2 answers, in the same order and by one
// checkpoint.
func (l *Log) Add(records ...hashedrekord.Record) []*rekorpb.TransparencyLogEntry {
	l.tb.Helper()
	bodies := make([][]byte, len(records))
	for i, r := range records {
		var err error
		if bodies[i], err = hashedrekord.Body(r); err != nil {
			l.tb.Fatal(err)
		}
	}
	return l.AddBodies(bodies...)
}

// AddBodies is Add for bodies, whatever they are.
func (l *Log) AddBodies(bodies ...[]byte) []*rekorpb.TransparencyLogEntry {
	l.tb.Helper()
	first := l.tree.Size()
	for _, body := range bodies {
		l.tree.AppendData(body)
	}
	l.tree.AppendData([]byte("later"))
	out := make([]*rekorpb.TransparencyLogEntry, len(bodies))
	for i, body := range bodies {
		out[i] = l.entry(first+uint64(i), body)
	}
	return out
}

func (l *Log) entry(index uint64, body []byte) *rekorpb.TransparencyLogEntry {
	size := l.tree.Size()
	hashes, err := l.tree.InclusionProof(index, size)
	if err != nil {
		l.tb.Fatal(err)
	}
	return &rekorpb.TransparencyLogEntry{
		LogIndex: int64(index), LogId: &commonpb.LogId{KeyId: l.id},
		KindVersion:       &rekorpb.KindVersion{Kind: "hashedrekord", Version: "0.0.2"},
		CanonicalizedBody: body,
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex: int64(index), TreeSize: int64(size), RootHash: l.tree.HashAt(size), Hashes: hashes,
			Checkpoint: &rekorpb.Checkpoint{Envelope: l.checkpoint()},
		},
	}
}

func (l *Log) checkpoint() string {
	size := l.tree.Size()
	s, err := signature.LoadSigner(l.key, crypto.SHA512)
	if err != nil {
		l.tb.Fatal(err)
	}
	signer, err := rekornote.NewNoteSigner(context.Background(), l.origin, s)
	if err != nil {
		l.tb.Fatal(err)
	}
	c := checkpoint.Checkpoint{Origin: l.origin, Size: size, Hash: l.tree.HashAt(size)}
	envelope, err := note.Sign(&note.Note{Text: string(c.Marshal())}, signer)
	if err != nil {
		l.tb.Fatal(err)
	}
	return string(envelope)
}
