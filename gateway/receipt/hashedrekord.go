// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// readHashedRekord returns the record in a hashedrekord body, when the bundle of its entry says the same.
func readHashedRekord(e *receiptpb.LogEntry, body []byte) (hashedrekord.Record, error) {
	r, err := takenBy(e).Parse(body)
	if err != nil {
		return hashedrekord.Record{}, fmt.Errorf("parsing log entry: %w", err)
	}
	m := e.GetBundle().GetVerificationMaterial()
	switch content := m.GetContent().(type) {
	case *bundlepb.VerificationMaterial_PublicKey:
		if len(r.Certificate) > 0 || content.PublicKey.GetHint() != KeyHint(r.SPKI) {
			return hashedrekord.Record{}, fmt.Errorf("bundle names another key than the entry")
		}
	case *bundlepb.VerificationMaterial_Certificate:
		if len(r.Certificate) == 0 || !bytes.Equal(content.Certificate.GetRawBytes(), r.Certificate) {
			return hashedrekord.Record{}, fmt.Errorf("bundle has another certificate than the entry")
		}
	default:
		return hashedrekord.Record{}, fmt.Errorf("bundle has neither a key hint nor a certificate")
	}
	return r, nil
}

// checkMessage compares the message signature of an entry's bundle with the record.
func checkMessage(e *receiptpb.LogEntry, r hashedrekord.Record) error {
	m := e.GetBundle().GetMessageSignature()
	hash, _ := takenBy(e).HashAlgorithm(r)
	if m.GetMessageDigest().GetAlgorithm() != hash || !bytes.Equal(m.GetMessageDigest().GetDigest(), r.Digest) ||
		!bytes.Equal(m.GetSignature(), r.Signature) {
		return fmt.Errorf("bundle has another digest or signature than the entry")
	}
	return nil
}
