// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
)

// submission is what a strictness case changes before it is judged.
type submission struct {
	sig    []byte
	keys   [][]byte
	policy formats.Policy
}

// replace returns sig with its i-th line changed by f, the line end kept.
func replace(sig []byte, i int, f func(string) string) []byte {
	lines := bytes.SplitAfter(bytes.Clone(sig), []byte("\n"))
	lines[i] = []byte(f(strings.TrimSuffix(string(lines[i]), "\n")) + "\n")
	return bytes.Join(lines, nil)
}

// rebuild decodes base64, changes the bytes and encodes them again.
func rebuild(f func([]byte)) func(string) string {
	return func(line string) string {
		raw, _ := base64.StdEncoding.DecodeString(line)
		f(raw)
		return base64.StdEncoding.EncodeToString(raw)
	}
}

func flip(at int) func(string) string { return rebuild(func(b []byte) { b[at] ^= 1 }) }

type strictCase struct {
	row, name string
	change    func(t *testing.T, s *submission)
	want      formats.Reason
}

func onLine(i int, f func(string) string) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) { s.sig = replace(s.sig, i, f) }
}

func withSig(f func([]byte) []byte) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) { s.sig = f(bytes.Clone(s.sig)) }
}

func withKey(f func([]byte) []byte) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) { s.keys = [][]byte{f(bytes.Clone(s.keys[0]))} }
}

func withFile(name string) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) { s.keys = append(s.keys, read(t, name)) }
}

const (
	rowAltered   = "minisign trusted comment or global signature altered; key id mismatch"
	rowGarbage   = "garbage after the signature"
	rowTwo       = "two signatures"
	rowFuture    = "signature dated in the future"
	rowPolicyKey = "keys from the submitter against keys the policy names"
	rowSecret    = "private key pasted as key"
	rowForbidden = "the gateway's, a log's or an authority's own key as signer"
	rowTruncated = "truncation, byte flips"
	rowKey       = "key that is none"
)

