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
	"errors"

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
// it, binary, base64 or hex: an ECDSA signature; and bundles of Sigstore and cosign. No other raw signature can be
// recognised by itself.
func (format) Detect(signature []byte) bool {
	if isBundle(signature) {
		return true
	}
	if len(signature) > 1024 {
		return false
	}
	for _, f := range readEncoded(signature).forms {
		if isECDSA(f.raw) {
			return true
		}
	}
	return false
}

// maxRaw is longer than any raw signature in hex, broken into lines.
const maxRaw = 8 << 10

var _ formats.KeyDetector = format{}

// DetectBeside implements formats.KeyDetector: a raw signature is as long as its key says.
func (format) DetectBeside(m *formats.Meter, signature []byte, keys [][]byte) (formats.Fit, error) {
	if len(signature) > maxRaw {
		return formats.NoFit, nil
	}
	if err := m.ChargeBytes(passes * len(signature)); err != nil {
		return formats.NoFit, err
	}
	given, best := readEncoded(signature), formats.NoFit
	if !given.mayBeRaw() {
		return formats.NoFit, nil
	}
	for _, file := range keys {
		found, err := keyfile.ReadAll(m, [][]byte{file})
		if errors.Is(err, keyfile.ErrConvertible) { // Parse will say how
			best = max(best, formats.MayFit)
			continue
		}
		switch formats.ReasonOf(err) {
		case formats.ReasonUnsupportedAlgorithm, formats.ReasonWeakAlgorithm, formats.ReasonKeyNotValid: // Parse will say so
			best = max(best, formats.MayFit)
		case formats.ReasonTooMuchWork:
			return formats.NoFit, err
		case "":
			if err != nil {
				return formats.NoFit, err
			}
		}
		for _, k := range found {
			best = max(best, given.suitsKey(k))
		}
	}
	return best, nil
}

// mayBeRaw reports whether the signature has octets that no text has, and as many as some signature has.
func (e encoded) mayBeRaw() bool {
	for _, f := range e.forms {
		if len(f.raw) >= minECDSA && len(f.raw) <= maxRSA && bytes.ContainsFunc(f.raw, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r >= 0x7f }) {
			return true
		}
	}
	return false
}

// maxRSA is how long a signature by the largest RSA key is that is taken.
const maxRSA = 2048

// suitsKey reports whether the signature is as long as one by k is.
func (e encoded) suitsKey(k keyfile.Key) formats.Fit {
	length := ed25519.SignatureSize
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		length = pub.Size()
	case *ecdsa.PublicKey:
		length = 2 * ((pub.Params().BitSize + 7) / 8)
	}
	if _, ok := e.findLength(length); ok {
		return formats.Fits
	}
	return formats.MayFit
}

// Parse implements formats.Format. Several of the keys may fit the signature: then Verify tries each.
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
	readings, err := readWithKeys(m, signature, candidates)
	if err != nil {
		return nil, err
	}
	return judgeReadings(m, readings, p)
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
	listed := make(map[string]keyfile.Key, len(trusted))
	for _, t := range trusted {
		listed[string(t.SPKI)] = t
	}
	var both []keyfile.Key
	for _, s := range sent {
		t, ok := listed[string(s.SPKI)]
		if !ok {
			continue
		}
		if len(s.Chain) > len(t.Chain) {
			t = s // the same key, with the certificates that a policy's roots may ask for
		}
		both = append(both, t)
	}
	if len(both) == 0 {
		return nil, formats.NewError(formats.ReasonKeyNotTrusted, "the policy names the keys that may sign, and this is none",
			"sign with a key that the gateway's operator has listed")
	}
	return both, nil
}

// passes is how often the bytes of a signature are looked at: in each encoding, decoded, parsed.
const passes = 12

// readWithKeys returns the signature as read with each key that it fits.
func readWithKeys(m *formats.Meter, signature []byte, keys []keyfile.Key) ([]*reading, error) {
	if err := m.ChargeBytes(passes * len(signature)); err != nil {
		return nil, err
	}
	given := readEncoded(signature)
	var found, named []*reading
	var refusal error
	for _, k := range keys {
		if err := m.ChargeChecks(1, k.Public); err != nil { // RSA is opened
			return nil, err
		}
		s, err := readSignature(given, k)
		switch {
		case err != nil && refusal == nil:
			refusal = err
		case err == nil && s.scheme == formats.RSAPKCS1v15:
			named = append(named, s)
		case err == nil:
			found = append(found, s)
		}
	}
	switch {
	case len(named) > 0: // opened by its key alone
		return named, nil
	case len(found) > 0:
		return found, nil
	}
	return nil, refusal
}

func readSignature(signature encoded, k keyfile.Key) (*reading, error) {
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		return readRSA(signature, k, pub)
	case *ecdsa.PublicKey:
		return readECDSA(signature, k, pub)
	default:
		return readEd25519(signature, k, pub.(ed25519.PublicKey))
	}
}
