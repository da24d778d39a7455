// SPDX-License-Identifier: Apache-2.0

package formats

import "errors"

// Reason is why a signature was refused, stable and machine-readable: part of the public surface.
//
// To add one, here or in another package:
//   - declare it as a typed constant with a comment that says when it is given;
//   - give it a row in gateway/api/problem/reason.go, which says the HTTP status and the gRPC code:
//     without one it is answered as 500 INTERNAL, and a test fails;
//   - say in words.go beside it when it is given and what to do, and run "make generate", which writes docs/errors.md;
//   - where it is peculiar to a format, describe it on the format's page in docs/formats.
//
// One that was published is never renamed, and never gets another meaning.
type Reason string

// The reasons a plugin or the registry gives.
const (
	ReasonUnknownFormat         Reason = "UNKNOWN_FORMAT"              // no plugin of that name, or none recognises the bytes
	ReasonWrongFormat           Reason = "WRONG_FORMAT"                // the bytes are another format's
	ReasonMalformedSignature    Reason = "MALFORMED_SIGNATURE"         // not a well-formed signature of the format
	ReasonMalformedKey          Reason = "MALFORMED_KEY"               // a key could not be read
	ReasonMalformedDigest       Reason = "MALFORMED_DIGEST"            // not ALG:HEX
	ReasonMissingSignature      Reason = "MISSING_SIGNATURE"           // empty signature
	ReasonMissingKey            Reason = "MISSING_KEY"                 // the format needs a key and none was given
	ReasonMissingArtifact       Reason = "MISSING_ARTIFACT"            // neither bytes nor a digest
	ReasonNeedsBytes            Reason = "NEEDS_BYTES"                 // a digest was given where only the bytes will do
	ReasonWrongDigestAlgorithm  Reason = "WRONG_DIGEST_ALGORITHM"      // a digest other than the one the signature names
	ReasonArtifactNotExpected   Reason = "ARTIFACT_NOT_EXPECTED"       // the format carries its artifact, and another kind was given
	ReasonTrailingData          Reason = "TRAILING_DATA"               // bytes after the end
	ReasonTooLarge              Reason = "TOO_LARGE"                   // over a size limit
	ReasonTooMuchWork           Reason = "TOO_MUCH_WORK"               // reading and checking it would cost more than MaxWork
	ReasonMultipleSignatures    Reason = "MULTIPLE_SIGNATURES"         // more than one signature in a submission
	ReasonNoSignature           Reason = "NO_SIGNATURE"                // a well-formed container without a signature
	ReasonSignatureInvalid      Reason = "SIGNATURE_INVALID"           // the cryptographic check failed
	ReasonArtifactMismatch      Reason = "ARTIFACT_MISMATCH"           // the signature is for another artifact
	ReasonKeyMismatch           Reason = "KEY_MISMATCH"                // none of the keys made this signature
	ReasonKeyNotTrusted         Reason = "KEY_NOT_TRUSTED"             // the policy names keys or roots and this is none
	ReasonKeyExpired            Reason = "KEY_EXPIRED"                 // expired when the signature was made
	ReasonKeyRevoked            Reason = "KEY_REVOKED"                 // revoked
	ReasonKeyNotValid           Reason = "KEY_NOT_VALID"               // may not sign: flags, missing binding or back-signature
	ReasonSecretKey             Reason = "SECRET_KEY"                  // a private key was sent
	ReasonForbiddenSigner       Reason = "FORBIDDEN_SIGNER"            // the gateway's, a log's or an authority's own key
	ReasonWeakAlgorithm         Reason = "WEAK_ALGORITHM"              // broken or too short
	ReasonUnsupportedAlgorithm  Reason = "UNSUPPORTED_ALGORITHM"       // not implemented
	ReasonUnsupportedVersion    Reason = "UNSUPPORTED_VERSION"         // a version of the format not implemented
	ReasonUnsupportedSignature  Reason = "UNSUPPORTED_SIGNATURE_TYPE"  // a kind of signature that does not sign a document
	ReasonUnsupportedFeature    Reason = "UNSUPPORTED_FEATURE"         // an unknown critical part
	ReasonSignatureInFuture     Reason = "SIGNATURE_IN_FUTURE"         // dated after now
	ReasonSignatureExpired      Reason = "SIGNATURE_EXPIRED"           // its own expiry has passed
	ReasonNamespaceRefused      Reason = "NAMESPACE_REFUSED"           // SSH namespace outside the policy
	ReasonProtocolConfusion     Reason = "PROTOCOL_CONFUSION"          // the signed bytes are another protocol's
	ReasonThresholdNotMet       Reason = "THRESHOLD_NOT_MET"           // fewer valid TUF signatures than the role asks
	ReasonNotAuthorized         Reason = "ROLE_NOT_AUTHORIZED"         // TUF key outside the role
	ReasonMetadataExpired       Reason = "METADATA_EXPIRED"            // TUF metadata past its expiry
	ReasonAlgorithmNotLoggable  Reason = "ALGORITHM_NOT_LOGGABLE"      // the log has no keyDetails for it
	ReasonNotProjectable        Reason = "NOT_PROJECTABLE"             // the format signs no digest that can stand alone
	ReasonAttestationOff        Reason = "ATTESTATION_NOT_CONFIGURED"  // no gateway key
	ReasonRepresentationRefused Reason = "REPRESENTATION_NOT_POSSIBLE" // the one asked for is not possible
	ReasonFormatNotAllowed      Reason = "FORMAT_NOT_ALLOWED"          // outside the policy
	ReasonNotAllowedHere        Reason = "REPRESENTATION_NOT_ALLOWED"  // outside the policy
)

// Error is a refusal. Message says what is wrong in words for the person who sent it,
// Hint what to do about it; both are one line, in plain English, without internals or
// key material. The wrapped error, if any, is for logs only.
type Error struct {
	Reason  Reason
	Message string
	Hint    string
	err     error
}

// NewError returns a refusal without a cause.
func NewError(r Reason, message, hint string) *Error {
	return &Error{Reason: r, Message: message, Hint: hint}
}

// WrapError returns a refusal caused by err, which is kept for logs and errors.Is.
func WrapError(err error, r Reason, message, hint string) *Error {
	return &Error{Reason: r, Message: message, Hint: hint, err: err}
}

// Error returns "REASON: message".
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

// Unwrap returns the cause, which may be nil.
func (e *Error) Unwrap() error { return e.err }

// Is makes errors.Is(err, formats.NewError(reason, "", "")) match by reason.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason && t.Message == ""
}

// ReasonOf returns the reason of the first *Error in err's chain, or "".
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
