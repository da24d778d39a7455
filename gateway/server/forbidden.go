// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// readRoot returns all that a trusted root has.
func readRoot(root *trustroot.Root) (*trustrootpb.TrustedRoot, error) {
	raw, err := root.Marshal()
	if err != nil {
		return nil, err
	}
	m := new(trustrootpb.TrustedRoot)
	if err := protojson.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("reading trusted root: %w", err)
	}
	return m, nil
}

// listForbidden returns the SHA-256 of the SPKI of every key in the trusted root: logs,
// certificate and timestamp authorities. What they sign in their own protocols must never
// pass as a signed artifact.
func listForbidden(m *trustrootpb.TrustedRoot) ([][sha256.Size]byte, error) {
	var ids [][sha256.Size]byte
	for _, l := range append(m.GetTlogs(), m.GetCtlogs()...) {
		ids = append(ids, sha256.Sum256(convertSPKI(l.GetPublicKey())))
	}
	for _, a := range append(m.GetCertificateAuthorities(), m.GetTimestampAuthorities()...) {
		for _, c := range a.GetCertChain().GetCertificates() {
			cert, err := x509.ParseCertificate(c.GetRawBytes())
			if err != nil {
				return nil, fmt.Errorf("reading trusted root: an authority's certificate: %w", err)
			}
			ids = append(ids, sha256.Sum256(cert.RawSubjectPublicKeyInfo))
		}
	}
	return ids, nil
}

// convertSPKI returns the key as SubjectPublicKeyInfo, which all but the deprecated PKCS#1 ones are.
func convertSPKI(k *commonpb.PublicKey) []byte {
	if rsa, err := x509.ParsePKCS1PublicKey(k.GetRawBytes()); err == nil {
		if der, err := x509.MarshalPKIXPublicKey(rsa); err == nil {
			return der
		}
	}
	return k.GetRawBytes()
}
