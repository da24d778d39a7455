// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkAttestations checks that each log entry is a trusted gateway's statement of just what
// this receipt says, which checkClaims has compared with the signature.
func (v *verification) checkAttestations() error {
	if v.options.GatewayTrust == nil {
		return refuse(ReasonNoGatewayTrust, "the receipt rests on a gateway's word, and no gateway is trusted",
			"give the gateway's trust file (--gateway-trust FILE); nothing is known to be wrong with the receipt")
	}
	for i, e := range v.receipt.GetEntries() {
		if e.GetRecipe() != nil {
			return claim(fmt.Sprintf("has a recipe for log entry %d, and a statement needs none", i+1))
		}
		payload, err := v.openStatement(e)
		if err != nil {
			return err
		}
		if err := matchesLogged(e, payload); err != nil {
			return wrap(err, ReasonEntryMismatch, fmt.Sprintf("log entry %d is not for the gateway's statement", i+1), hintEntry)
		}
		if err := statement.Matches(payload, v.receipt); err != nil {
			return wrap(err, ReasonStatementMismatch, "the gateway's statement does not say what the receipt says",
				hintAgain)
		}
		v.report.logged = append(v.report.logged, logEntry{entry: e, predicateType: v.predicateType(), subject: v.subject()})
		v.report.proven("recorded as: ATTESTED, %s says that the gateway with key %s verified this signature",
			v.recorder(), identity(sha256.Sum256(e.GetSpki())))
	}
	return nil
}

func (v *verification) predicateType() string {
	return statement.PredicateType(identities(v.verified.Signers), len(v.receipt.GetFindings()) > 0)
}

// subject returns the digest of the artifact that stock tools look for, as "ALG:HEX"; "" when the
// gateway saw none that they know.
func (v *verification) subject() string {
	for _, d := range v.receipt.GetArtifact().GetDigests() {
		if a := formats.DigestAlgorithm(d.GetAlgorithm()); a != formats.BLAKE2b512 {
			return formats.Digest{Algorithm: a, Value: d.GetValue()}.String()
		}
	}
	return ""
}

// openStatement returns the statement in an entry's DSSE envelope when a trusted gateway key
// signed it. Whether the key counts for this entry is for checkGatewayRanges to say, once the
// entry's index is known.
func (v *verification) openStatement(e *receiptpb.LogEntry) ([]byte, error) {
	envelope := e.GetBundle().GetDsseEnvelope()
	if envelope == nil || len(envelope.GetSignatures()) != 1 || envelope.GetPayloadType() != statement.PayloadType {
		return nil, malformed("has a log entry without a statement with one signature")
	}
	key, known := v.options.GatewayTrust.Key(e.GetSpki())
	if !known {
		return nil, refuse(ReasonUnknownGatewayKey, "the statement is by "+identity(sha256.Sum256(e.GetSpki()))+", which is no trusted gateway's key",
			"get the gateway's trust file again, from whoever runs it")
	}
	signature := envelope.GetSignatures()[0]
	if signature.GetKeyid() != KeyHint(key.SPKI) {
		return nil, malformed("has a statement that names another key than its signer's")
	}
	digest := statement.Digest(envelope.GetPayload())
	signed := formats.Projection{
		Candidate: formats.Candidate{SPKI: key.SPKI, Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: signature.GetSig(),
	}
	if err := signed.VerifyDigest(); err != nil {
		return nil, wrap(err, ReasonStatementInvalid, "the statement is not as the gateway signed it", hintAgain)
	}
	return envelope.GetPayload(), nil
}

// matchesLogged compares the record in the log with the one that logs payload.
func matchesLogged(e *receiptpb.LogEntry, payload []byte) error {
	got, err := loggedRecord(e)
	if err != nil {
		return err
	}
	_, want := Attestation(SignedStatement{
		Payload: payload, Signature: e.GetBundle().GetDsseEnvelope().GetSignatures()[0].GetSig(), SPKI: e.GetSpki(),
	})
	if len(got.Certificate) > 0 || got.KeyDetails != want.KeyDetails || !bytes.Equal(got.SPKI, want.SPKI) ||
		!bytes.Equal(got.Digest, want.Digest) || !bytes.Equal(got.Signature, want.Signature) {
		return fmt.Errorf("entry has another key, digest or signature than the envelope")
	}
	return nil
}

// checkGatewayRanges checks that each statement's key was in use at the index where the
// statement was logged.
func (v *verification) checkGatewayRanges() error {
	if v.receipt.GetRepresentation() != receiptpb.Receipt_ATTESTED {
		return nil
	}
	for _, e := range v.report.logged {
		key, known := v.options.GatewayTrust.Key(e.entry.GetSpki())
		if !known || !key.Covers(e.origin, e.index) {
			return refuse(ReasonRetiredGatewayKey, fmt.Sprintf("the gateway's key was not in use at index %d of log %s", e.index, e.origin),
				"get the gateway's trust file again, from whoever runs it")
		}
	}
	return nil
}
