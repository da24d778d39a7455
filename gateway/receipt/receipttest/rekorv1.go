// SPDX-License-Identifier: Apache-2.0

package receipttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// V1Log is a tree of a Rekor v1 log, as Log is a log of Rekor v2. There are Before entries in the log's trees before it.
type V1Log struct {
	Host   string
	TreeID int64
	Before int64
	Start  time.Time // of the key
	End    time.Time // zero while in use

	tb   testing.TB
	key  *ecdsa.PrivateKey
	tree *testonly.Tree
}

// NewV1Log returns a tree with a few foreign entries, and a key of its own.
func NewV1Log(tb testing.TB) *V1Log {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	l := &V1Log{Host: "v1.example", TreeID: 1193050959916656506, Before: 1000, Start: time.Unix(0, 0), tb: tb, key: key, tree: testonly.New(rfc6962.DefaultHasher)}
	for _, foreign := range []string{"a", "b", "c"} {
		l.tree.AppendData([]byte(foreign))
	}
	return l
}

// Origin is the checkpoints'.
func (l *V1Log) Origin() string { return fmt.Sprintf("%s - %d", l.Host, l.TreeID) }

// SPKI returns the log's public key.
func (l *V1Log) SPKI() []byte {
	der, err := x509.MarshalPKIXPublicKey(l.key.Public())
	if err != nil {
		l.tb.Fatal(err)
	}
	return der
}

// Root returns a trusted root of this log alone.
func (l *V1Log) Root() *trustroot.Root {
	r, err := trustroot.New(trustroot.LogKey{Origin: l.Host, SPKI: l.SPKI(), Start: l.Start, End: l.End})
	if err != nil {
		l.tb.Fatal(err)
	}
	return r
}

// Add logs records at a time and returns what a Rekor v1 answers, in the same order and by one checkpoint.
func (l *V1Log) Add(at time.Time, records ...hashedrekord.Record) []*rekorpb.TransparencyLogEntry {
	l.tb.Helper()
	bodies := make([][]byte, len(records))
	for i, r := range records {
		var err error
		if bodies[i], err = hashedrekord.RekorV1.Body(r); err != nil {
			l.tb.Fatal(err)
		}
	}
	return l.AddBodies(at, "hashedrekord", bodies...)
}

// AddBodies is Add for entries of a kind.
func (l *V1Log) AddBodies(at time.Time, kind string, bodies ...[]byte) []*rekorpb.TransparencyLogEntry {
	first := l.tree.Size()
	for _, body := range bodies {
		l.tree.AppendData(body)
	}
	l.tree.AppendData([]byte("later"))
	out := make([]*rekorpb.TransparencyLogEntry, len(bodies))
	for i, body := range bodies {
		out[i] = l.entry(first+uint64(i), at, body)
		out[i].KindVersion.Kind = kind
	}
	return out
}

func (l *V1Log) entry(index uint64, at time.Time, body []byte) *rekorpb.TransparencyLogEntry {
	size, id := l.tree.Size(), sha256.Sum256(l.SPKI())
	hashes, err := l.tree.InclusionProof(index, size)
	if err != nil {
		l.tb.Fatal(err)
	}
	global := int64(index) + l.Before
	return &rekorpb.TransparencyLogEntry{
		LogIndex: global, LogId: &commonpb.LogId{KeyId: id[:]}, IntegratedTime: at.Unix(),
		KindVersion:       &rekorpb.KindVersion{Kind: "hashedrekord", Version: "0.0.1"},
		CanonicalizedBody: body,
		InclusionPromise:  &rekorpb.InclusionPromise{SignedEntryTimestamp: l.promise(body, at.Unix(), global)},
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex: int64(index), TreeSize: int64(size), RootHash: l.tree.HashAt(size), Hashes: hashes,
			Checkpoint: &rekorpb.Checkpoint{Envelope: l.checkpoint()},
		},
	}
}

// promise signs as the upstream server does: canonical JSON of the entry.
func (l *V1Log) promise(body []byte, at, index int64) []byte {
	raw, err := json.Marshal(map[string]any{"body": body, "integratedTime": at, "logID": fmt.Sprintf("%x", sha256.Sum256(l.SPKI())), "logIndex": index})
	if err != nil {
		l.tb.Fatal(err)
	}
	canonical, err := jsoncanonicalizer.Transform(raw)
	if err != nil {
		l.tb.Fatal(err)
	}
	return l.sign(canonical)
}

func (l *V1Log) checkpoint() string {
	text := checkpoint.Checkpoint{Origin: l.Origin(), Size: l.tree.Size(), Hash: l.tree.Hash()}.Marshal()
	id := sha256.Sum256(l.SPKI())
	line := append(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(id[:])), l.sign(text)...)
	return fmt.Sprintf("%s\n— %s %s\n", text, l.Host, base64.StdEncoding.EncodeToString(line))
}

func (l *V1Log) sign(message []byte) []byte {
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, l.key, digest[:])
	if err != nil {
		l.tb.Fatal(err)
	}
	return signature
}
