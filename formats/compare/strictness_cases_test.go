// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// strictCase is one line of the table in docs/strictness.md.
type strictCase struct {
	what string
	want formats.Reason // "" is: accepted
	submission
	as     *submission        // when set: must be the same submission as this one
	absent map[string]string  // judges that cannot be asked, and why
	holds  func(verdict) bool // when set: what else rekor-gateway must do
	also   string             // …in words
}

// strictRow is one row of requirements.
type strictRow struct {
	title string
	cases []strictCase
}

const accepted formats.Reason = ""

func strictRows() []strictRow {
	return slices.Concat(pgpSignatureRows(), pgpKindRows(), pgpKeyRows(), keyRows(), minisignRows(), sshRows(), pkcs7Rows(), x509Rows(), tufRows(), hostileRows())
}

// of is a sample of a plugin's test data.
func of(format, names, artifact string) submission {
	if artifact == "" {
		return sample(format, names, nil)
	}
	return sample(format, names, read(format, artifact))
}

func (s submission) with(change func(*submission)) submission {
	s = s.clone()
	change(&s)
	return s
}

func (s submission) under(policy func(*formats.Policy)) submission {
	s.policy = policy
	return s
}

func (s submission) appended(tail string) submission {
	return s.with(func(s *submission) { s.signature = append(s.signature, tail...) })
}

func historical(p *formats.Policy) { p.Historical.Allow = formats.AllExceptions }

// crafted is a signature by the throwaway key, changed.
func craftedPGP(name string, change func(*pgpKey, *pgpSignature)) submission {
	k := newPGPKey(name)
	p := plainPGP(k)
	if change != nil {
		change(k, &p)
	}
	return submission{format: "pgp", base: "crafted", signature: p.sign(k, document), keys: [][]byte{k.file}, artifact: document}
}

func pgpSignatureRows() []strictRow {
	md5 := craftedPGP("rsa2048", func(_ *pgpKey, p *pgpSignature) { p.hashID, p.hash = 1, crypto.MD5 })
	sha1 := of("pgp", "sha1.sig rsa2048.key", "artifact")
	plain, armored := of("pgp", "rsa2048-SHA256.sig rsa2048.key", "artifact"), of("pgp", "armored.asc rsa3072.key", "artifact")
	broken := plain.with(func(s *submission) {
		last := bytes.Clone(s.signature)
		last[len(last)-1] ^= 1
		s.signature = append(s.signature, last...)
	})
	good := craftedPGP("p256", nil)
	return []strictRow{
		{"PGP: weak algorithms", []strictCase{
			{what: "over SHA-1", want: formats.ReasonWeakAlgorithm, submission: sha1},
			{what: "over MD5", want: formats.ReasonWeakAlgorithm, submission: md5},
			{what: "DSA key", want: formats.ReasonWeakAlgorithm, submission: of("pgp", "dsa.sig dsa.key", "artifact")},
			{what: "RSA-1024 key", want: formats.ReasonWeakAlgorithm, submission: of("pgp", "rsa1024.sig rsa1024.key", "artifact")},
			{what: "over SHA-1, policy `historical`", want: accepted, submission: sha1.under(historical), absent: noPolicy,
				holds: neverProjected, also: "attested, never projected"},
			{what: "over MD5, policy `historical`", want: formats.ReasonWeakAlgorithm, submission: md5.under(historical), absent: noPolicy},
		}},
		{"PGP: more than one signature", []strictCase{
			{what: "two good ones by two keys", submission: of("pgp", "two.sig keyring.gpg", "artifact")},
			{what: "a good one, then a broken one", want: formats.ReasonSignatureInvalid, submission: broken},
		}},
		{"PGP: more after the end", []strictCase{
			{what: "bytes after the packet", want: formats.ReasonTrailingData, submission: plain.appended("some text\n")},
			{what: "text after the armor", want: formats.ReasonTrailingData, submission: armored.appended("some text\n")},
		}},
		{"PGP: issuer and subpackets", []strictCase{
			{what: "hashed issuer fingerprint of another key", want: formats.ReasonKeyMismatch,
				submission: craftedPGP("p256", func(_ *pgpKey, p *pgpSignature) {
					p.hashed = append(subpacket(2, pgpTime(pgpBorn)...), newPGPKey("other").issuer()...)
				})},
			{what: "unhashed subpacket added", want: accepted, as: &good, also: "the same submission as without it",
				submission: craftedPGP("p256", func(_ *pgpKey, p *pgpSignature) { p.unhashed = append(p.unhashed, subpacket(100, 1, 2, 3)...) })},
			{what: "unknown critical subpacket", want: formats.ReasonUnsupportedFeature,
				submission: craftedPGP("p256", func(k *pgpKey, p *pgpSignature) { p.stamp(k, pgpBorn, subpacket(0x80|99, 1)...) })},
		}},
	}
}

