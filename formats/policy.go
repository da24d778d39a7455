// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// ClockSkew is how far in the future a signature may be dated.
const ClockSkew = 5 * time.Minute

// Size limits that every plugin enforces before it parses, in bytes.
const (
	MaxSignatureSize = 4 << 20 // attached content included
	MaxKeySize       = 4 << 20 // one keyring, one certificate chain
	MaxKeys          = 16      // key files per submission
)

// Policy is what a plugin may accept beyond the format's own rules. The zero value but
// for Now is the strict default. It is read-only once in use.
type Policy struct {
	// Now is the time at which a plugin judges what it judges by no time of the signature's own. It is
	// the only clock a plugin sees.
	Now time.Time
	// KnownBy is when the signature existed at the latest, on somebody's verified word; zero when
	// nobody's is known. Only it puts a signature before the revocation of its key: what the
	// signer claims does not.
	KnownBy time.Time
	// Historical lets SHA-1, DSA and keys expired at signing pass as Findings; such a
	// signature is never projected. MD5 never passes.
	Historical Historical
	// Formats, when not empty, names the only formats that are taken.
	Formats []string
	// KnownOnly lets signatures of a file pass unchecked that none of the keys made, as long as one of the keys
	// made another one. Without it every signature of a file has to verify.
	KnownOnly bool
	// PublishUserIDs lets PGP signatures be recorded with the user ID that the key's validity rests on, which is public for ever then.
	PublishUserIDs bool
	// WithoutWhole leaves out Description.Whole and NotWhole, which are much work: for a caller who records nothing in Rekor v1, and compares nothing with
	// its records.
	WithoutWhole bool
	// SSHNamespaces lists the accepted SSHSIG namespaces; nil means "file" alone.
	SSHNamespaces []string
	// Keys by format name win over the keys a submitter sends: with an element, only
	// these keys can be the signer.
	Keys map[string][][]byte
	// KeysAreOpen says that Keys are OpenKeys', so that Parse does not take them out of what stands around them each time.
	KeysAreOpen bool
	// Prepared are the same Keys where the format has read them once (KeyPreparer); it then does not read Keys itself.
	Prepared map[string]PreparedKeys
	// AllowedSigners and AllowedIdentities, when one of them is not empty, list who may sign: by the SHA-256 of the SPKIs, and by
	// certificates that chain to Roots, without which identities let nobody sign.
	AllowedSigners    [][sha256.Size]byte
	AllowedIdentities []Identity
	// ForbiddenSigners lists the SHA-256 of SPKIs that may never sign: the gateway's own,
	// the logs' and the timestamp authorities' keys.
	ForbiddenSigners [][sha256.Size]byte
	// Roots, when set, must issue the signer's certificate (PKCS#7, X.509).
	Roots *x509.CertPool
	// TUFRoots lists SHA-256 digests of root.json files trusted as they are.
	TUFRoots [][sha256.Size]byte
}

// CandidateKeys returns the keys that may be the signer of the named format: the policy's
// when it has any, else the submitted ones.
func (p Policy) CandidateKeys(format string, submitted [][]byte) [][]byte {
	if keys := p.Keys[format]; len(keys) > 0 {
		return keys
	}
	return submitted
}

// checkFormat refuses what is not among Formats.
func (p Policy) checkFormat(name string) error {
	if len(p.Formats) == 0 || slices.Contains(p.Formats, name) {
		return nil
	}
	return NewError(ReasonFormatNotAllowed, "signatures of the format "+name+" are not taken here", "sign in one of the formats that are: "+strings.Join(p.Formats, ", "))
}

// CheckSigner applies AllowedSigners and ForbiddenSigners to one SPKI. With a certificate it is CheckCertified that does.
func (p Policy) CheckSigner(spki []byte) error {
	id := sha256.Sum256(spki)
	if slices.Contains(p.ForbiddenSigners, id) {
		return NewError(ReasonForbiddenSigner, "this key belongs to the gateway, a log or a timestamp authority",
			"sign with a key of your own")
	}
	if !p.isAllowed(id) {
		return NewError(ReasonKeyNotTrusted, "the signer is not among this gateway's allowed signers",
			"ask the gateway's operator to add it: the SHA-256 of the key's SPKI (allowed_signers), or who the certificate names (allowed_identities)")
	}
	return nil
}

// CheckSizes refuses an empty or oversized signature and too many or oversized keys, as
// every Parse must before it looks further.
func CheckSizes(signature []byte, keys [][]byte) error {
	if len(signature) == 0 {
		return errEmpty()
	}
	if len(signature) > MaxSignatureSize {
		return NewError(ReasonTooLarge, "the signature is larger than 4 MiB", "send a detached signature")
	}
	if len(keys) > MaxKeys {
		return NewError(ReasonTooLarge, "there are more than 16 keys", "send the signer's key alone")
	}
	for _, k := range keys {
		if len(k) > MaxKeySize {
			return NewError(ReasonTooLarge, "a key file is larger than 4 MiB", "send the signer's key alone")
		}
	}
	return nil
}

// CheckSigningTime refuses a claimed signing time after now, allowing for ClockSkew.
func (p Policy) CheckSigningTime(t time.Time) error {
	if t.After(p.Now.Add(ClockSkew)) {
		return NewError(ReasonSignatureInFuture, "the signature is dated in the future",
			"check the clocks of the signing machine and of the gateway")
	}
	return nil
}