var strictCases = []strictCase{
	{rowAltered, "trusted comment changed", onLine(2, func(l string) string { return l + "." }), formats.ReasonSignatureInvalid},
	{rowAltered, "trusted comment emptied", onLine(2, func(string) string { return "trusted comment: " }), formats.ReasonSignatureInvalid},
	{rowAltered, "trusted comment of another shape", onLine(2, func(l string) string { return l[1:] }), formats.ReasonMalformedSignature},
	{rowAltered, "trusted comment with NUL", onLine(2, func(l string) string { return l + "\x00" }), formats.ReasonMalformedSignature},
	{rowAltered, "trusted comment with CR inside", onLine(2, func(l string) string { return l + "\rmore" }), formats.ReasonMalformedSignature},
	{rowAltered, "trusted comment too long", onLine(2, func(l string) string { return l + strings.Repeat("x", 8192) }), formats.ReasonMalformedSignature},
	{rowAltered, "global signature changed", onLine(3, flip(5)), formats.ReasonSignatureInvalid},
	{rowAltered, "global signature's S changed", onLine(3, flip(40)), formats.ReasonSignatureInvalid},
	{rowAltered, "signature changed", onLine(1, flip(20)), formats.ReasonSignatureInvalid},
	{rowAltered, "key id changed", onLine(1, flip(3)), formats.ReasonKeyMismatch},
	{rowAltered, "key's id changed", withKey(func(k []byte) []byte { return replace(k, 1, flip(3)) }), formats.ReasonKeyMismatch},
	{rowAltered, "another key under this id", withKey(func(k []byte) []byte { return swapKey(k) }), formats.ReasonSignatureInvalid},
	{rowAltered, "two keys under this id", func(_ *testing.T, s *submission) { s.keys = append(s.keys, swapKey(s.keys[0])) }, formats.ReasonMalformedKey},
	{rowAltered, "legacy said to be prehashed", onLine(1, rebuild(func(b []byte) { b[1] ^= 0x20 })), ""},
	{rowAltered, "unknown algorithm", onLine(1, flip(1)), formats.ReasonUnsupportedAlgorithm},
	{rowAltered, "last two lines cut off", withSig(func(s []byte) []byte { return bytes.Join(bytes.SplitAfter(s, []byte("\n"))[:2], nil) }), formats.ReasonMalformedSignature},

	{rowGarbage, "line", withSig(func(s []byte) []byte { return append(s, "more\n"...) }), formats.ReasonTrailingData},
	{rowGarbage, "empty line", withSig(func(s []byte) []byte { return append(s, '\n') }), formats.ReasonTrailingData},
	{rowGarbage, "space", onLine(3, func(l string) string { return l + " " }), formats.ReasonMalformedSignature},
	{rowGarbage, "base64 twice", onLine(1, func(l string) string { return l + l }), formats.ReasonMalformedSignature},
	{rowGarbage, "loose base64", onLine(1, loosen), formats.ReasonMalformedSignature},
	{rowGarbage, "unpadded base64", onLine(1, func(l string) string { return strings.TrimRight(l, "=") }), formats.ReasonMalformedSignature},
	{rowGarbage, "URL base64", onLine(1, func(string) string { return strings.Repeat("-_", 50) }), formats.ReasonMalformedSignature},
	{rowGarbage, "leading line", withSig(func(s []byte) []byte { return append([]byte("\n"), s...) }), formats.ReasonMalformedSignature},
	{rowGarbage, "long first line", onLine(0, func(l string) string { return l + strings.Repeat("x", 1024) }), formats.ReasonMalformedSignature},

	{rowTwo, "one after the other", withSig(func(s []byte) []byte { return append(s, s...) }), formats.ReasonMultipleSignatures},
	{rowTwo, "signify", func(t *testing.T, s *submission) {
		s.sig = append(read(t, "signify.sig"), read(t, "signify.sig")...)
	}, formats.ReasonMultipleSignatures},

	{rowFuture, "by years", func(_ *testing.T, s *submission) {
		s.policy.Now = s.policy.Now.AddDate(-10, 0, 0)
	}, formats.ReasonSignatureInFuture},

	{rowPolicyKey, "policy names another", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": {read(t, "other.pub")}}
	}, formats.ReasonKeyNotTrusted},
	{rowPolicyKey, "policy names it, another is sent", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": s.keys}
		s.keys = [][]byte{read(t, "other.pub")}
	}, ""},
	{rowPolicyKey, "allowed signers", func(_ *testing.T, s *submission) {
		s.policy.AllowedSigners = [][sha256.Size]byte{{1}}
	}, formats.ReasonKeyNotTrusted},
	{rowPolicyKey, "no key at all", func(_ *testing.T, s *submission) { s.keys = nil }, formats.ReasonMissingKey},
	{rowPolicyKey, "another key", func(t *testing.T, s *submission) { s.keys = [][]byte{read(t, "other.pub")} }, formats.ReasonKeyMismatch},

	{rowSecret, "minisign", withFile("throwaway-minisign.key"), formats.ReasonSecretKey},
	{rowSecret, "minisign, encrypted", withFile("throwaway-minisign-encrypted.key"), formats.ReasonSecretKey},
	{rowSecret, "signify", withFile("throwaway-signify.key"), formats.ReasonSecretKey},
	{rowSecret, "signify, encrypted", withFile("throwaway-signify-encrypted.key"), formats.ReasonSecretKey},
	{rowSecret, "line alone", func(t *testing.T, s *submission) {
		s.keys = [][]byte{line(read(t, "throwaway-minisign.key"), 1)}
	}, formats.ReasonSecretKey},
	{rowSecret, "cut short", func(t *testing.T, s *submission) {
		s.keys = [][]byte{line(read(t, "throwaway-minisign.key"), 1)[:150]}
	}, formats.ReasonSecretKey},
	{rowSecret, "PEM", withKey(func([]byte) []byte {
		return []byte("-----BEGIN " + "OPENSSH PRIVATE KEY-----\nAAAA\n")
	}), formats.ReasonSecretKey},
	{rowSecret, "as signature", func(t *testing.T, s *submission) { s.sig = read(t, "throwaway-minisign.key") }, formats.ReasonSecretKey},
	{rowSecret, "beside the policy's keys", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": s.keys}
		s.keys = [][]byte{read(t, "throwaway-minisign.key")}
	}, formats.ReasonSecretKey},

	{rowForbidden, "forbidden", func(t *testing.T, s *submission) {
		s.policy.ForbiddenSigners = [][sha256.Size]byte{sha256.Sum256(describe(t, "legacy.minisig", "signer.pub").Signers[0].SPKI)}
	}, formats.ReasonForbiddenSigner},

	{rowTruncated, "empty", withSig(func([]byte) []byte { return nil }), formats.ReasonMissingSignature},
	{rowTruncated, "too large", withSig(func([]byte) []byte { return make([]byte, formats.MaxSignatureSize+1) }), formats.ReasonTooLarge},
	{rowTruncated, "three lines", withSig(func(s []byte) []byte { return bytes.Join(bytes.SplitAfter(s, []byte("\n"))[:3], nil) }), formats.ReasonMalformedSignature},
	{rowTruncated, "without the last line end", withSig(bytes.TrimSpace), ""},

	{rowKey, "small order", withKey(func([]byte) []byte { return smallOrderKey() }), formats.ReasonWeakAlgorithm},
	{rowKey, "unknown algorithm", withKey(func(k []byte) []byte { return replace(k, 1, flip(0)) }), formats.ReasonMalformedKey},
	{rowKey, "trailing line", withKey(func(k []byte) []byte { return append(k, "more\n"...) }), formats.ReasonMalformedKey},
	{rowKey, "empty", withKey(func([]byte) []byte { return nil }), formats.ReasonMalformedKey},
	{rowKey, "without the comment's prefix", withKey(func(k []byte) []byte { return replace(k, 0, func(string) string { return "comment" }) }), formats.ReasonMalformedKey},
	{rowKey, "signature", func(_ *testing.T, s *submission) { s.keys = [][]byte{s.sig} }, formats.ReasonMalformedKey},
	{rowKey, "too many", func(_ *testing.T, s *submission) { s.keys = slices.Repeat(s.keys, 17) }, formats.ReasonTooLarge},
}