func pgpKindRows() []strictRow {
	kind := func(k byte) submission {
		return craftedPGP("rsa2048", func(_ *pgpKey, p *pgpSignature) { p.kind = k })
	}
	return []strictRow{
		{"PGP: signatures that sign no document", []strictCase{
			{what: "standalone (0x02)", want: formats.ReasonUnsupportedSignature, submission: kind(0x02)},
			{what: "certification (0x10)", want: formats.ReasonUnsupportedSignature, submission: kind(0x10)},
			{what: "certification (0x13)", want: formats.ReasonUnsupportedSignature, submission: kind(0x13)},
			{what: "timestamp (0x40)", want: formats.ReasonUnsupportedSignature, submission: kind(0x40)},
		}},
		{"PGP: dates", []strictCase{
			{what: "dated in the future", want: formats.ReasonSignatureInFuture,
				submission: craftedPGP("rsa2048", func(k *pgpKey, p *pgpSignature) { p.stamp(k, now.AddDate(1, 0, 0)) })},
			{what: "expired signature", want: formats.ReasonSignatureExpired, submission: of("pgp", "expires.sig rsa3072.key", "artifact")},
		}},
		{"PGP: version 3 signature", []strictCase{
			{what: "over SHA-256", want: accepted, submission: of("pgp", "v3-SHA256.sig v3.key", "artifact")},
		}},
	}
}

var noPolicy = map[string]string{ownTool: "no such policy", library: "no such policy", rekorV1: "no such policy"}

func neverProjected(v verdict) bool { return len(v.verified.Projections) == 0 }

func pgpKeyRows() []strictRow {
	revoked := func(why, when string) submission {
		return of("pgp", "revoked-"+why+"-"+when+".sig revoked-"+why+".key", "artifact")
	}
	plain := of("pgp", "rsa2048-SHA256.sig rsa2048.key", "artifact")
	return []strictRow{
		{"PGP: expired and revoked keys", []strictCase{
			{what: "expired by now, valid when signed", want: accepted, submission: of("pgp", "expired-before.sig expired.key", "artifact")},
			{what: "expired when signed", want: formats.ReasonKeyExpired, submission: of("pgp", "expired-after.sig expired.key", "artifact")},
			{what: "revoked as compromised, after the signature", want: formats.ReasonKeyRevoked, submission: revoked("compromised", "before")},
			{what: "revoked without a reason, after the signature", want: formats.ReasonKeyRevoked, submission: revoked("none", "before")},
			{what: "replaced, after the signature by its own claim", want: formats.ReasonKeyRevoked, submission: revoked("superseded", "before")},
			{what: "replaced, after a verified time of the signature", want: accepted,
				submission: revoked("superseded", "before").under(func(p *formats.Policy) { p.KnownBy = time.Date(2025, 1, 15, 0, 0, 0, 0, time.UTC) })},
			{what: "replaced, before the signature", want: formats.ReasonKeyRevoked, submission: revoked("superseded", "after")},
			{what: "signing subkey revoked as compromised", want: formats.ReasonKeyRevoked, submission: of("pgp", "subrevoked.sig subrevoked.key", "artifact")},
			{what: "revoked by its designated revoker", want: formats.ReasonKeyRevoked,
				submission: of("pgp", "revoker/compromised.sig revoker/compromised.key revoker/officer.key", "artifact")},
			{what: "revoked in the name of its designated revoker, whose key is missing", want: formats.ReasonKeyRevoked,
				submission: of("pgp", "revoker/compromised.sig revoker/compromised.key", "artifact")},
		}},
		{"PGP: more in the keyring than the signer", []strictCase{
			{what: "other keys, e-mails, others' certifications", want: accepted, submission: of("pgp", "many.sig keyring.gpg", "artifact"),
				holds: keepsOneKey, also: "keeps the signer's key and the self-signature that gives it its flags"},
		}},
		{"Policy's keys win over the submitter's", []strictCase{
			{what: "PGP: sender's own key, the policy names another", want: formats.ReasonKeyNotTrusted, absent: noPolicy,
				submission: plain.under(func(p *formats.Policy) { p.Keys = map[string][][]byte{"pgp": {read("pgp", "p256.key")}} })},
			{what: "PGP: the policy allows another SPKI", want: formats.ReasonKeyNotTrusted, absent: noPolicy,
				submission: plain.under(func(p *formats.Policy) { p.AllowedSigners = [][sha256.Size]byte{{1}} })},
		}},
	}
}

