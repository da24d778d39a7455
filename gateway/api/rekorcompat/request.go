// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"crypto/x509"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

const (
	hintEntry = "send what Rekor v2 takes: hashedRekordRequestV002 with digest and signature"
	hintKey   = "send the DER of the public key (PKIX) or of the certificate, and the keyDetails that belong to it"
)

var (
	errNoEntry = problem.Malformed("the request has no hashedRekordRequestV002", hintEntry)
	errBody    = problem.Malformed("the body is not a Rekor v2 CreateEntryRequest", hintEntry)
	errDSSE    = formats.NewError(formats.ReasonUnsupportedFeature, "Rekor v2 has no DSSE entries any more",
		"send a hashedRekordRequestV002 over the digest of the envelope's PAE, as sigstore-go 1.3 and cosign 3.1 do")
	errPureEd25519 = formats.NewError(formats.ReasonNotProjectable, "Ed25519 keys sign the bytes themselves, for which a log entry would have to hold them",
		"sign with Ed25519ph (PKIX_ED25519_PH), or send the signature and the artifact to /v1/submissions")
	errNoDigest    = formats.NewError(formats.ReasonMalformedDigest, "the digest is missing", hintEntry)
	errNoSignature = formats.NewError(formats.ReasonMissingSignature, "the signature is missing", hintEntry)
	errNoKey       = formats.NewError(formats.ReasonMissingKey, "there is neither a public key nor a certificate", hintKey)
	errEntrySize   = formats.NewError(formats.ReasonTooLarge, "the entry is larger than a log takes, 64 KiB",
		"send the signature and the signer's key or certificate alone")
)

// decodeRequest decodes what upload.Reader.ReadRekorJSON has read. As in the log's own server, unknown names are refused.
func decodeRequest(raw []byte) (*rekorv2pb.CreateEntryRequest, error) {
	request := new(rekorv2pb.CreateEntryRequest)
	if err := protojson.Unmarshal(raw, request); err != nil {
		return nil, errBody
	}
	return request, nil
}

// wanted is what a request wants recorded.
type wanted struct {
	record hashedrekord.Record
	body   []byte         // the entry that the log will have, if it takes it
	digest formats.Digest // that of record
}

// readRequest checks all that the log would check: its own refusals say nothing.
func readRequest(request *rekorv2pb.CreateEntryRequest) (wanted, error) {
	switch spec := request.GetSpec().(type) {
	case *rekorv2pb.CreateEntryRequest_HashedRekordRequestV002:
		return readHashedRekord(spec.HashedRekordRequestV002)
	case *rekorv2pb.CreateEntryRequest_DsseRequestV002:
		return wanted{}, errDSSE
	}
	return wanted{}, errNoEntry
}

func readHashedRekord(r *rekorv2pb.HashedRekordRequestV002) (wanted, error) {
	signature, verifier := r.GetSignature().GetContent(), r.GetSignature().GetVerifier()
	key, certificate := verifier.GetPublicKey().GetRawBytes(), verifier.GetX509Certificate().GetRawBytes()
	switch {
	case len(r.GetDigest()) == 0:
		return wanted{}, errNoDigest
	case len(signature) == 0:
		return wanted{}, errNoSignature
	case len(key)+len(certificate) == 0:
		return wanted{}, errNoKey
	case len(signature)+len(key)+len(certificate) > hashedrekord.MaxBody:
		return wanted{}, errEntrySize
	case verifier.GetKeyDetails() == commonpb.PublicKeyDetails_PKIX_ED25519:
		return wanted{}, errPureEd25519
	}
	record := hashedrekord.Record{Digest: r.GetDigest(), Signature: signature, SPKI: key, Certificate: certificate, KeyDetails: verifier.GetKeyDetails()}
	if err := readKey(&record); err != nil {
		return wanted{}, err
	}
	return checkRecord(record)
}

// readKey refuses keys in another form than the one that the entry of this gateway has.
func readKey(r *hashedrekord.Record) error {
	if len(r.Certificate) > 0 {
		cert, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return formats.WrapError(err, formats.ReasonMalformedKey, "the certificate cannot be read", hintKey)
		}
		r.SPKI = cert.RawSubjectPublicKeyInfo
		return nil
	}
	if encoded, err := formats.EncodeSPKI(r.SPKI); err != nil || !bytes.Equal(encoded, r.SPKI) {
		return formats.NewError(formats.ReasonMalformedKey, "the public key is not as DER has it", hintKey)
	}
	return nil
}

// checkRecord verifies the signature over the digest.
func checkRecord(r hashedrekord.Record) (wanted, error) {
	p, err := r.Projection()
	if err == nil {
		err = r.Verify()
	}
	if err != nil {
		return wanted{}, err
	}
	body, err := hashedrekord.Body(r) // which is complete
	if err != nil {
		return wanted{}, errEntrySize
	}
	return wanted{record: r, body: body, digest: p.Digest}, nil
}

// newRequest returns w as a submission of a caller's: the signature, by its key, over a digest, in the log itself, and as it is.
func (w wanted) newRequest(by gateway.Caller) gateway.Request {
	r := gateway.Request{
		Tenant: by.Tenant, Caller: by.Name, Priority: by.Priority, Format: formatName, Signature: w.record.Signature, Keys: [][]byte{w.record.SPKI},
		Digest: &w.digest, Representation: gateway.Native, Way: gateway.Direct,
	}
	if len(w.record.Certificate) > 0 {
		r.Keys, r.PublishCertificate = [][]byte{w.record.Certificate}, true
	}
	return r
}

// formatName is the format of raw signatures.
const formatName = "x509"
