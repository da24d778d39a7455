// SPDX-License-Identifier: Apache-2.0

// Package x509 reads raw signatures made with the key of an X.509 certificate or with a
// bare public key: what "openssl dgst -sign" and "openssl pkeyutl -sign" write, or cosign's
// base64. The signature is RSA PKCS #1 v1.5, RSA-PSS, ECDSA (DER, or r‖s of fixed length) or
// Ed25519 (prehashed or pure); binary, or base64 with white space around it. The key is a public key
// (PKIX or PKCS #1) or a certificate, leaf first when there are several, in PEM or DER.
//
// A raw signature names neither its format nor, but for RSA PKCS #1 v1.5, its hash. Hence:
//
//   - The key tells how long a signature is. A binary reading is preferred to base64, and
//     strict DER to r‖s; no two readings of honest signatures collide.
//   - ECDSA is tried with the curve's own hash, then with SHA-256. A digest is never longer
//     than the curve, because ECDSA would ignore its end.
//   - Ed25519 is tried prehashed (Ed25519ph) and pure in the same pass. Only the former can be
//     verified by digest and recorded as it is.
//   - RSA-PSS is tried with SHA-256, SHA-384 and SHA-512, the salt being as long as the hash
//     or as long as it can be (what OpenSSL makes by default).
package x509

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

const (
	name = "x509"

	hintWork = "send the signer's key or certificate alone, with its issuers at most"
)

type format struct{}

var _ formats.Format = format{}

// New returns the format "x509".
func New() formats.Format { return format{} }

// Name returns "x509".
func (format) Name() string { return name }

// Detect claims a strict DER SEQUENCE of two INTEGERs of a plausible size with nothing after
// it, binary or base64: an ECDSA signature; and bundles of Sigstore and cosign. No other raw signature can be recognised: name
// the format when sending one.
func (format) Detect(signature []byte) bool {
	if isBundle(signature) {
		return true
	}
	if len(signature) > 1024 {
		return false
	}
	if isECDSA(signature) {
		return true
	}
	raw, err := decodeBase64(signature)
	return err == nil && isECDSA(raw)
}

// Parse implements formats.Format. Exactly one of the keys may fit the signature.
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := formats.CheckSizes(signature, keys); err != nil {
		return nil, err
	}
	if isBundle(signature) {
		return parseBundle(m, signature, keys, p)
	}
	return parseRaw(m, signature, keys, p)
}

// parseRaw reads a signature with nothing around it.
func parseRaw(m *formats.Meter, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	candidates, err := candidateKeys(m, keys, p)
	if err != nil {
		return nil, err
	}
	s, err := chooseKey(m, signature, candidates)
	if err != nil {
		return nil, err
	}
	if err := p.CheckSigner(s.key.SPKI); err != nil {
		return nil, err
	}
	if err := s.checkScheme(p); err != nil {
		return nil, err
	}
	if err := s.checkCertificate(m, p); err != nil {
		return nil, err
	}
	return s, nil
}

// candidateKeys reads the policy's keys when it has any, and then only those of them that were
// also sent, if any were sent.
func candidateKeys(m *formats.Meter, sent [][]byte, p formats.Policy) ([]keyfile.Key, error) {
	keys, err := keyfile.ReadAll(m, sent)
	if err != nil {
		return nil, err
	}
	trusted, err := keyfile.ReadAll(m.Unlimited(), p.Keys[name])
	if err != nil {
		return nil, p.ExplainKeys(name, err)
	}
	if len(trusted) > 0 && len(keys) > 0 {
		return intersectKeys(trusted, keys)
	}
	if keys = append(keys, trusted...); len(keys) == 0 {
		return nil, formats.NewError(formats.ReasonMissingKey, "a raw signature needs the public key or certificate",
			"send it as key: openssl pkey -in KEY -pubout")
	}
	return keys, nil
}

func intersectKeys(trusted, sent []keyfile.Key) ([]keyfile.Key, error) {
	var both []keyfile.Key
	for _, t := range trusted {
		for _, s := range sent {
			if !bytes.Equal(t.SPKI, s.SPKI) {
				continue
			}
			if len(s.Chain) > len(t.Chain) {
				t = s // the same key, with the certificates that a policy's roots may ask for
			}
			both = append(both, t)
		}
	}
	if len(both) == 0 {
		return nil, formats.NewError(formats.ReasonKeyNotTrusted, "the policy names the keys that may sign, and this is none",
			"sign with a key that the gateway's operator has listed")
	}
	return both, nil
}

// chooseKey returns the signature as read with the one key that it fits.
func chooseKey(m *formats.Meter, signature []byte, keys []keyfile.Key) (*parsed, error) {
	if err := m.ChargeBytes(6 * len(signature)); err != nil { // trimmed, decoded, parsed
		return nil, err
	}
	given := readEncoded(signature)
	var found *parsed
	var refusal error
	for _, k := range keys {
		if err := m.ChargeChecks(1, k.Public); err != nil { // RSA is opened
			return nil, err
		}
		s, err := readSignature(given, k)
		switch {
		case err != nil && refusal == nil:
			refusal = err
		case err == nil && found != nil:
			return nil, formats.NewError(formats.ReasonKeyMismatch, "several of the keys could have made this signature",
				"send the signer's key alone; certificates of one chain belong in one PEM file")
		case err == nil:
			found = s
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, refusal
}

func readSignature(signature encoded, k keyfile.Key) (*parsed, error) {
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		return readRSA(signature, k, pub)
	case *ecdsa.PublicKey:
		return readECDSA(signature, k, pub)
	default:
		return readEd25519(signature, k, pub.(ed25519.PublicKey))
	}
}