// keepsOneKey: of a keyring with dozens of user IDs at most one is left, without others' signatures.
func keepsOneKey(v verdict) bool {
	kept := bytes.Join(v.verified.Keys, nil)
	return len(kept) > 0 && bytes.Count(kept, []byte("@example.org")) <= 1 && len(kept) < 512
}

// keyRows: what must never be stored.
func keyRows() []strictRow {
	var private bytes.Buffer
	check(newPGPKey("rsa2048").entity.SerializePrivateWithoutSigning(&private, nil))
	pgp := craftedPGP("rsa2048", nil)
	pgp.keys = [][]byte{private.Bytes()}
	raw := signedBy("p256", crypto.SHA256)
	block := must(xssh.MarshalPrivateKey(throwaway("p256"), ""))
	secret := func(what string, s submission, key []byte) strictCase {
		s.keys = [][]byte{key}
		return strictCase{what: what, want: formats.ReasonSecretKey, submission: s}
	}
	return []strictRow{{"Private key sent as `key`", []strictCase{
		secret("PGP", pgp, private.Bytes()),
		secret("minisign", of("minisign", "prehashed.minisig", "artifact.txt"), read("minisign", "throwaway-minisign.key")),
		secret("SSH", of("ssh", "ecdsa-256.sig", "artifact.txt"), pem.EncodeToMemory(block)),
		secret("X.509", raw, must(readThrowaway("p256"))),
	}}}
}

func minisignRows() []strictRow {
	made := func(change func(*minisig)) submission {
		m := plainMinisig()
		change(&m)
		return submission{format: "minisign", base: "crafted", signature: m.file(), keys: [][]byte{m.key()}, artifact: document}
	}
	return []strictRow{{"minisign: what the global signature and key id say", []strictCase{
		{what: "trusted comment altered", want: formats.ReasonSignatureInvalid, submission: made(func(m *minisig) { m.trusted += "!" })},
		{what: "global signature by another key", want: formats.ReasonSignatureInvalid, submission: made(func(m *minisig) { m.globalSigner = strangersKey })},
		{what: "key id of another key", want: formats.ReasonKeyMismatch, submission: made(func(m *minisig) { m.id = "87654321" })},
		{what: "untrusted comment altered", want: accepted, submission: made(func(m *minisig) { m.untrusted = "untrusted comment: anything" })},
		{what: "dated in the future", want: formats.ReasonSignatureInFuture, submission: of("minisign", "future.minisig signer.pub", "artifact.txt")},
	}}}
}

