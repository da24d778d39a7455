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
	group, name string
	change      func(t *testing.T, s *submission)
	want        formats.Reason
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
	groupAltered   = "altered"
	groupGarbage   = "garbage"
	groupTwo       = "two signatures"
	groupFuture    = "dated in the future"
	groupPolicyKey = "policy keys"
	groupSecret    = "secret key"
	groupForbidden = "forbidden signer"
	groupTruncated = "truncated"
	groupKey       = "no key"
)

var strictCases = []strictCase{
	{groupAltered, "trusted comment changed", onLine(2, func(l string) string { return l + "." }), formats.ReasonSignatureInvalid},
	{groupAltered, "trusted comment emptied", onLine(2, func(string) string { return "trusted comment: " }), formats.ReasonSignatureInvalid},
	{groupAltered, "trusted comment of another shape", onLine(2, func(l string) string { return l[1:] }), formats.ReasonSignatureInvalid},
	{groupAltered, "trusted comment with NUL", onLine(2, func(l string) string { return l + "\x00" }), formats.ReasonMalformedSignature},
	{groupAltered, "trusted comment with CR inside", onLine(2, func(l string) string { return l + "\rmore" }), formats.ReasonMalformedSignature},
	{groupAltered, "trusted comment too long", onLine(2, func(l string) string { return l + strings.Repeat("x", 8192) }), formats.ReasonMalformedSignature},
	{groupAltered, "global signature changed", onLine(3, flip(5)), formats.ReasonSignatureInvalid},
	{groupAltered, "global signature's S changed", onLine(3, flip(40)), formats.ReasonSignatureInvalid},
	{groupAltered, "signature changed", onLine(1, flip(20)), formats.ReasonSignatureInvalid},
	{groupAltered, "key id changed", onLine(1, flip(3)), formats.ReasonKeyMismatch},
	{groupAltered, "key's id changed", withKey(func(k []byte) []byte { return replace(k, 1, flip(3)) }), formats.ReasonKeyMismatch},
	{groupAltered, "another key under this id", withKey(func(k []byte) []byte { return swapKey(k) }), formats.ReasonSignatureInvalid},
	{groupAltered, "two keys under this id", func(_ *testing.T, s *submission) { s.keys = append(s.keys, swapKey(s.keys[0])) }, formats.ReasonMalformedKey},
	{groupAltered, "legacy said to be prehashed", onLine(1, rebuild(func(b []byte) { b[1] ^= 0x20 })), ""},
	{groupAltered, "unknown algorithm", onLine(1, flip(1)), formats.ReasonUnsupportedAlgorithm},
	{groupAltered, "last two lines cut off", withSig(func(s []byte) []byte { return bytes.Join(bytes.SplitAfter(s, []byte("\n"))[:2], nil) }), ""}, // a signify signature

	{groupGarbage, "line", withSig(func(s []byte) []byte { return append(s, "more\n"...) }), formats.ReasonTrailingData},
	{groupGarbage, "empty line", withSig(func(s []byte) []byte { return append(s, '\n') }), ""},
	{groupGarbage, "space", onLine(3, func(l string) string { return l + " " }), ""},
	{groupGarbage, "text after a signify signature", func(t *testing.T, s *submission) {
		s.sig, s.keys = append(read(t, "signify.sig"), "more\n"...), [][]byte{read(t, "release.pub")}
	}, formats.ReasonSignatureInvalid},
	{groupGarbage, "text after an embedded message", func(t *testing.T, s *submission) {
		s.sig, s.keys = append(read(t, "signify-embedded.sig"), "more\n"...), [][]byte{read(t, "release.pub")}
	}, formats.ReasonSignatureInvalid},
	{groupGarbage, "base64 twice", onLine(1, func(l string) string { return l + l }), formats.ReasonMalformedSignature},
	{groupGarbage, "loose base64", onLine(1, loosen), formats.ReasonMalformedSignature},
	{groupGarbage, "unpadded base64", onLine(1, func(l string) string { return strings.TrimRight(l, "=") }), formats.ReasonMalformedSignature},
	{groupGarbage, "URL base64", onLine(1, func(string) string { return strings.Repeat("-_", 50) }), formats.ReasonMalformedSignature},
	{groupGarbage, "leading line", withSig(func(s []byte) []byte { return append([]byte("\n"), s...) }), ""},
	{groupGarbage, "long first line", onLine(0, func(l string) string { return l + strings.Repeat("x", 1024) }), formats.ReasonMalformedSignature},

	{groupTwo, "one after the other", withSig(func(s []byte) []byte { return append(s, s...) }), formats.ReasonMultipleSignatures},
	{groupTwo, "signify", func(t *testing.T, s *submission) {
		s.sig = append(read(t, "signify.sig"), read(t, "signify.sig")...)
	}, formats.ReasonMultipleSignatures},

	{groupFuture, "by years", func(_ *testing.T, s *submission) {
		s.policy.Now = s.policy.Now.AddDate(-10, 0, 0)
	}, formats.ReasonSignatureInFuture},

	{groupPolicyKey, "policy names another", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": {read(t, "other.pub")}}
	}, formats.ReasonKeyNotTrusted},
	{groupPolicyKey, "policy names it, another is sent", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": s.keys}
		s.keys = [][]byte{read(t, "other.pub")}
	}, ""},
	{groupPolicyKey, "allowed signers", func(_ *testing.T, s *submission) {
		s.policy.AllowedSigners = [][sha256.Size]byte{{1}}
	}, formats.ReasonKeyNotTrusted},
	{groupPolicyKey, "no key at all", func(_ *testing.T, s *submission) { s.keys = nil }, formats.ReasonMissingKey},
	{groupPolicyKey, "another key", func(t *testing.T, s *submission) { s.keys = [][]byte{read(t, "other.pub")} }, formats.ReasonKeyMismatch},

	{groupSecret, "minisign", withFile("throwaway-minisign.key"), formats.ReasonSecretKey},
	{groupSecret, "minisign, encrypted", withFile("throwaway-minisign-encrypted.key"), formats.ReasonSecretKey},
	{groupSecret, "signify", withFile("throwaway-signify.key"), formats.ReasonSecretKey},
	{groupSecret, "signify, encrypted", withFile("throwaway-signify-encrypted.key"), formats.ReasonSecretKey},
	{groupSecret, "line alone", func(t *testing.T, s *submission) {
		s.keys = [][]byte{line(read(t, "throwaway-minisign.key"), 1)}
	}, formats.ReasonSecretKey},
	{groupSecret, "cut short", func(t *testing.T, s *submission) {
		s.keys = [][]byte{line(read(t, "throwaway-minisign.key"), 1)[:150]}
	}, formats.ReasonSecretKey},
	{groupSecret, "PEM", withKey(func([]byte) []byte {
		return []byte("-----BEGIN " + "OPENSSH PRIVATE KEY-----\nAAAA\n")
	}), formats.ReasonSecretKey},
	{groupSecret, "as signature", func(t *testing.T, s *submission) { s.sig = read(t, "throwaway-minisign.key") }, formats.ReasonSecretKey},
	{groupSecret, "beside the policy's keys", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"minisign": s.keys}
		s.keys = [][]byte{read(t, "throwaway-minisign.key")}
	}, formats.ReasonSecretKey},

	{groupForbidden, "forbidden", func(t *testing.T, s *submission) {
		s.policy.ForbiddenSigners = [][sha256.Size]byte{sha256.Sum256(describe(t, "legacy.minisig", "signer.pub").Signers[0].SPKI)}
	}, formats.ReasonForbiddenSigner},

	{groupTruncated, "empty", withSig(func([]byte) []byte { return nil }), formats.ReasonMissingSignature},
	{groupTruncated, "too large", withSig(func([]byte) []byte { return make([]byte, formats.MaxSignatureSize+1) }), formats.ReasonTooLarge},
	{groupTruncated, "three lines", withSig(func(s []byte) []byte { return bytes.Join(bytes.SplitAfter(s, []byte("\n"))[:3], nil) }), formats.ReasonMalformedSignature},
	{groupTruncated, "without the last line end", withSig(bytes.TrimSpace), ""},

	{groupKey, "small order", withKey(func([]byte) []byte { return smallOrderKey() }), formats.ReasonWeakAlgorithm},
	{groupKey, "unknown algorithm", withKey(func(k []byte) []byte { return replace(k, 1, flip(0)) }), formats.ReasonMalformedKey},
	{groupKey, "trailing line", withKey(func(k []byte) []byte { return append(k, "more\n"...) }), formats.ReasonMalformedKey},
	{groupKey, "empty", withKey(func([]byte) []byte { return nil }), formats.ReasonMalformedKey},
	{groupKey, "without the comment's prefix", withKey(func(k []byte) []byte { return replace(k, 0, func(string) string { return "comment" }) }), formats.ReasonMalformedKey},
	{groupKey, "signature", func(_ *testing.T, s *submission) { s.keys = [][]byte{s.sig} }, formats.ReasonMalformedKey},
	{groupKey, "too many", func(_ *testing.T, s *submission) { s.keys = slices.Repeat(s.keys, 17) }, formats.ReasonTooLarge},
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

// TestStrictness: what a strict gateway refuses, and what it still takes.
func TestStrictness(t *testing.T) {
	for _, c := range strictCases {
		t.Run(c.group+"/"+c.name, func(t *testing.T) {
			s := submission{read(t, "legacy.minisig"), [][]byte{read(t, "signer.pub")}, policy()}
			c.change(t, &s)
			p, err := formats.NewRegistry(minisign.New()).Parse(context.Background(), "minisign", s.sig, s.keys, s.policy)
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

// TestProtocolConfusion: what an Ed25519 key signed for SSH, CMS or a trusted comment is no file, although
// anybody can put that signature into a signify file.
func TestProtocolConfusion(t *testing.T) {
	const attributes = "1\x1a0\x18\x06\x09*\x86H\x86\xf7\x0d\x01\x09\x041\x0b\x04\x09123456789"
	comment := string(read(t, "../../foreign/testdata/minisign.bin"))
	for _, artifact := range []string{"SSHSIG\x00\x00\x00\x04file", attributes, comment} {
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
