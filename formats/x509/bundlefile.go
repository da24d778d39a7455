// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

const hintBundle = "send the bundle as the tool wrote it: cosign sign-blob --bundle FILE"

// maxChain is how many certificates a bundle may hold.
const maxChain = 16

func errBundle(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, "the bundle is malformed: "+message, hintBundle)
}

// bundleVersions are the media types that the specification names.
var bundleVersions = map[string]string{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": "v0.1",
	"application/vnd.dev.sigstore.bundle+json;version=0.2": "v0.2",
	"application/vnd.dev.sigstore.bundle+json;version=0.3": "v0.3",
	"application/vnd.dev.sigstore.bundle.v0.1+json":        "v0.1",
	"application/vnd.dev.sigstore.bundle.v0.2+json":        "v0.2",
	"application/vnd.dev.sigstore.bundle.v0.3+json":        "v0.3",
}

// bundleDigests are the digests that a bundle may name.
var bundleDigests = map[commonpb.HashAlgorithm]formats.DigestAlgorithm{
	commonpb.HashAlgorithm_SHA2_256: formats.SHA256,
	commonpb.HashAlgorithm_SHA2_384: formats.SHA384,
	commonpb.HashAlgorithm_SHA2_512: formats.SHA512,
}

// readBundle reads a bundle of either kind. Errors have ReasonMalformedSignature, ReasonTrailingData, ReasonTooLarge,
// ReasonUnsupportedVersion, ReasonUnsupportedSignature, ReasonUnsupportedAlgorithm or those of keyfile.Read, or are m's.
func readBundle(m *formats.Meter, file []byte) (*bundle, error) {
	members, err := checkJSON(m, file)
	if err != nil {
		return nil, err
	}
	var b *bundle
	if _, ok := members["base64Signature"]; ok {
		b, err = readCosign(m, members)
	} else {
		b, err = readSigstore(m, file)
	}
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file); err != nil {
		return nil, errBundle("it is no JSON")
	}
	b.form = sha256.Sum256(compact.Bytes())
	return b, nil
}

// readSigstore reads a bundle of the Sigstore specification. Members that it does not know are refused, as
// JSON of protobuf messages has it.
func readSigstore(m *formats.Meter, file []byte) (*bundle, error) {
	var in bundlepb.Bundle
	if err := (protojson.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(file, &in); err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedSignature, "the bundle has a member that the specification does not know, or of another kind", hintBundle)
	}
	version, ok := bundleVersions[in.GetMediaType()]
	if !ok {
		return nil, formats.NewError(formats.ReasonUnsupportedVersion, "this version of the Sigstore bundle is not supported",
			"write one of version 0.1, 0.2 or 0.3")
	}
	b := &bundle{kind: "Sigstore bundle " + version, witnessed: hasWitnesses(in.GetVerificationMaterial())}
	switch content := in.GetContent().(type) {
	case *bundlepb.Bundle_MessageSignature:
		b.signature = content.MessageSignature.GetSignature()
	case *bundlepb.Bundle_DsseEnvelope:
		return nil, formats.NewError(formats.ReasonUnsupportedSignature, "the bundle holds an attestation (a DSSE envelope), not a signature over an artifact",
			"cosign verify-blob-attestation checks it; for the artifact itself send a signature: cosign sign-blob --bundle FILE")
	}
	if len(b.signature) == 0 {
		return nil, errBundle("there is no signature in it")
	}
	var err error
	if b.digest, err = readBundleDigest(in.GetMessageSignature().GetMessageDigest()); err != nil {
		return nil, err
	}
	b.key, err = readMaterial(m, in.GetVerificationMaterial(), version)
	return b, err
}

func hasWitnesses(v *bundlepb.VerificationMaterial) bool {
	return len(v.GetTlogEntries()) > 0 || len(v.GetTimestampVerificationData().GetRfc3161Timestamps()) > 0
}

// readBundleDigest returns nil when there is none.
func readBundleDigest(h *commonpb.HashOutput) (*formats.Digest, error) {
	if h.GetAlgorithm() == commonpb.HashAlgorithm_HASH_ALGORITHM_UNSPECIFIED && len(h.GetDigest()) == 0 {
		return nil, nil
	}
	a, ok := bundleDigests[h.GetAlgorithm()]
	if !ok {
		return nil, formats.NewError(formats.ReasonUnsupportedAlgorithm, "the message digest in the bundle is of a kind that is not supported",
			"sign with SHA-256, SHA-384 or SHA-512")
	}
	if len(h.GetDigest()) != a.Hash().Size() {
		return nil, errBundle("the message digest has not the length of its algorithm")
	}
	return &formats.Digest{Algorithm: a, Value: h.GetDigest()}, nil
}

// readMaterial returns the key in the bundle; a public key is only named there.
func readMaterial(m *formats.Meter, v *bundlepb.VerificationMaterial, version string) (*keyfile.Key, error) {
	var chain []*commonpb.X509Certificate
	switch content := v.GetContent().(type) {
	case *bundlepb.VerificationMaterial_PublicKey:
		return nil, nil
	case *bundlepb.VerificationMaterial_Certificate:
		if version != "v0.3" {
			return nil, errBundle("a single certificate is of version 0.3")
		}
		chain = append(chain, content.Certificate)
	case *bundlepb.VerificationMaterial_X509CertificateChain:
		if version == "v0.3" {
			return nil, errBundle("version 0.3 has one certificate and no chain")
		}
		chain = content.X509CertificateChain.GetCertificates()
	}
	if len(chain) == 0 {
		return nil, errBundle("there is neither a certificate nor the name of a key in it")
	}
	if len(chain) > maxChain {
		return nil, formats.NewError(formats.ReasonTooLarge, "the bundle holds more than 16 certificates", hintBundle)
	}
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.GetRawBytes()})...)
	}
	return readBundleKey(m, text)
}

func readBundleKey(m *formats.Meter, data []byte) (*keyfile.Key, error) {
	k, err := keyfile.Read(m, data)
	if err != nil {
		return nil, err
	}
	return &k, nil
}

// readCosign reads what cosign wrote with --bundle up to version 2: the signature, the key or certificate, and what Rekor
// answered, which is not looked at.
func readCosign(m *formats.Meter, members map[string]json.RawMessage) (*bundle, error) {
	b := &bundle{kind: "cosign bundle"}
	var signature, key string
	for member, value := range members {
		var err error
		switch member {
		case "base64Signature":
			err = json.Unmarshal(value, &signature)
		case "cert":
			err = json.Unmarshal(value, &key)
		case "rekorBundle", "rfc3161Timestamp":
			b.witnessed = b.witnessed || string(value) != "null"
		default:
			return nil, errBundle(fmt.Sprintf("it has an unknown member, %.40q", member))
		}
		if err != nil {
			return nil, errBundle(member + " is no text")
		}
	}
	var err error
	if b.signature, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(signature)); err != nil || len(b.signature) == 0 {
		return nil, errBundle("base64Signature is not in base64")
	}
	if key == "" {
		return b, nil
	}
	data := []byte(key)
	if !strings.HasPrefix(key, "-----BEGIN ") {
		if data, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(key)); err != nil {
			return nil, errBundle("cert is neither PEM nor base64")
		}
	}
	b.key, err = readBundleKey(m, data)
	return b, err
}