func sshRows() []strictRow {
	made := func(key string, change func(*sshSignature)) submission {
		s := plainSSH(key)
		change(&s)
		return submission{format: "ssh", base: "crafted", signature: s.file(document), keys: [][]byte{xssh.MarshalAuthorizedKey(sshPublic(key))}, artifact: document}
	}
	git := of("ssh", "namespace.sig ecdsa-256.pub", "artifact.txt")
	return []strictRow{
		{"SSH: algorithms, certificates, security keys", []strictCase{
			{what: "`ssh-rsa` (SHA-1)", want: formats.ReasonWeakAlgorithm, submission: made("rsa2048", func(s *sshSignature) { s.algorithm = xssh.KeyAlgoRSA })},
			{what: "RSA-1024 key", want: formats.ReasonWeakAlgorithm, submission: of("ssh", "rsa-1024.sig rsa-1024.pub", "artifact.txt")},
			{what: "certificate sent as a plain key", want: formats.ReasonKeyNotValid, submission: of("ssh", "cert-ecdsa.sig cert-ecdsa.pub", "artifact.txt")},
			{what: "certificate by the authority that is given", want: accepted, submission: of("ssh", "cert-ecdsa.sig ca.signers", "artifact.txt")},
			{what: "security key (ECDSA) that was not touched", want: formats.ReasonKeyNotValid, submission: of("ssh", "sk-ecdsa-no-touch.sig sk-ecdsa.pub", "artifact.txt")},
			{what: "security key (Ed25519) that was not touched", want: formats.ReasonKeyNotValid, submission: of("ssh", "sk-ed25519-no-touch.sig sk-ed25519.pub", "artifact.txt")},
		}},
		{"SSH: namespace", []strictCase{
			{what: "`git`, where `file` is expected", want: formats.ReasonNamespaceRefused, submission: git},
			{what: "`git`, where it is expected", want: accepted, absent: map[string]string{rekorV1: "knows `file` only"},
				submission: git.with(func(s *submission) { s.namespace = "git" }).under(func(p *formats.Policy) { p.SSHNamespaces = []string{"git"} })},
			{what: "`file` named, `git` signed", want: formats.ReasonSignatureInvalid, submission: made("p256", func(s *sshSignature) { s.inner = "git" })},
		}},
	}
}

func pkcs7Rows() []strictRow {
	made := func(change func(*cmsSignature)) submission {
		c := plainCMS("rsa2048", crypto.SHA256, document)
		change(&c)
		return submission{format: "pkcs7", base: "crafted", signature: c.file(), artifact: document}
	}
	plain := of("pkcs7", "rsa2048.der", "artifact.bin")
	return []strictRow{
		{"PKCS #7: signed attributes", []strictCase{
			{what: "content-type missing", want: formats.ReasonMalformedSignature, submission: made(func(c *cmsSignature) { c.attributes = c.attributes[1:] })},
			{what: "content-type of another type", want: formats.ReasonMalformedSignature, submission: made(func(c *cmsSignature) {
				c.attributes[0] = attribute(oidContentType, oidSignedData)
			})},
			{what: "message digest twice", want: formats.ReasonMalformedSignature, submission: made(func(c *cmsSignature) { c.attributes = append(c.attributes, c.attributes[2]) })},
			{what: "attributes stripped: they became the content", want: formats.ReasonProtocolConfusion, submission: strippedAttributes()},
		}},
		{"PKCS #7: weak algorithms", []strictCase{
			{what: "over MD5", want: formats.ReasonWeakAlgorithm, submission: of("pkcs7", "md5.der", "artifact.bin")},
			{what: "over SHA-1", want: formats.ReasonWeakAlgorithm, submission: of("pkcs7", "sha1.der", "artifact.bin")},
			{what: "RSA-1024 key", want: formats.ReasonWeakAlgorithm, submission: of("pkcs7", "rsa1024.der", "artifact.bin")},
		}},
		{"PKCS #7: signers", []strictCase{
			{what: "none", want: formats.ReasonNoSignature, submission: of("pkcs7", "no-signer.der", "artifact.bin")},
			{what: "two", submission: of("pkcs7", "two-signers.der", "artifact.bin")},
			{what: "two, one broken", want: formats.ReasonSignatureInvalid, submission: made(func(c *cmsSignature) {
				c.signers, c.breakLast = append(c.signers, newCMSSigner("other")), true
				c.certs = c.signers
			})},
			{what: "the key given is not the signer's", want: formats.ReasonKeyMismatch, submission: of("pkcs7", "rsa2048.der other-cert.pem", "artifact.bin")},
			{what: "certificate for key agreement only", want: formats.ReasonKeyNotValid, submission: of("pkcs7", "agreement.der", "artifact.bin")},
		}},
		{"Bytes after the end of DER", []strictCase{
			{what: "PKCS #7", want: formats.ReasonTrailingData, submission: plain.appended("\x00")},
			{what: "X.509, ECDSA signature", want: formats.ReasonTrailingData, submission: of("x509", "p256.sig p256.pem", "artifact.bin").appended("\x00")},
		}},
	}
}

