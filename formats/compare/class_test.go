// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// class is a kind of disagreement that is meant. Empty fields match anything; of a list, one
// has to match.
type class struct {
	name    string
	format  string
	judges  []string
	laxer   bool             // rekor-gateway accepts what the judge refuses; else it is the other way round
	reasons []formats.Reason // rekor-gateway's
	subject []string         // words in the submission's base or kind
	theirs  []string         // words in the judge's refusal
	why     string           // for docs/strictness.md
}

func (c class) matches(d disagreement) bool {
	return d.ours.accepted == c.laxer &&
		(c.format == "" || c.format == d.format) &&
		(len(c.judges) == 0 || slices.Contains(c.judges, d.judge)) &&
		(len(c.reasons) == 0 || slices.Contains(c.reasons, d.ours.reason)) &&
		mentions(d.base+", "+d.kind, c.subject) && mentions(d.theirs.detail, c.theirs)
}

func mentions(text string, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// classify returns the first class that d belongs to, or nil.
func classify(d disagreement) *class {
	for i := range classes {
		if classes[i].matches(d) {
			return &classes[i]
		}
	}
	return nil
}

// classes are stricter first, then laxer; within these, the general ones first.
var classes = slices.Concat(stricterClasses, stricterPGP, stricterPEM, stricterTUF, laxerClasses)

var others = []string{library, rekorV1}

var stricterClasses = []class{
	{name: "trailing data", reasons: []formats.Reason{formats.ReasonTrailingData},
		why: "Bytes after the end of a signature or key are nobody's. The others stop reading; here they are refused, so that what is kept in the receipt is the signature and nothing else."},
	{name: "several signatures", reasons: []formats.Reason{formats.ReasonMultipleSignatures},
		why: "A minisign or SSH file holds one signature. The others read the first. In PGP and CMS files, which may hold several, every one has to verify."},
	{name: "signature of a stranger", reasons: []formats.Reason{formats.ReasonKeyMismatch}, subject: []string{"followed by another"},
		why: "Where a file holds several signatures, each has to be by one of the keys, unless the caller asks for `signatures=known`. One good one is enough for the others."},
	{name: "weak algorithm", reasons: []formats.Reason{formats.ReasonWeakAlgorithm},
		why: "MD5, SHA-1, DSA, RSA below 2048 bits, P-224 and Ed25519 keys of small order are refused; the `historical` policy attests SHA-1 and DSA."},
	{name: "dated in the future", reasons: []formats.Reason{formats.ReasonSignatureInFuture},
		why: "A claimed signing time more than five minutes ahead is refused. minisign, OpenSSL and Rekor do not look at it; gpg warns and exits 0."},
	{name: "signature expired", format: "pgp", judges: []string{rekorV1}, reasons: []formats.Reason{formats.ReasonSignatureExpired},
		why: "Rekor sets its clock to the time the signature claims, so that no signature ever expires."},
	{name: "unsupported algorithm", reasons: []formats.Reason{formats.ReasonUnsupportedAlgorithm}, subject: []string{"sha224"},
		why: "SHA-224 is not supported, since no log records it."},
	{name: "signature by a web browser", format: "ssh", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonUnsupportedAlgorithm}, subject: []string{"webauthn"},
		why: "ssh-keygen verifies security keys' signatures that a browser had made (WebAuthn); golang.org/x/crypto/ssh, by which signatures are verified here, does not."},
	{name: "minisign's algorithm name", format: "minisign", judges: []string{rekorV1}, reasons: []formats.Reason{formats.ReasonUnsupportedAlgorithm},
		why: "Of the two letters of minisign's algorithm name, Rekor looks at the second one only, and takes any but D for the legacy algorithm."},
	{name: "unknown critical part", reasons: []formats.Reason{formats.ReasonUnsupportedFeature},
		why: "What a signer marked as critical and is not understood refuses: SSH certificate options, OpenPGP subpackets, certificate extensions where roots are configured."},
	{name: "unknown version", reasons: []formats.Reason{formats.ReasonUnsupportedVersion},
		why: "ssh-keygen reads SSHSIG version 0, OpenSSL any CMS version, go-tuf any spec_version."},
	{name: "another protocol's bytes", format: "x509", reasons: []formats.Reason{formats.ReasonProtocolConfusion},
		why: "A raw signature over an SSHSIG blob, CMS attributes, a file with an OpenPGP trailer and the like was made for that protocol, not for an artifact."},
	{name: "another key than the signer's", judges: others, reasons: []formats.Reason{formats.ReasonKeyMismatch},
		why: "Rekor ignores minisign's key id, the public key within an SSH signature and any key beside a PKCS #7 signature; go-crypto and Rekor ignore a hashed issuer fingerprint when the key id fits."},
	{name: "damaged key file", reasons: []formats.Reason{formats.ReasonMalformedKey}, subject: []string{"key: "},
		why: "A key file is read whole and strictly; the others skip the parts that they do not understand or do not need."},
	{name: "text before the signature", reasons: []formats.Reason{formats.ReasonMalformedSignature}, subject: []string{"text before", "followed by another"},
		why: "Nothing may come before the armor."},
	{name: "unsigned minisign lines", format: "minisign", reasons: []formats.Reason{formats.ReasonMalformedSignature},
		subject: []string{"untrusted comment", "trusted comment", "signature: "},
		why:     "The shape of all lines is checked: the prefixes, and no control characters, which drive terminals. Most of it is not signed, and no other reader looks."},
	{name: "text after a signify signature", format: "minisign", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonSignatureInvalid}, subject: []string{"text appended"},
		why: "What follows a signify signature in its file is the signed message (signify -e), and nothing else may; without -e signify does not look at it."},
	{name: "trusted comment not checked", format: "minisign", judges: []string{rekorV1}, reasons: []formats.Reason{formats.ReasonSignatureInvalid},
		why: "Rekor never checks minisign's global signature, which covers the trusted comment."},
	{name: "two signers' key in one SSH signature", format: "ssh", judges: []string{rekorV1}, reasons: []formats.Reason{formats.ReasonMalformedSignature, formats.ReasonMalformedKey},
		subject: []string{"another public key inside", "below the armor", "bit flipped"},
		why:     "Rekor ignores the public key within the signature, well-formed or not."},
	{name: "certificate or security key not honoured", format: "ssh", reasons: []formats.Reason{formats.ReasonKeyNotValid},
		why: "A signature by a security key counts only if it was touched (and its PIN asked, when its certificate says so); a certificate counts by its authority, never as a plain key."},
	{name: "loose base64", format: "ssh", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonMalformedSignature},
		why: "ssh-keygen takes base64 whose last bits are not zero; here one blob has one encoding."},
}

