// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// bundle is a raw signature that came in a Sigstore bundle, or in the one that cosign wrote before. Only what is here
// counts: a log entry or timestamp of its own is neither needed nor believed.
type bundle struct {
	kind      string // "Sigstore bundle v0.3"
	signature []byte
	key       *keyfile.Key    // nil when the bundle holds none
	digest    *formats.Digest // that it says the artifact has; nil when it says nothing
	witnessed bool            // there are log entries or timestamps in it
	form      [sha256.Size]byte
}

// bundled is what parseBundle returns: the signature as a raw one, and what the bundle adds.
type bundled struct {
	formats.Parsed
	bundle *bundle
}

var _ formats.Parsed = (*bundled)(nil)

// parseBundle reads a file that isBundle has recognised.
func parseBundle(m *formats.Meter, file []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	b, err := readBundle(m, file)
	if err != nil {
		return nil, err
	}
	if keys, err = b.selectKeys(m, keys, p); err != nil {
		return nil, err
	}
	raw, err := parseRaw(m, b.signature, keys, p)
	if err != nil {
		return nil, err
	}
	return &bundled{Parsed: raw, bundle: b}, nil
}

// selectKeys returns those that may have signed: with a key in the bundle that one, as it was sent or else as it is inside.
func (b *bundle) selectKeys(m *formats.Meter, keys [][]byte, p formats.Policy) ([][]byte, error) {
	if b.key == nil {
		if len(keys) == 0 && len(p.Keys[name]) == 0 {
			return nil, formats.NewError(formats.ReasonMissingKey, "the bundle names the signer's public key and does not hold it",
				"send it as key: cosign public-key --key KEY")
		}
		return keys, nil
	}
	if len(keys) == 0 {
		return [][]byte{b.key.PEM()}, b.checkExpiry(p)
	}
	sent, err := keyfile.ReadAll(m, keys)
	if err != nil {
		return nil, err
	}
	for _, k := range sent {
		if string(k.SPKI) == string(b.key.SPKI) {
			return [][]byte{k.PEM()}, nil
		}
	}
	return nil, formats.NewError(formats.ReasonKeyMismatch, "the key in the bundle is none of those that were sent",
		"send the signer's key, or no key: the bundle holds it")
}

// checkExpiry refuses a certificate that has expired, as those of Fulcio do after ten minutes. When it was used only the
// bundle says, which is not believed. Whoever sends the key beside the bundle means the key.
func (b *bundle) checkExpiry(p formats.Policy) error {
	if len(b.key.Chain) == 0 || p.AllowsUndated(formats.ExceptionExpiredKey) || !p.Now.After(b.key.Chain[0].NotAfter) {
		return nil
	}
	return formats.NewError(formats.ReasonKeyExpired,
		"the certificate in the bundle expired at "+b.key.Chain[0].NotAfter.UTC().Format(time.RFC3339)+", and the bundle's own log entry is not taken as a proof of time",
		"the bundle is in a log already, and cosign verify-blob checks it with its identity; to record the signature by its key alone, "+
			"send the certificate's public key as key: openssl x509 -in CERTIFICATE -noout -pubkey")
}

// Describe implements formats.Parsed.
func (s *bundled) Describe() formats.Description {
	d, b := s.Parsed.Describe(), s.bundle
	d.Variant = b.kind + ", " + d.Variant
	if b.witnessed {
		d.Notes = append(d.Notes, "the log entries and timestamps in the bundle were not looked at")
	}
	if b.digest == nil {
		return d
	}
	d.Digests = slices.DeleteFunc(d.Digests, func(a formats.DigestAlgorithm) bool { return a != b.digest.Algorithm })
	if len(d.Digests) == 0 && d.Need == formats.NeedDigest {
		d.Need = formats.NeedBytes
	}
	return d
}

const bundleDigest = "bundle-digest"

// Verify implements formats.Parsed. The digest in the bundle has to be the artifact's, and proves nothing by itself.
func (s *bundled) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	want := s.bundle.digest
	if d := a.Digest(); d != nil && want != nil {
		if err := s.bundle.checkDigest(*d); err != nil {
			return nil, err
		}
	}
	var also hash.Hash
	if r := a.Reader(); r != nil && want != nil && want.Algorithm != formats.SHA256 {
		also = want.Algorithm.New()
		a = formats.FromReader(io.TeeReader(r, also))
	}
	raw, err := s.Parsed.Verify(ctx, a)
	if err != nil {
		return nil, err
	}
	v := *raw
	v.Form = s.bundle.form[:]
	if want == nil {
		return &v, nil
	}
	if also != nil {
		err = s.bundle.checkDigest(formats.Digest{Algorithm: want.Algorithm, Value: also.Sum(nil)})
	} else {
		err = s.bundle.checkDigest(v.Digests[0].Digest) // SHA-256 of the bytes, or the one that was given
	}
	if err != nil {
		return nil, err
	}
	v.Checks = append(slices.Clone(v.Checks), bundleDigest)
	return &v, nil
}

func (b *bundle) checkDigest(d formats.Digest) error {
	switch {
	case d.Algorithm != b.digest.Algorithm:
		return formats.NewError(formats.ReasonWrongDigestAlgorithm, "the bundle says another kind of digest of its artifact",
			"send the artifact, or its "+string(b.digest.Algorithm)+" digest")
	case !d.Equal(*b.digest):
		return formats.NewError(formats.ReasonArtifactMismatch, "the bundle is for another artifact: the digest in it is not this one's",
			"check that the bundle and the artifact belong together")
	}
	return nil
}
