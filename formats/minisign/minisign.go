// SPDX-License-Identifier: Apache-2.0

// Package minisign reads minisign signatures, prehashed and legacy, and those of OpenBSD's
// signify and OpenWrt's usign, whose keys and signatures minisign took over: detached, with the message behind the
// signature (signify -e), and in the header of a gzip file (signify -z). All sign with Ed25519.
//
// The untrusted comment is signed by nobody and decides nothing: a file of two lines is a signify signature whatever its
// comment says, also when it is a legacy .minisig file that has lost its last two.
//
// The trusted comment is text of the signer's and may hold anything: of it only the
// signing time leaves this package.
package minisign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"time"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

const (
	name = "minisign"

	hintWork = "send the signer's .pub file alone"
)

type format struct{}

// New returns the minisign plugin.
func New() formats.Format { return format{} }

func (format) Name() string { return name }

// Detect looks for an untrusted comment followed by a line of base64 that starts with one of
// the two algorithm names, Ed and ED, and for gzip files with both in their header.
func (format) Detect(signature []byte) bool {
	if z, ok := bytes.CutPrefix(signature, []byte(gzipStart)); ok && len(z) > gzipHeader-len(gzipStart) {
		signature = z[gzipHeader-len(gzipStart):]
	}
	head := signature[:min(len(signature), maxComment+8)]
	comment, rest, ok := bytes.Cut(head, []byte("\n"))
	return ok && bytes.HasPrefix(comment, []byte(commentPrefix)) &&
		(bytes.HasPrefix(rest, []byte("RW")) || bytes.HasPrefix(rest, []byte("RU")))
}

// Parse reads a .minisig or signify .sig file; each key is a .pub file of either tool or its
// base64 line alone. The global signature, and with it the trusted comment, is checked here.
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	parsed, err := parseSubmission(m, signature, keys, p)
	if err != nil {
		return nil, err
	}
	return parsed, nil
}

func parseSubmission(m *formats.Meter, raw []byte, submitted [][]byte, p formats.Policy) (*parsedSignature, error) {
	if err := formats.CheckSizes(raw, submitted); err != nil {
		return nil, err
	}
	if err := m.ChargeBytes(passes * len(raw)); err != nil {
		return nil, err
	}
	sig, err := parseSignature(raw)
	if err != nil {
		return nil, err
	}
	key, err := findKey(m, sig, submitted, p)
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	if err := p.CheckSigner(signer.SPKI); err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, ed25519.PublicKey(key.PublicKey[:])); err != nil {
		return nil, err
	}
	if err := checkGlobal(sig, key); err != nil {
		return nil, err
	}
	if _, err := ed25519stream.New(key.PublicKey[:], sig.Signature.Signature[:]); err != nil {
		return nil, formats.WrapError(err, formats.ReasonSignatureInvalid, "no file can have this Ed25519 signature",
			"send the signature file as the tool wrote it")
	}
	excluded, err := checkEmbedded(m, sig, key)
	if err != nil {
		return nil, err
	}
	claimed, err := claimedTime(sig, p)
	if err != nil {
		return nil, err
	}
	return &parsedSignature{sig: sig, key: key, signer: signer, claimed: claimed, excluded: excluded, withoutWhole: p.WithoutWhole}, nil
}

// passes is how often the bytes of a signature file are looked at: split into lines, decoded, copied.
const passes = 6

// checkGlobal checks the signature over signature ‖ trusted comment; signify has none.
func checkGlobal(sig *signature, key gominisign.PublicKey) error {
	if sig.signify {
		return nil
	}
	message := append(sig.Signature.Signature[:], sig.trustedText()...)
	return formats.CheckOnce("minisign's global signature", func() error {
		if ed25519.Verify(key.PublicKey[:], message, sig.GlobalSignature[:]) {
			return nil
		}
		return formats.NewError(formats.ReasonSignatureInvalid,
			"the global signature does not verify: the trusted comment or the signature was changed, or another key made it",
			"send the .minisig file as minisign wrote it, with the key it was made by")
	}, key.PublicKey[:], message, sig.GlobalSignature[:])
}

func claimedTime(sig *signature, p formats.Policy) (*time.Time, error) {
	t := sig.readTimestamp()
	if sig.archive != nil {
		t = &sig.archive.date
	}
	if t == nil {
		return nil, nil
	}
	if err := p.CheckSigningTime(*t); err != nil {
		return nil, err
	}
	return t, nil
}