// signedBy is a raw signature over document.
func signedBy(name string, h crypto.Hash) submission {
	return submission{format: "x509", base: "crafted", signature: signDigest(throwaway(name), h, sum(h, document)), keys: [][]byte{publicPEM(name)}, artifact: document}
}

// reencoded is the same ECDSA signature in another form.
func reencoded(s submission, f func(*ecdsaValue) []byte) submission {
	return s.with(func(s *submission) {
		var v ecdsaValue
		must(asn1.Unmarshal(s.signature, &v))
		s.signature = f(&v)
	})
}

func x509Rows() []strictRow {
	plain := signedBy("p256", crypto.SHA256)
	n := throwaway("p256").(*ecdsa.PrivateKey).Params().N
	chain := of("x509", "p256.sig p256-chain.pem", "artifact.bin")
	later := func(p *formats.Policy) { p.Now = now.AddDate(5, 0, 0) }
	withRoots := func(p *formats.Policy) {
		p.Roots = x509.NewCertPool()
		p.Roots.AppendCertsFromPEM(read("x509", "root-cert.pem"))
	}
	laterWithRoots := func(p *formats.Policy) {
		later(p)
		withRoots(p)
	}
	own := map[string]string{ownTool: "has no such list", library: "has no such list", rekorV1: "has no such list"}
	spki := must(x509.MarshalPKIXPublicKey(throwaway("p256").Public()))
	return []strictRow{
		{"X.509: encodings of one ECDSA signature", []strictCase{
			{what: "r‖s", want: accepted, as: &plain, also: "the same submission as in DER", submission: reencoded(plain, func(v *ecdsaValue) []byte { return fixed(v, n) })},
			{what: "DER of (r, n − s)", want: accepted, as: &plain, also: "the same submission as (r, s)", submission: reencoded(plain, func(v *ecdsaValue) []byte {
				v.S.Sub(n, v.S)
				return der(v)
			})},
			{what: "DER", want: accepted, submission: plain, also: "logged exactly as submitted",
				holds: func(v verdict) bool { return bytes.Equal(v.verified.Projections[0].Signature, plain.signature) }},
		}},
		{"X.509: another protocol's signature, a forbidden signer", []strictCase{
			{what: "the artifact is an SSHSIG blob", want: formats.ReasonProtocolConfusion, submission: protocolSamples()[0]},
			{what: "the artifact is a SET OF Attribute (CMS)", want: formats.ReasonProtocolConfusion, submission: protocolSamples()[1]},
			{what: "the key is the gateway's or a log's own", want: formats.ReasonForbiddenSigner, absent: own,
				submission: plain.under(func(p *formats.Policy) { p.ForbiddenSigners = [][sha256.Size]byte{sha256.Sum256(spki)} })},
		}},
		{"X.509: certificates", []strictCase{
			{what: "chain, leaf first", want: accepted, submission: chain},
			{what: "chain, leaf last", want: formats.ReasonMalformedKey, submission: of("x509", "p256.sig p256-chain-backwards.pem", "artifact.bin")},
			{what: "expired by now, no roots configured", want: accepted, submission: chain.under(later), also: "with a note for auditors"},
			{what: "expired by now, roots configured", want: formats.ReasonKeyExpired, submission: chain.under(laterWithRoots), absent: own},
			{what: "unknown critical extension, no roots configured", want: accepted, submission: of("x509", "p256.sig p256-critical-cert.pem", "artifact.bin"), also: "as its key, with a note for auditors"},
			{what: "unknown critical extension, roots configured", want: formats.ReasonUnsupportedFeature,
				submission: of("x509", "p256.sig p256-critical-cert.pem", "artifact.bin").under(withRoots), absent: own},
			{what: "for key agreement only", want: formats.ReasonKeyNotValid, submission: of("x509", "p256.sig p256-agreement-cert.pem", "artifact.bin")},
		}},
	}
}

