// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	formatsnote "github.com/transparency-dev/formats/note"
)

// treeSeparator stands in the origin of a tree of Rekor v1: "HOST - TREE". One key signs the checkpoints of all its trees, as HOST.
const treeSeparator = " - "

// SplitRekorV1 returns the host and the tree's id in the origin of a tree of Rekor v1, and false where origin is another log's.
func SplitRekorV1(origin string) (host string, tree int64, ok bool) {
	host, id, found := strings.Cut(origin, treeSeparator)
	tree, err := strconv.ParseInt(id, 10, 64)
	if !found || host == "" || err != nil || tree <= 0 || strconv.FormatInt(tree, 10) != id {
		return "", 0, false
	}
	return host, tree, true
}

// LogsOf returns the logs with that origin, one for each key it has had: for that of a tree of Rekor v1 the tree, for every key of the host.
func (r *Root) LogsOf(origin string) []Log {
	host, _, isTree := SplitRekorV1(origin)
	var found []Log
	for _, l := range r.logs {
		switch {
		case isTree && l.Origin == host:
			if tree, ok := l.treeOf(origin); ok {
				found = append(found, tree)
			}
		case l.Origin == origin:
			found = append(found, l)
		}
	}
	return found
}

// treeOf returns the log as a tree of Rekor v1, which can only be where its key is an ECDSA P-256 one, and its id SHA-256 of that.
func (l Log) treeOf(origin string) (Log, bool) {
	id := sha256.Sum256(l.SPKI)
	if !bytes.Equal(l.ID, id[:]) || keyDetails(l.SPKI) != commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256 {
		return Log{}, false
	}
	const ecdsaWithSHA256 = 2 // of the library's form of a key
	key := base64.StdEncoding.EncodeToString(append([]byte{ecdsaWithSHA256}, l.SPKI...))
	verifier, err := formatsnote.NewECDSAVerifier(fmt.Sprintf("%s+%x+%s", l.Origin, id[:4], key))
	if err != nil { // a host with a blank or a plus in it
		return Log{}, false
	}
	l.Origin, l.KeyHash, l.Verifier, l.rekorV1 = origin, verifier.KeyHash(), verifier, true
	return l, true
}

// IsRekorV1 reports whether the log is a tree of Rekor v1, as LogsOf returns it. Its entries have promises.
func (l Log) IsRekorV1() bool { return l.rekorV1 }

// Promise is what Rekor v1 signs of an entry: a signed entry timestamp.
type Promise struct {
	Body           []byte // of the entry
	IntegratedTime int64  // Unix seconds
	LogIndex       int64  // over all trees of the log
	Signature      []byte // by the log's key, ASN.1 DER
}

// maxExact bounds the numbers that canonical JSON writes as they are.
const maxExact = 1 << 53

// VerifyPromise checks the log's signature over canonical JSON (RFC 8785) of the entry, its time and its index.
func (l Log) VerifyPromise(p Promise) error {
	if p.IntegratedTime <= 0 || p.IntegratedTime > maxExact || p.LogIndex < 0 || p.LogIndex > maxExact {
		return fmt.Errorf("a promise of time %d and index %d", p.IntegratedTime, p.LogIndex)
	}
	pub, err := x509.ParsePKIXPublicKey(l.SPKI)
	if err != nil {
		return fmt.Errorf("reading the log's key: %w", err)
	}
	verifier, err := signature.LoadVerifier(pub, crypto.SHA256)
	if err != nil {
		return fmt.Errorf("reading the log's key: %w", err)
	}
	signed := fmt.Appendf(nil, `{"body":"%s","integratedTime":%d,"logID":"%x","logIndex":%d}`,
		base64.StdEncoding.EncodeToString(p.Body), p.IntegratedTime, l.ID, p.LogIndex)
	if err := verifier.VerifySignature(bytes.NewReader(p.Signature), bytes.NewReader(signed)); err != nil {
		return fmt.Errorf("verifying the log's promise: %w", err)
	}
	return nil
}