var stricterPGP = []class{
	{name: "revoked key", format: "pgp", judges: []string{ownTool, rekorV1}, reasons: []formats.Reason{formats.ReasonKeyRevoked},
		why: "A key revoked as compromised or without a reason never counts, one that was replaced or retired only for signatures that a verified time puts before that: whoever has the key can claim any. gpg warns and exits 0; Rekor looks from the time the signature claims."},
	{name: "damaged revocation", format: "pgp", reasons: []formats.Reason{formats.ReasonKeyRevoked}, subject: []string{"key: "},
		why: "A revocation in the key's name that cannot be checked counts, since nobody can show that it is void; go-crypto skips it."},
	{name: "key expired when the signature was made", format: "pgp", judges: []string{ownTool, rekorV1}, reasons: []formats.Reason{formats.ReasonKeyExpired},
		why: "gpg says so and exits 0."},
	{name: "hashed issuer of another key", format: "pgp", reasons: []formats.Reason{formats.ReasonKeyMismatch, formats.ReasonSignatureInvalid}, subject: []string{"hashed issuer of another key"},
		why: "The issuer fingerprint that the signer signed decides; the others go by the unsigned key id."},
	{name: "made before the key", format: "pgp", judges: others, reasons: []formats.Reason{formats.ReasonKeyNotValid},
		why: "A signature dated before its key existed is refused, as gpg does."},
	{name: "damaged armor", format: "pgp", reasons: []formats.Reason{formats.ReasonMalformedSignature}, subject: []string{"signature: "},
		why: "gpg does without the armor's last line, and go-crypto reads damaged armor up to the first signature."},
	{name: "unreadable subpacket", format: "pgp", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonMalformedSignature}, subject: []string{"subpacket"},
		why: "A hashed subpacket that is no subpacket, or whose content cannot be what its type says, refuses; gpg skips it when it does not use it."},
	{name: "hash tag", format: "pgp", reasons: []formats.Reason{formats.ReasonArtifactMismatch}, subject: []string{"signature: bit flipped"},
		why: "The two octets of the digest that the packet repeats have to be right; the others do not look at them, and they are not signed."},
}

