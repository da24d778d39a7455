// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
)

// refused lists real signatures that must not pass, with the key file for each.
var refused = []struct {
	sig, keys string
	want      formats.Reason
}{
	{"rsa-1024", "rsa-1024.pub", formats.ReasonWeakAlgorithm},
	{"namespace", "ecdsa-256.pub", formats.ReasonNamespaceRefused},
	{"ecdsa-256", "other.pub", formats.ReasonKeyMismatch},
	{"ecdsa-256", "ca.signers", formats.ReasonKeyMismatch},
	{"sk-ecdsa-no-touch", "sk-ecdsa.pub", formats.ReasonKeyNotValid},
	{"sk-ed25519-no-touch", "sk-ed25519.pub", formats.ReasonKeyNotValid},
	{"cert-ecdsa", "ecdsa-256.pub", formats.ReasonKeyMismatch},
	{"cert-ecdsa", "cert-ecdsa.pub", formats.ReasonKeyNotValid},
	{"ecdsa-256", "cert-ecdsa.pub", formats.ReasonKeyNotValid},
	{"cert-ecdsa", "ca.pub", formats.ReasonKeyMismatch},
	{"cert-ecdsa", "ca-other.signers", formats.ReasonKeyMismatch},
	{"cert-expired", "ca.signers", formats.ReasonKeyExpired},
	{"cert-later", "ca.signers", formats.ReasonKeyNotValid},
	{"cert-host", "ca.signers", formats.ReasonKeyNotValid},
	{"cert-nobody", "ca.signers", formats.ReasonKeyNotValid},
	{"cert-stranger", "ca.signers", formats.ReasonKeyNotValid},
	{"cert-option", "ca.signers", formats.ReasonUnsupportedFeature},
	{"cert-verify", "ca.signers", formats.ReasonKeyNotValid},
	{"cert-sk-no-pin", "ca.signers", formats.ReasonKeyNotValid},
}

type submission struct {
	sig    []byte
	keys   [][]byte
	policy formats.Policy
}

type strictCase struct {
	group, name string
	change      func(t *testing.T, s *submission)
	want        formats.Reason
}

const (
	groupAlgorithm = "key and algorithm"
	groupNamespace = "namespace"
	groupGarbage   = "garbage"
	groupTwo       = "two signatures"
	groupPolicyKey = "policy keys"
	groupSecret    = "secret key"
	groupForbidden = "forbidden signer"
	groupTruncated = "truncated"
	groupBlob      = "blob that OpenSSH would not make"
	groupKeys      = "key files"
)

func withSig(f func([]byte) []byte) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) { s.sig = f(bytes.Clone(s.sig)) }
}

func withBlob(f func(*blob)) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) {
		b := decode(t, s.sig)
		f(&b)
		s.sig = b.encode()
	}
}

func withInner(f func(*xssh.Signature)) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) { s.sig = edit(t, s.sig, f) }
}

func withNumbers(f func(r, s *big.Int)) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) { s.sig = editECDSA(t, s.sig, f) }
}

// real takes a signature and key file of the test data.
func real(sig, keys string) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) {
		s.sig, s.keys = read(t, sig+".sig"), [][]byte{read(t, keys)}
	}
}

// line puts the key into a line of another shape; KEY stands for it.
func line(format string) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) {
		fields := bytes.Fields(s.keys[0])
		key := string(fields[0]) + " " + string(fields[1])
		s.keys = [][]byte{[]byte(strings.ReplaceAll(format, "KEY", key))}
	}
}

func withKeys(keys ...string) func(*testing.T, *submission) {
	return func(_ *testing.T, s *submission) {
		s.keys = nil
		for _, k := range keys {
			s.keys = append(s.keys, []byte(k))
		}
	}
}

// wire writes strings as SSH does.
func wire(values ...string) (out []byte) {
	for _, v := range values {
		out = append(out, xssh.Marshal(struct{ S string }{v})...)
	}
	return out
}

