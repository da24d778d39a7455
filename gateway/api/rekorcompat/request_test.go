// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newRequest() *rekorv2pb.CreateEntryRequest {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	digest := sha256.Sum256([]byte("hello"))
	return &rekorv2pb.CreateEntryRequest{Spec: &rekorv2pb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: &rekorv2pb.HashedRekordRequestV002{
		Digest: digest[:],
		Signature: &rekorv2pb.Signature{Content: must(ecdsa.SignASN1(rand.Reader, key, digest[:])), Verifier: &rekorv2pb.Verifier{
			KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
			Verifier:   &rekorv2pb.Verifier_PublicKey{PublicKey: &rekorv2pb.PublicKey{RawBytes: must(x509.MarshalPKIXPublicKey(key.Public()))}},
		}},
	}}}
}

// A request becomes a submission of its caller's that can be recorded as it is, and in the log itself alone.
func TestReadRequest(t *testing.T) {
	sent := newRequest()
	w, err := readRequest(must(decodeRequest(must(protojson.Marshal(sent)))))
	if err != nil {
		t.Fatal(err)
	}
	h := sent.GetHashedRekordRequestV002()
	r := w.newRequest(gateway.Caller{Tenant: "tenant", Name: "name", Priority: gateway.Backfill})
	if r.Tenant != "tenant" || r.Caller != "name" || r.Priority != gateway.Backfill || r.Format != "x509" || r.Representation != gateway.Native || r.Way != gateway.Direct || r.PublishCertificate ||
		!bytes.Equal(r.Signature, h.GetSignature().GetContent()) || r.Digest.Algorithm != formats.SHA256 || !bytes.Equal(r.Digest.Value, h.GetDigest()) {
		t.Errorf("%+v", r)
	}
	record := must(hashedrekord.Parse(w.body))
	if !bytes.Equal(record.Signature, h.GetSignature().GetContent()) || !bytes.Equal(record.SPKI, h.GetSignature().GetVerifier().GetPublicKey().GetRawBytes()) {
		t.Errorf("%s", w.body)
	}
}

// FuzzRequest: whatever is sent is refused with a reason that callers are told, or is an entry that a log takes as it was sent.
func FuzzRequest(f *testing.F) {
	f.Add(must(protojson.Marshal(newRequest())))
	f.Add([]byte(`{"dsseRequestV002":{"verifiers":[{}]}}`))
	f.Add([]byte(`{"hashedRekordRequestV002":{"digest":"AA==","signature":{"content":"AA","verifier":{"x509Certificate":{"rawBytes":"MA=="},"keyDetails":5}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		request, err := decodeRequest(raw)
		var w wanted
		if err == nil {
			w, err = readRequest(request)
		}
		if err != nil {
			if p := problem.FromError(err); p.Reason == problem.ReasonInternal || p.Status >= 500 || w.body != nil {
				t.Fatalf("%v: %+v", err, p)
			}
			return
		}
		record, err := hashedrekord.Parse(w.body)
		if err != nil {
			t.Fatal(err)
		}
		if err := record.Verify(); err != nil {
			t.Fatal(err)
		}
		h := request.GetHashedRekordRequestV002()
		verifier := &rekorv2pb.Verifier{KeyDetails: record.KeyDetails, Verifier: &rekorv2pb.Verifier_PublicKey{PublicKey: &rekorv2pb.PublicKey{RawBytes: record.SPKI}}}
		if len(record.Certificate) > 0 {
			verifier.Verifier = &rekorv2pb.Verifier_X509Certificate{X509Certificate: &commonpb.X509Certificate{RawBytes: record.Certificate}}
		}
		if !bytes.Equal(record.Digest, h.GetDigest()) || !proto.Equal(h.GetSignature(), &rekorv2pb.Signature{Content: record.Signature, Verifier: verifier}) {
			t.Fatalf("%s is not what was sent: %s", w.body, raw)
		}
	})
}