var stricterPEM = []class{
	{name: "bytes after an RSA signature", format: "x509", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonMalformedSignature},
		why: "`openssl dgst` reads as many bytes as the key is long and ignores the rest of the file."},
	{name: "certificate not for signing", reasons: []formats.Reason{formats.ReasonKeyNotValid},
		why: "Key usage, validity at the signing time and the order of a chain are checked; raw verification does not look at certificates, and CMS verification without a chain of trust hardly does. Two certificates under one issuer and serial number leave the signer open."},
	{name: "hash longer than the curve", format: "x509", reasons: []formats.Reason{formats.ReasonSignatureInvalid}, subject: []string{"crafted p256", "crafted p384"},
		why: "A raw ECDSA signature does not name its hash; the curve's own and SHA-256 are tried, none that is longer than the curve, of which ECDSA would ignore the end."},
	{name: "unusual PSS salt", format: "x509", reasons: []formats.Reason{formats.ReasonSignatureInvalid}, subject: []string{"pss"},
		why: "A raw PSS signature does not name its salt's length; the hash's and the longest possible are tried."},
	{name: "signed attributes", format: "pkcs7", reasons: []formats.Reason{formats.ReasonMalformedSignature}, subject: []string{"field: ", "signature: bit flipped"},
		why: "Content type and message digest must be there exactly once, with one value, and fit (RFC 5652, section 11). Rekor and go.mozilla.org/pkcs7 check the message digest only, OpenSSL does not compare the content type."},
	{name: "attributes sorted by the reader", format: "pkcs7", judges: []string{library}, reasons: []formats.Reason{formats.ReasonSignatureInvalid}, subject: []string{"attributes out of order"},
		why: "The signature has to be over the attributes as they are in the file; go.mozilla.org/pkcs7 sorts them first."},
	{name: "signing certificate attribute", format: "pkcs7", reasons: []formats.Reason{formats.ReasonKeyMismatch}, subject: []string{"cades"},
		why: "The hash of the certificate that CAdES signs (RFC 5035) is checked whenever it is there; OpenSSL checks it with -cades only."},
	{name: "signature algorithm", format: "pkcs7", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonUnsupportedAlgorithm}, subject: []string{"signature: bit flipped"},
		why: "The algorithm that the signer names has to fit the digest and the key; OpenSSL goes by the digest's name alone."},
	{name: "MIME header", format: "pkcs7", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonMalformedSignature}, subject: []string{".eml"},
		why: "OpenSSL skips header lines that it does not understand."},
	{name: "certificate that cannot be read", format: "pkcs7", judges: []string{ownTool}, reasons: []formats.Reason{formats.ReasonMissingKey, formats.ReasonMalformedKey},
		why: "OpenSSL reads certificates with malformed parts, and compares names without regard to case; Go does neither."},
	{name: "other content types", format: "pkcs7", reasons: []formats.Reason{formats.ReasonUnsupportedSignature},
		why: "A CMS signature over another content type than data is another protocol's (timestamps, Authenticode)."},
}