var strictCases = []strictCase{
	{groupAlgorithm, "SHA-1", func(t *testing.T, s *submission) {
		s.keys = [][]byte{read(t, "rsa.pub")}
		s.sig = edit(t, read(t, "rsa.sig"), func(s *xssh.Signature) { s.Format = "ssh-rsa" })
	}, formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "DSA signature", withInner(func(s *xssh.Signature) { s.Format = "ssh-dss" }), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "DSA key", withBlob(func(b *blob) { b.Key = wire("ssh-dss", "rest") }), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "DSA certificate", withBlob(func(b *blob) { b.Key = wire("ssh-dss-cert-v01@openssh.com") }), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "RSA of 1024 bits", real("rsa-1024", "rsa-1024.pub"), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "certificate as plain key", real("ecdsa-256", "cert-ecdsa.pub"), formats.ReasonKeyNotValid},
	{groupAlgorithm, "certificate, plain key given", real("cert-ecdsa", "ecdsa-256.pub"), formats.ReasonKeyMismatch},
	{groupAlgorithm, "sk without touch", real("sk-ecdsa-no-touch", "sk-ecdsa.pub"), formats.ReasonKeyNotValid},
	{groupAlgorithm, "sk, flags altered to touched", func(t *testing.T, s *submission) {
		s.keys = [][]byte{read(t, "sk-ecdsa.pub")}
		s.sig = edit(t, read(t, "sk-ecdsa-no-touch.sig"), func(s *xssh.Signature) { s.Rest[0] = 1 })
	}, formats.ReasonSignatureInvalid},
	{groupAlgorithm, "sk, counter altered", func(t *testing.T, s *submission) {
		s.keys = [][]byte{read(t, "sk-ed25519.pub")}
		s.sig = edit(t, read(t, "sk-ed25519.sig"), func(s *xssh.Signature) { s.Rest[4]++ })
	}, formats.ReasonSignatureInvalid},
	{groupAlgorithm, "sk, trailing extension", func(t *testing.T, s *submission) {
		s.keys = [][]byte{read(t, "sk-ed25519.pub")}
		s.sig = edit(t, read(t, "sk-ed25519.sig"), func(s *xssh.Signature) { s.Rest = append(s.Rest, 0) })
	}, formats.ReasonMalformedSignature},
	{groupAlgorithm, "authority not a user's", func(t *testing.T, s *submission) {
		signer, _ := newECDSA(t)
		cert := issue(t, signer, signer, "x")
		cert.Nonce[0] ^= 1
		s.sig = forge(t, signer, cert, read(t, "artifact.txt"))
		s.keys = [][]byte{append([]byte("* cert-authority "), xssh.MarshalAuthorizedKey(signer.PublicKey())...)}
	}, formats.ReasonSignatureInvalid},
	{groupAlgorithm, "authority of 1024 bits", byAuthority(1024, xssh.KeyAlgoRSASHA256), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "authority signs with SHA-1", byAuthority(2048, xssh.KeyAlgoRSA), formats.ReasonWeakAlgorithm},
	{groupAlgorithm, "authority signs with SHA-256", byAuthority(2048, xssh.KeyAlgoRSASHA256), ""},

	{groupNamespace, "git", real("namespace", "ecdsa-256.pub"), formats.ReasonNamespaceRefused},
	{groupNamespace, "git, in the policy", func(t *testing.T, s *submission) {
		real("namespace", "ecdsa-256.pub")(t, s)
		s.policy.SSHNamespaces = []string{"git"}
	}, ""},
	{groupNamespace, "file, not in the policy", func(_ *testing.T, s *submission) { s.policy.SSHNamespaces = []string{"git"} }, formats.ReasonNamespaceRefused},
	{groupNamespace, "none in the policy", func(_ *testing.T, s *submission) { s.policy.SSHNamespaces = []string{} }, formats.ReasonNamespaceRefused},
	{groupNamespace, "empty", func(t *testing.T, s *submission) {
		withBlob(func(b *blob) { b.Namespace = "" })(t, s)
		s.policy.SSHNamespaces = []string{""}
	}, formats.ReasonNamespaceRefused},
	{groupNamespace, "altered", withBlob(func(b *blob) { b.Namespace = "file\nother" }), formats.ReasonNamespaceRefused},
	{groupNamespace, "not in the key's line", line(`* namespaces="git,email" KEY`), formats.ReasonNamespaceRefused},
	{groupNamespace, "excluded in the key's line", line(`* namespaces="*,!file" KEY`), formats.ReasonNamespaceRefused},
	{groupNamespace, "in the key's second line", line("* namespaces=\"git\" KEY\n* namespaces=\"f*\" KEY"), ""},

	{groupGarbage, "text after the armor", withSig(func(s []byte) []byte { return append(s, "text\n"...) }), formats.ReasonTrailingData},
	{groupGarbage, "empty line after the armor", withSig(func(s []byte) []byte { return append(s, '\n') }), ""},
	{groupGarbage, "text before the armor", withSig(func(s []byte) []byte { return append([]byte("text\n"), s...) }), formats.ReasonMalformedSignature},
	{groupGarbage, "PEM header", withSig(func(s []byte) []byte {
		return bytes.Replace(s, []byte("\nU1N"), []byte("\nComment: x\n\nU1N"), 1)
	}), formats.ReasonMalformedSignature},
	{groupGarbage, "space in the armor", withSig(func(s []byte) []byte { return bytes.Replace(s, []byte("\nU1N"), []byte("\nU1 N"), 1) }), formats.ReasonMalformedSignature},
	{groupGarbage, "empty line in the armor", withSig(func(s []byte) []byte { return bytes.Replace(s, []byte("\nU1N"), []byte("\n\nU1N"), 1) }), formats.ReasonMalformedSignature},
	{groupGarbage, "after the blob", withBlob(func(b *blob) { b.Rest = []byte{0} }), formats.ReasonTrailingData},
	{groupGarbage, "after the signature in the blob", withInner(func(s *xssh.Signature) { s.Rest = []byte{1, 0, 0, 0, 7} }), formats.ReasonTrailingData},
	{groupGarbage, "after the numbers", withInner(func(s *xssh.Signature) { s.Blob = append(s.Blob, 0) }), formats.ReasonMalformedSignature},
	{groupGarbage, "after the key", withBlob(func(b *blob) { b.Key = append(b.Key, 0) }), formats.ReasonMalformedSignature},

	{groupTwo, "armored", withSig(func(s []byte) []byte { return append(s, s...) }), formats.ReasonMultipleSignatures},
	{groupTwo, "blobs", withBlob(func(b *blob) { b.Rest = b.encode() }), formats.ReasonMultipleSignatures},

	{groupPolicyKey, "no key", withKeys(), formats.ReasonMissingKey},
	{groupPolicyKey, "comments only", withKeys("# nobody\n\n"), formats.ReasonMissingKey},
	{groupPolicyKey, "policy names another", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"ssh": {read(t, "other.pub")}}
	}, formats.ReasonKeyNotTrusted},
	{groupPolicyKey, "policy names it, another is sent", func(t *testing.T, s *submission) {
		s.policy.Keys = map[string][][]byte{"ssh": {read(t, "allowed.signers")}}
		s.keys = [][]byte{read(t, "other.pub")}
	}, ""},
	{groupPolicyKey, "policy names it, none is sent", func(_ *testing.T, s *submission) {
		s.policy.Keys, s.keys = map[string][][]byte{"ssh": s.keys}, nil
	}, ""},
	{groupPolicyKey, "allowed signers", func(_ *testing.T, s *submission) {
		s.policy.AllowedSigners = [][sha256.Size]byte{{1}}
	}, formats.ReasonKeyNotTrusted},

	{groupSecret, "OpenSSH", func(t *testing.T, s *submission) { s.keys = append(s.keys, privateKey(t)) }, formats.ReasonSecretKey},
	{groupSecret, "OpenSSH without armor", func(t *testing.T, s *submission) {
		block, _ := pem.Decode(privateKey(t))
		s.keys = [][]byte{block.Bytes}
	}, formats.ReasonSecretKey},
	{groupSecret, "OpenSSH base64", func(t *testing.T, s *submission) {
		s.keys = [][]byte{bytes.Join(bytes.Split(privateKey(t), []byte("\n"))[1:4], nil)}
	}, formats.ReasonSecretKey},
	{groupSecret, "PEM", withKeys("-----BEGIN EC " + "PRIVATE KEY-----\nAAAA\n"), formats.ReasonSecretKey},
	{groupSecret, "PuTTY", withKeys("PuTTY-User-Key-File-3: ssh-ed25519\n"), formats.ReasonSecretKey},
	{groupSecret, "as signature", func(t *testing.T, s *submission) { s.sig = privateKey(t) }, formats.ReasonSecretKey},
	{groupSecret, "beside the policy's keys", func(t *testing.T, s *submission) {
		s.policy.Keys, s.keys = map[string][][]byte{"ssh": s.keys}, [][]byte{privateKey(t)}
	}, formats.ReasonSecretKey},

	{groupForbidden, "forbidden", func(t *testing.T, s *submission) {
		spki := parse(t, "ecdsa-256", "ecdsa-256.pub").Describe().Signers[0].SPKI
		s.policy.ForbiddenSigners = [][sha256.Size]byte{sha256.Sum256(spki)}
	}, formats.ReasonForbiddenSigner},

	{groupTruncated, "empty", withSig(func([]byte) []byte { return nil }), formats.ReasonMissingSignature},
	{groupTruncated, "no end", withSig(func(s []byte) []byte { return s[:len(s)-10] }), formats.ReasonMalformedSignature},
	{groupTruncated, "no content", withSig(func([]byte) []byte {
		return []byte("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n")
	}), formats.ReasonMalformedSignature},
	{groupTruncated, "large", withSig(func(s []byte) []byte { return append(s, make([]byte, 1<<20)...) }), formats.ReasonTooLarge},
	{groupTruncated, "large and of another format", withSig(func([]byte) []byte { return append([]byte("-"), make([]byte, 1<<20)...) }), formats.ReasonMalformedSignature},
	{groupTruncated, "large blob", withBlob(func(b *blob) { b.Reserved = strings.Repeat("x", 40<<10) }), formats.ReasonTooLarge},
	{groupTruncated, "huge number", withInner(func(s *xssh.Signature) { s.Blob = wire(strings.Repeat("x", 8<<10), "x") }), formats.ReasonMalformedSignature},
	{groupTruncated, "zero", withNumbers(func(r, _ *big.Int) { r.SetInt64(0) }), formats.ReasonMalformedSignature},
	{groupTruncated, "negative", withNumbers(func(_, s *big.Int) { s.Neg(s) }), formats.ReasonMalformedSignature},
	{groupTruncated, "numbers with leading zeros", withInner(func(s *xssh.Signature) {
		var v struct{ R, S string }
		_ = xssh.Unmarshal(s.Blob, &v)
		s.Blob = wire("\x00\x00"+v.R, "\x00"+v.S)
	}), ""},
	{groupTruncated, "number without the zero that makes it positive", withInner(func(s *xssh.Signature) {
		var v struct{ R, S string }
		_ = xssh.Unmarshal(s.Blob, &v)
		s.Blob = wire("\xff"+v.R[1:], v.S)
	}), formats.ReasonMalformedSignature},
	{groupTruncated, "without the last line end", withSig(bytes.TrimSpace), ""},

	{groupBlob, "version", withBlob(func(b *blob) { b.Version = 2 }), formats.ReasonUnsupportedVersion},
	{groupBlob, "reserved", withBlob(func(b *blob) { b.Reserved = "x" }), formats.ReasonUnsupportedFeature},
	{groupBlob, "hash", withBlob(func(b *blob) { b.Hash = "sha1" }), formats.ReasonUnsupportedAlgorithm},
	{groupBlob, "other hash", withBlob(func(b *blob) { b.Hash = "sha256" }), formats.ReasonSignatureInvalid},
	{groupBlob, "magic", withBlob(func(b *blob) { b.Magic[0] = 's' }), formats.ReasonMalformedSignature},
	{groupBlob, "signature of another type", withInner(func(s *xssh.Signature) { s.Format = "ssh-ed25519" }), formats.ReasonMalformedSignature},
	{groupBlob, "unknown signature type", withInner(func(s *xssh.Signature) { s.Format = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" }), formats.ReasonUnsupportedAlgorithm},
	{groupBlob, "unknown key type", withBlob(func(b *blob) { b.Key = wire("ssh-mldsa-44") }), formats.ReasonUnsupportedAlgorithm},
	{groupBlob, "another's key", func(t *testing.T, s *submission) {
		_, pub := newECDSA(t)
		key, _, _, _, _ := xssh.ParseAuthorizedKey(pub)
		s.keys = append(s.keys, pub)
		withBlob(func(b *blob) { b.Key = key.Marshal() })(t, s)
	}, formats.ReasonSignatureInvalid},
	{groupBlob, "small-order Ed25519 key", func(t *testing.T, s *submission) {
		real("ed25519", "ed25519.pub")(t, s)
		withBlob(func(b *blob) { b.Key = wire("ssh-ed25519", "\x01"+strings.Repeat("\x00", 31)) })(t, s)
	}, formats.ReasonWeakAlgorithm},
	{groupBlob, "Ed25519 with S above the order", func(t *testing.T, s *submission) {
		real("ed25519", "ed25519.pub")(t, s)
		s.sig = edit(t, s.sig, func(s *xssh.Signature) { s.Blob[63] |= 0xe0 })
	}, formats.ReasonMalformedSignature},
	{groupBlob, "RSA signature too long", func(t *testing.T, s *submission) {
		real("rsa", "rsa.pub")(t, s)
		s.sig = edit(t, s.sig, func(s *xssh.Signature) { s.Blob = append([]byte{0}, s.Blob...) })
	}, formats.ReasonMalformedSignature},

	{groupKeys, "other key", real("ecdsa-256", "other.pub"), formats.ReasonKeyMismatch},
	{groupKeys, "no key at all", withKeys("release@example.org\n"), formats.ReasonMalformedKey},
	{groupKeys, "broken base64", withKeys("ssh-ed25519 AAAA!"), formats.ReasonMalformedKey},
	{groupKeys, "principal like a key type", line("ssh-ed25519 KEY"), ""},
	{groupKeys, "type does not fit", func(_ *testing.T, s *submission) {
		s.keys = [][]byte{bytes.Replace(s.keys[0], []byte("nistp256"), []byte("nistp384"), 1)}
	}, formats.ReasonMalformedKey},
	{groupKeys, "unknown option", line("* no-such-option KEY"), formats.ReasonMalformedKey},
	{groupKeys, "option twice", line(`* namespaces="file",namespaces="file" KEY`), formats.ReasonMalformedKey},
	{groupKeys, "option unquoted", line("* namespaces=file KEY"), formats.ReasonMalformedKey},
	{groupKeys, "bad time", line(`* valid-after="soon" KEY`), formats.ReasonMalformedKey},
	{groupKeys, "time before all clocks", line(`* valid-before="00010101" KEY`), formats.ReasonMalformedKey},
	{groupKeys, "times crossed", line(`* valid-after="20300101",valid-before="20200101" KEY`), formats.ReasonMalformedKey},
	{groupKeys, "authorized_keys line", line(`restrict,command="x" KEY`), formats.ReasonMalformedKey},
	{groupKeys, "authorized_keys authority", line("cert-authority KEY"), formats.ReasonMalformedKey},
	{groupKeys, "authority signs itself", line("* cert-authority KEY"), formats.ReasonKeyMismatch},
	{groupKeys, "quoted principals", line(`"a b,c" KEY`), ""},
	{groupKeys, "quote left open", line(`"a b KEY`), formats.ReasonMalformedKey},
	{groupKeys, "principal like an option", line("no-reply@example.org KEY comment"), ""},
	{groupKeys, "not valid yet", line(`* valid-after="20300102" KEY`), formats.ReasonKeyNotValid},
	{groupKeys, "not valid any more", line(`* valid-before="20300101Z" KEY`), formats.ReasonKeyExpired},
	{groupKeys, "valid to the second", line(`* valid-after="202912312359",valid-before="20300101000001" KEY`), ""},
	{groupKeys, "CRLF, tabs and comments", line("# all\r\n\r\n\t*\tnamespaces=\"file\"\tKEY\tcomment\r\n"), ""},
	{groupKeys, "upper-case option", line(`* NAMESPACES="file" KEY`), ""},
	{groupKeys, "long line", line("* KEY " + strings.Repeat("x", 9000)), formats.ReasonMalformedKey},
	{groupKeys, "many lines", line(strings.Repeat("KEY\n", 10001)), formats.ReasonTooLarge},
}

// issue makes a user certificate for subject's key.
func issue(t testing.TB, authority, subject xssh.Signer, principals ...string) *xssh.Certificate {
	t.Helper()
	cert := &xssh.Certificate{
		Key: subject.PublicKey(), CertType: xssh.UserCert, ValidPrincipals: principals, ValidBefore: xssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return cert
}

func privateKey(t testing.TB) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// byAuthority signs with a certificate issued by an RSA key.
func byAuthority(bits int, algorithm string) func(*testing.T, *submission) {
	return func(t *testing.T, s *submission) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := xssh.NewSignerFromSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		authority, err = xssh.NewSignerWithAlgorithms(authority.(xssh.AlgorithmSigner), []string{algorithm})
		if err != nil {
			t.Fatal(err)
		}
		signer, _ := newECDSA(t)
		s.sig = forge(t, signer, issue(t, authority, signer, "x"), read(t, "artifact.txt"))
		s.keys = [][]byte{append([]byte("x cert-authority "), xssh.MarshalAuthorizedKey(authority.PublicKey())...)}
	}
}

// TestStrictness: what a strict gateway refuses, and what it still takes.
func TestStrictness(t *testing.T) {
	for _, c := range strictCases {
		t.Run(c.group+"/"+c.name, func(t *testing.T) {
			s := submission{read(t, "ecdsa-256.sig"), [][]byte{read(t, "ecdsa-256.pub")}, policy()}
			c.change(t, &s)
			v, err := verify(s)
			if got := formats.ReasonOf(err); got != c.want || (v == nil) != (err != nil) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for _, r := range refused {
		t.Run(r.sig+" by "+r.keys, func(t *testing.T) {
			if _, err := verify(submission{read(t, r.sig+".sig"), [][]byte{read(t, r.keys)}, policy()}); formats.ReasonOf(err) != r.want {
				t.Errorf("%v, want %q", err, r.want)
			}
		})
	}
}

func verify(s submission) (*formats.Verified, error) {
	return verifyArtifact(s, []byte("released with care\nversion 1.0\n"))
}

func verifyArtifact(s submission, artifact []byte) (*formats.Verified, error) {
	p, err := formats.NewRegistry(ssh.New()).Parse(context.Background(), "ssh", s.sig, s.keys, s.policy)
	if err != nil {
		return nil, err
	}
	return p.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact)))
}

// TestHistorical: expiry passes as a finding, and then nothing is projected.
func TestHistorical(t *testing.T) {
	for _, c := range []submission{
		{read(t, "cert-expired.sig"), [][]byte{read(t, "ca.signers")}, policy()},
		{read(t, "ecdsa-256.sig"), [][]byte{append([]byte(`* valid-before="20200101" `), read(t, "ecdsa-256.pub")...)}, policy()},
	} {
		if _, err := verify(c); formats.ReasonOf(err) != formats.ReasonKeyExpired {
			t.Errorf("%v, want KEY_EXPIRED", err)
		}
		c.policy.Historical.Allow = formats.AllExceptions
		p, err := ssh.New().Parse(context.Background(), c.sig, c.keys, c.policy)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Describe()
		if len(d.Findings) != 1 || d.Findings[0].Reason != formats.ReasonKeyExpired || len(d.Candidates) != 0 || d.NotProjectable == nil {
			t.Errorf("%+v", d)
		}
		v, err := verify(c)
		if err != nil || len(v.Projections) != 0 {
			t.Fatalf("%+v, %v", v, err)
		}
		strict := submission{c.sig, v.Keys, policy()}
		if _, err := verify(strict); formats.ReasonOf(err) != formats.ReasonKeyExpired {
			t.Errorf("the minimal key has lost its expiry: %v", err)
		}
		// A second line for the same key, without expiry, needs no leniency.
		c.keys = append(c.keys, read(t, "ecdsa-256.pub"))
		c.policy.Now = time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
		if p, err = ssh.New().Parse(context.Background(), c.sig, c.keys, c.policy); err != nil || len(p.Describe().Findings) != 0 {
			t.Errorf("%v", err)
		}
	}
}

// TestCanonicalDropsWhatIsNotSigned: armor, line ends, high s and the certificate.
func TestCanonicalDropsWhatIsNotSigned(t *testing.T) {
	plain := read(t, "ecdsa-256.sig")
	canonical := func(sig []byte) []byte {
		v, err := verify(submission{sig, [][]byte{read(t, "ecdsa-256.pub"), read(t, "ca.signers")}, policy()})
		if err != nil {
			t.Fatal(err)
		}
		return v.Canonical
	}
	want := canonical(plain)
	cert := decode(t, plain)
	cert.Key = decode(t, read(t, "cert-ecdsa.sig")).Key
	for name, sig := range map[string][]byte{
		"bare": dearmor(t, plain), "CRLF": bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")),
		"narrow": pemWide(t, plain), "other s": malleate(t, plain), "certificate": cert.encode(), "itself": want,
	} {
		if !bytes.Equal(canonical(sig), want) {
			t.Errorf("%s: makes another submission", name)
		}
	}
}

// TestShortRSA: an agent that drops leading zeros makes the same signature.
func TestShortRSA(t *testing.T) {
	signer, pub := newRSA(t)
	keys := [][]byte{pub}
	for i := 0; ; i++ {
		artifact := []byte(strconv.Itoa(i))
		full := forge(t, signer, signer.PublicKey(), artifact)
		short := editRaw(t, full, func(s *xssh.Signature) { s.Blob = bytes.TrimLeft(s.Blob, "\x00") })
		if len(short) == len(full) {
			continue
		}
		a, err := verifyArtifact(submission{full, keys, policy()}, artifact)
		if err != nil {
			t.Fatal(err)
		}
		b, err := verifyArtifact(submission{short, keys, policy()}, artifact)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Canonical, b.Canonical) || b.Projections[0].VerifyDigest() != nil {
			t.Error("a short signature is another submission, or its projection does not verify")
		}
		return
	}
}

// pemWide puts the blob on lines of 64 characters, as encoding/pem does.
func pemWide(t testing.TB, sig []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: dearmor(t, sig)})
}
