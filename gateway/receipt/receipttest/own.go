// SPDX-License-Identifier: Apache-2.0

package receipttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// OwnLog is a gateway's own log. It is not safe for concurrent use.
type OwnLog struct {
	tb     testing.TB
	Origin string
	Key    string            // as a gateway trust names it
	Anchor *ecdsa.PrivateKey // signs anchors
	signer note.Signer
	tree   *testonly.Tree
}

// NewOwnLog returns an own log called origin, with a few foreign records and keys of its own.
func NewOwnLog(tb testing.TB, origin string) *OwnLog {
	tb.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	anchor, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	l := &OwnLog{tb: tb, Origin: origin, Key: public, Anchor: anchor, signer: signer, tree: testonly.New(rfc6962.DefaultHasher)}
	for _, foreign := range []string{"a", "b", "c"} {
		l.tree.AppendData([]byte(foreign))
	}
	return l
}

// AnchorSPKI returns the public key of Anchor, DER.
func (l *OwnLog) AnchorSPKI() []byte {
	der, err := x509.MarshalPKIXPublicKey(l.Anchor.Public())
	if err != nil {
		l.tb.Fatal(err)
	}
	return der
}

// Append adds a body, and a foreign one after it, and returns its index.
func (l *OwnLog) Append(body []byte) uint64 {
	index := l.tree.Size()
	l.tree.AppendData(body)
	l.tree.AppendData([]byte("later"))
	return index
}

// Prove returns the inclusion proof of a record in the tree now.
func (l *OwnLog) Prove(index uint64) [][sha256.Size]byte {
	l.tb.Helper()
	hashes, err := l.tree.InclusionProof(index, l.tree.Size())
	if err != nil {
		l.tb.Fatal(err)
	}
	var out [][sha256.Size]byte
	for _, h := range hashes {
		out = append(out, [sha256.Size]byte(h))
	}
	return out
}

// Checkpoint returns that of the tree now, signed by the log and by others.
func (l *OwnLog) Checkpoint(others ...note.Signer) []byte {
	l.tb.Helper()
	return l.CheckpointOf(l.tree.Size(), others...)
}

// CheckpointOf is Checkpoint, whatever size the log claims.
func (l *OwnLog) CheckpointOf(size uint64, others ...note.Signer) []byte {
	l.tb.Helper()
	c := checkpoint.Checkpoint{Origin: l.Origin, Size: size, Hash: l.tree.Hash()}
	b, err := note.Sign(&note.Note{Text: string(c.Marshal())}, append([]note.Signer{l.signer}, others...)...)
	if err != nil {
		l.tb.Fatal(err)
	}
	return b
}

// AnchorIn records a checkpoint in a log, signed with a key, and returns the anchor.
func AnchorIn(tb testing.TB, log *Log, checkpoint []byte, key *ecdsa.PrivateKey) *receiptpb.Anchor {
	tb.Helper()
	return AnchorWith(tb, checkpoint, key, func(r hashedrekord.Record) *rekorpb.TransparencyLogEntry { return log.Add(r)[0] })
}

// AnchorWith is AnchorIn for a log of the caller's, which returns what it has of a record.
func AnchorWith(tb testing.TB, checkpoint []byte, key *ecdsa.PrivateKey, add func(hashedrekord.Record) *rekorpb.TransparencyLogEntry) *receiptpb.Anchor {
	tb.Helper()
	anchored, err := receipt.AnchoredBytes(checkpoint)
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256(anchored)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	entry, record, err := receipt.AnchorRecord(receipt.SignedCheckpoint{Checkpoint: checkpoint, Signature: signature, SPKI: spki})
	if err != nil {
		tb.Fatal(err)
	}
	logged := add(record)
	raw, err := receipt.EncodeProof(logged)
	if err != nil {
		tb.Fatal(err)
	}
	whole, err := receipt.Complete(&receiptpb.Receipt{Entries: []*receiptpb.LogEntry{entry}}, []receipt.Proof{
		{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: logged.GetCanonicalizedBody()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return receipt.AnchorOf(whole.GetEntries()[0])
}

// Record returns the proof of a record in the tree now, with a checkpoint of it and the anchors of that.
func (l *OwnLog) Record(index uint64, body []byte, checkpoint []byte, anchors ...*receiptpb.Anchor) receipt.Proof {
	l.tb.Helper()
	own, err := receipt.NewOwnRecord(index, l.Prove(index), checkpoint, anchors)
	if err != nil {
		l.tb.Fatal(err)
	}
	return receipt.Proof{Kind: receipt.KindOwnRecord, Own: own, Body: body}
}

// Add logs a record, anchors the checkpoint in each of the logs, and returns the record's proof.
func (l *OwnLog) Add(record hashedrekord.Record, logs ...*Log) receipt.Proof {
	l.tb.Helper()
	body, err := hashedrekord.Own.Body(record)
	if err != nil {
		l.tb.Fatal(err)
	}
	index := l.Append(body)
	checkpoint := l.Checkpoint()
	var anchors []*receiptpb.Anchor
	for _, log := range logs {
		anchors = append(anchors, AnchorIn(l.tb, log, checkpoint, l.Anchor))
	}
	return l.Record(index, body, checkpoint, anchors...)
}