var stricterTUF = []class{
	{name: "loose JSON", format: "tuf", reasons: []formats.Reason{formats.ReasonMalformedSignature, formats.ReasonMalformedKey},
		why: "Members that stand twice or in another case, missing or impossible members and empty key ids are refused: two readers could understand them differently."},
	{name: "a role's signature broken", format: "tuf", reasons: []formats.Reason{formats.ReasonSignatureInvalid},
		why: "A signature by one of the role's keys that does not verify refuses the document, even when the others reach the threshold: the file is not what was signed. An empty place-holder passes."},
	{name: "root that does not follow", format: "tuf", reasons: []formats.Reason{formats.ReasonKeyNotTrusted}, subject: []string{"root-"},
		why: "A root is checked with the one before it, or with itself; another root of the same version that happens to name its keys says nothing."},
	{name: "one key twice", format: "tuf", judges: []string{rekorV1}, reasons: []formats.Reason{formats.ReasonThresholdNotMet},
		why: "A key under two ids counts once."},
}

var laxerClasses = []class{
	{name: "CRLF armor", format: "ssh", laxer: true, judges: []string{ownTool}, subject: []string{"line ends as CRLF"},
		why: "Mail and Windows turn line ends into CRLF. The blob within is the same, and so is the submission."},
	{name: "principals", format: "ssh", laxer: true, judges: []string{ownTool}, subject: []string{"key: bit flipped"},
		why: "ssh-keygen is told whose signature to expect (-I); here the key says who signed, and principals, which are e-mails, are not looked at but for certificates."},
	{name: "last line end", format: "minisign", laxer: true, judges: []string{ownTool}, theirs: []string{"missing new line"},
		why: "signify wants a line end after its last line; web forms and shells drop it."},
	{name: "blanks at either end", laxer: true, subject: []string{"field: end"},
		why: "Blank lines and blanks at either end of a file, a byte order mark, line ends as CRLF and one layer of base64 around it are taken off in every format alike, for signatures and keys: editors, shells, mail and web forms put them there. Nothing is taken off what is signed."},
	{name: "namespaces", format: "ssh", laxer: true, judges: []string{rekorV1}, theirs: []string{"invalid signature namespace"},
		why: "Which namespaces are taken, the policy says; Rekor takes `file` alone."},
	{name: "key without its comment", format: "minisign", laxer: true, judges: []string{ownTool, library}, subject: []string{"hello_world.txt.minisig"}, theirs: []string{"loading the public key file", "Invalid encoded public key"},
		why: "The key is the base64 line, which minisign takes as an argument (-P) and in a file only below a comment."},
	{name: "Rekor re-armors as SHA-512", format: "ssh", laxer: true, judges: []string{rekorV1}, subject: []string{"sha256.sig", "field: hash"},
		why: "Rekor rewrites every SSH signature as one over SHA-512 before it verifies, so those over SHA-256 fail."},
	{name: "no version 6 in gpg 2.2", format: "pgp", laxer: true, judges: []string{ownTool}, subject: []string{"v6-"},
		why: "GnuPG does not read OpenPGP version 6 (RFC 9580)."},
	{name: "no version 3 in go-crypto", format: "pgp", laxer: true, judges: others, subject: []string{"v3-"},
		why: "go-crypto, and with it Rekor, skips version 3 signatures."},
	{name: "unhashed subpackets", format: "pgp", laxer: true, subject: []string{"unhashed critical", "signature: bit flipped"},
		why: "What is not hashed is not signed: anybody can add it. Here it is dropped, whatever it says; gpg refuses an unknown critical subpacket there, and readers that go by the unhashed key id fail when it is altered."},
	{name: "zeros before integers", format: "pgp", laxer: true, judges: others, subject: []string{"zeros before the integers"},
		why: "A version 4 signature whose integers have leading zeros is the same signature, as in gpg, and its canonical form has none; go-crypto fails on longer integers."},
	{name: "contradicting key id", format: "pgp", laxer: true, judges: others, subject: []string{"hashed key id of another key"},
		why: "The fingerprint decides over the key id beside it; go-crypto takes whichever comes last."},
	{name: "key expired or replaced since", format: "pgp", laxer: true, judges: []string{library}, theirs: []string{"key expired", "revoked key"},
		why: "The signature was made while the key was valid. go-crypto judges by now."},
	{name: "Rekor before the key's last self-signature", format: "pgp", laxer: true, judges: []string{rekorV1}, subject: []string{"key: "}, theirs: []string{"signature expired"},
		why: "The newest self-signature decides when a key expires, as in gpg; Rekor sets its clock to the signing time, when that one did not exist."},
	{name: "keys without flags", format: "pgp", laxer: true, judges: others, subject: []string{"key field: no flags"},
		why: "Keys from before key flags have none, and may sign, as in gpg; a subkey still has to sign its primary key in return. go-crypto takes no such subkey."},
	{name: "damaged parts of a key", format: "pgp", laxer: true, subject: []string{"key: bit flipped"},
		why: "Packets of a key file that do not verify are left out, and the key counts by those that do; go-crypto refuses the whole file, and gpg needs the key id that is not signed."},
	{name: "base64 and r‖s", format: "x509", laxer: true, subject: []string{".b64", "field: base64", "field: r‖s"},
		why: "Signatures come as base64 (cosign) and, for ECDSA, as r‖s (PKCS #11, JOSE); they are decoded first."},
	{name: "text with LF line ends", format: "pkcs7", laxer: true, judges: others, subject: []string{"text.der", "text-noattr.der"},
		why: "OpenSSL signs text with line ends as CRLF; like OpenSSL itself, the artifact is accepted as it lies on disk."},
	{name: "attributes out of order", format: "pkcs7", laxer: true, judges: []string{library}, subject: []string{"attributes out of order"},
		why: "Attributes that were signed out of order are accepted as OpenSSL and Rekor do: what was signed is plain, and go.mozilla.org/pkcs7 sorts them first."},
	{name: "attached content in Rekor", format: "pkcs7", laxer: true, judges: []string{rekorV1}, theirs: []string{"no external content"},
		why: "Rekor wants the content beside the signature even when it is within."},
	{name: "forms of CMS that libraries lack", format: "pkcs7", laxer: true, judges: others,
		theirs: []string{"indefinite length", "unknown PEM block type CMS", "tags don't match", "Message has no signers", "unsupported algorithm", "unable to extract public key"},
		why:    "BER, the PEM name CMS, subject key identifiers, RSA-PSS and certificates outside the signature are part of RFC 5652; S/MIME of RFC 8551."},
	{name: "certificates that do not matter", format: "pkcs7", laxer: true, subject: []string{"bit flipped"}, theirs: []string{"x509: ", "certificate not found", "asn1: ", "asn1 encoding", "not on curve"},
		why: "Certificates within the signature that cannot be read are left out, and those sent beside it count by their key: one of them has to be the signer's. Without configured roots they prove nothing else."},
	{name: "names of issuers", format: "x509", laxer: true, judges: []string{rekorV1}, subject: []string{"key: bit flipped"}, theirs: []string{"unknown authority"},
		why: "Without configured roots a chain is held together by signatures, not by names."},
	{name: "expired root before a root", format: "tuf", laxer: true, subject: []string{"root-", "2.root.json"}, theirs: []string{"expired"},
		why: "A root may follow from one that has expired (TUF specification, section 5.3); the root that is submitted may not have expired itself."},
	{name: "P-384 in go-tuf 0", format: "tuf", laxer: true, judges: []string{rekorV1}, subject: []string{"targets.json"},
		why: "Rekor's go-tuf knows P-256 only."},
}
