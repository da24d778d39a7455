// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	rekorx509 "github.com/sigstore/rekor/pkg/pki/x509"
	sigsig "github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func (s submission) hashOrDefault() crypto.Hash { return cmp.Or(s.hash, crypto.SHA256) }

// publicKey returns the first key, or the first certificate's.
func (s submission) publicKey() (crypto.PublicKey, error) {
	block, _ := pem.Decode(s.firstKey())
	if block == nil {
		return nil, errors.New("no PEM")
	}
	if block.Type == "CERTIFICATE" {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// opensslVerify asks "openssl dgst", or "openssl pkeyutl" for Ed25519.
func opensslVerify(dir string, s submission) verdict {
	key := put(dir, "key.pem", s.firstKey())
	if bytes.Contains(s.firstKey(), []byte("CERTIFICATE")) {
		if err := run(dir, nil, "openssl", "x509", "-in", key, "-noout", "-pubkey", "-out", "pub.pem"); err != nil {
			return refuse(err)
		}
		key = "pub.pem"
	}
	sig, artifact := put(dir, "sig", s.signature), put(dir, "artifact", s.artifact)
	pub, _ := s.publicKey()
	if s.scheme == formats.Ed25519ph {
		return notApplicable("OpenSSL 3.0 has no Ed25519ph")
	}
	if _, ok := pub.(ed25519.PublicKey); ok {
		return judged(run(dir, nil, "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-in", artifact, "-sigfile", sig))
	}
	hash := "-" + strings.ToLower(strings.ReplaceAll(s.hashOrDefault().String(), "-", ""))
	args := []string{"dgst", hash, "-verify", key, "-signature", sig}
	if s.scheme == formats.RSAPSS {
		args = append(args, "-sigopt", "rsa_padding_mode:pss")
	}
	return judged(run(dir, nil, "openssl", append(args, artifact)...))
}

// cryptoVerify asks Go's standard library.
func cryptoVerify(_ string, s submission) verdict {
	pub, err := s.publicKey()
	if err != nil {
		return refuse(err)
	}
	h := s.hashOrDefault().New()
	h.Write(s.artifact)
	digest, ok := h.Sum(nil), false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if s.scheme == formats.RSAPSS {
			return judged(rsa.VerifyPSS(k, s.hashOrDefault(), digest, s.signature, nil))
		}
		return judged(rsa.VerifyPKCS1v15(k, s.hashOrDefault(), digest, s.signature))
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, s.signature)
	case ed25519.PublicKey:
		if s.scheme == formats.Ed25519ph {
			return judged(ed25519.VerifyWithOptions(k, digest, s.signature, &ed25519.Options{Hash: crypto.SHA512}))
		}
		ok = ed25519.Verify(k, s.artifact, s.signature)
	}
	if !ok {
		return refuse(errors.New("does not verify"))
	}
	return accept()
}

func rekorX509(_ string, s submission) verdict {
	opts := []sigsig.LoadOption{options.WithHash(s.hashOrDefault())}
	switch s.scheme {
	case formats.Ed25519ph:
		opts = append(opts, options.WithED25519ph())
	case formats.RSAPSS:
		return notApplicable("reads RSA as PKCS #1 v1.5 only")
	}
	sig, err := rekorx509.NewSignatureWithOpts(bytes.NewReader(s.signature), opts...)
	if err != nil {
		return refuse(err)
	}
	key, err := rekorx509.NewPublicKey(bytes.NewReader(s.firstKey()))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}