func tufRows() []strictRow {
	made := func(change func(*tufDocument)) submission {
		d := plainTUF("targets", 2)
		change(d)
		s := d.submission("")
		s.format = "tuf"
		return s
	}
	plain := of("tuf", "targets.json root-1.json", "")
	field := func(kind string) submission {
		for _, f := range tufFields {
			if f.kind == kind {
				return made(func(d *tufDocument) { f.apply(seededRand(1), d) })
			}
		}
		panic(kind)
	}
	return []strictRow{
		{"TUF: whose root", []strictCase{
			{what: "root by anybody, none pinned", want: accepted, submission: made(func(*tufDocument) {}), also: "with a note that nothing says whose root it is"},
			{what: "root by anybody, another pinned", want: formats.ReasonKeyNotTrusted, absent: noPolicy,
				submission: plain.under(func(p *formats.Policy) { p.TUFRoots = [][sha256.Size]byte{{1}} })},
			{what: "the pinned root", want: accepted, absent: noPolicy,
				submission: plain.under(func(p *formats.Policy) { p.TUFRoots = [][sha256.Size]byte{sha256.Sum256(plain.keys[0])} })},
		}},
		{"TUF: counting and reading", []strictCase{
			{what: "one key under two ids, threshold 2", want: formats.ReasonThresholdNotMet, submission: of("tuf", "twice-targets.json twice-root.json", "")},
			{what: "one key id twice, threshold 2", want: formats.ReasonMalformedSignature, submission: field("field: key id twice")},
			{what: "one signature, threshold 2", want: formats.ReasonThresholdNotMet, submission: made(func(d *tufDocument) { d.signers = d.keys[:1] })},
			{what: "spec_version 2.0.0", want: formats.ReasonUnsupportedVersion, submission: made(func(d *tufDocument) { d.signed["spec_version"] = "2.0.0" })},
			{what: "member twice", want: formats.ReasonMalformedSignature, submission: made(func(d *tufDocument) {
				d.edit = func(b []byte) []byte {
					return bytes.Replace(b, []byte(`"version":1`), []byte(`"version":7,"version":1`), 1)
				}
			})},
			{what: "signed by another role's key", want: formats.ReasonNotAuthorized, submission: of("tuf", "targets-wrong-role.json root-1.json", "")},
			{what: "expired metadata", want: formats.ReasonMetadataExpired, submission: of("tuf", "targets-expired.json root-1.json", "")},
			{what: "expired metadata, policy `historical`", want: accepted, absent: noPolicy, holds: neverProjected, also: "attested, never projected",
				submission: of("tuf", "targets-expired.json root-1.json", "").under(historical)},
		}},
	}
}

// hostileRows stand for the fuzz targets and for TestCompare's thousands.
func hostileRows() []strictRow {
	cut := func(s submission) submission {
		return s.with(func(s *submission) { s.signature = s.signature[:len(s.signature)/2] })
	}
	huge := craftedPGP("rsa2048", nil).with(func(s *submission) {
		at := len(s.signature) - 256 - 2 // the MPI's length in bits
		s.signature[at], s.signature[at+1] = 0xff, 0xff
	})
	deep := of("tuf", "targets.json root-1.json", "").with(func(s *submission) {
		s.signature = []byte(`{"signatures":[],"signed":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`)
	})
	return []strictRow{{"Hostile bytes", []strictCase{
		{what: "PGP: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("pgp", "armored.asc rsa3072.key", "artifact"))},
		{what: "PGP: integer of 65535 bits", want: formats.ReasonMalformedSignature, submission: huge},
		{what: "PGP: signed message with compressed content", want: formats.ReasonUnsupportedSignature, submission: of("pgp", "inline.asc rsa3072.key", "artifact")},
		{what: "minisign: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("minisign", "prehashed.minisig signer.pub", "artifact.txt"))},
		{what: "SSH: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("ssh", "ecdsa-256.sig ecdsa-256.pub", "artifact.txt"))},
		{what: "PKCS #7: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("pkcs7", "rsa2048.der", "artifact.bin"))},
		{what: "X.509: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("x509", "p256.sig p256.pem", "artifact.bin"))},
		{what: "TUF: cut in half", want: formats.ReasonMalformedSignature, submission: cut(of("tuf", "targets.json root-1.json", ""))},
		{what: "TUF: nested 100,000 deep", want: formats.ReasonMalformedSignature, submission: deep},
	}}}
}