// loosen sets bits that a lenient decoder of base64 drops.
func loosen(line string) string { return strings.Replace(line, "=", "B=", 1)[1:] }

// swapKey keeps the key's id and replaces the point by the curve's base point.
func swapKey(pub []byte) []byte {
	return replace(pub, 1, rebuild(func(b []byte) { copy(b[10:], bytes.Repeat([]byte{0x66}, 32)); b[10] = 0x58 }))
}

func smallOrderKey() []byte {
	var k gominisign.PublicKey
	k.SignatureAlgorithm, k.PublicKey[0] = [2]byte{'E', 'd'}, 1
	return encodeKey(k)
}

// TestStrictness is named after the rows of the list of what a strict gateway must do.
func TestStrictness(t *testing.T) {
	for _, c := range strictCases {
		t.Run(c.row+"/"+c.name, func(t *testing.T) {
			s := submission{read(t, "legacy.minisig"), [][]byte{read(t, "signer.pub")}, policy()}
			c.change(t, &s)
			p, err := minisign.New().Parse(context.Background(), s.sig, s.keys, s.policy)
			if got := formats.ReasonOf(err); got != c.want || (p == nil) != (err != nil) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestAlgorithmIsSigned: a legacy signature that says it is prehashed, or the other way
// round, parses (the algorithm is not part of what is signed) and never verifies.
func TestAlgorithmIsSigned(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for _, name := range []string{"legacy.minisig", "prehashed.minisig"} {
		sig := replace(read(t, name), 1, rebuild(func(b []byte) { b[1] ^= 0x20 }))
		p, err := minisign.New().Parse(context.Background(), sig, [][]byte{read(t, "signer.pub")}, policy())
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact)))
		if v != nil || formats.ReasonOf(err) != formats.ReasonArtifactMismatch {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestImpossibleSignature: an S that no message can match is refused without the artifact,
// even under a good global signature.
func TestImpossibleSignature(t *testing.T) {
	secret, err := gominisign.DecodePrivateKey(string(read(t, "throwaway-minisign.key")))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := secret.Sign(nil, gominisign.SignOptions{TrustedComment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	inner.Signature[63] |= 0xe0
	global, err := secret.Sign(append(inner.Signature[:], 'x'), gominisign.SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	inner.GlobalSignature = global.Signature
	p, err := minisign.New().Parse(context.Background(), inner.Encode(), [][]byte{encodeKey(secret.PublicKey())}, policy())
	if p != nil || formats.ReasonOf(err) != formats.ReasonSignatureInvalid {
		t.Errorf("%v", err)
	}
}

// TestProtocolConfusion: what an Ed25519 key signed for SSH or CMS is no file, although
// anybody can put that signature into a signify file.
func TestProtocolConfusion(t *testing.T) {
	const attributes = "1\x1a0\x18\x06\x09*\x86H\x86\xf7\x0d\x01\x09\x041\x0b\x04\x09123456789"
	for _, artifact := range []string{"SSHSIG\x00\x00\x00\x04file", attributes} {
		sig, pub := forge(t, []byte(artifact), gominisign.SignOptions{TrustedComment: "x"})
		sig = append([]byte("untrusted comment: verify with key.pub\n"), line(sig, 1)...)
		p, err := minisign.New().Parse(context.Background(), sig, [][]byte{pub}, policy())
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Verify(context.Background(), formats.FromReader(strings.NewReader(artifact)))
		if v != nil || formats.ReasonOf(err) != formats.ReasonProtocolConfusion {
			t.Errorf("%.8q: %v", artifact, err)
		}
	}
}
