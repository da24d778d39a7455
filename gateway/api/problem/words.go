// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// Description is a reason as the error reference lists it.
type Description struct {
	Reason     formats.Reason
	Status     int // HTTP
	Code       codes.Code
	RetryAfter time.Duration // before the same is sent again; 0: not said, or RATE_LIMITED and QUOTA_EXCEEDED, which say their own
	When       string        // it is given, one line of Markdown
	Do         string        // about it, one line of Markdown
}

// Describe returns every reason with its description, sorted.
func Describe() []Description {
	reasons := Reasons()
	all := make([]Description, len(reasons))
	for i, reason := range reasons {
		r, w := rows[reason], words[reason]
		all[i] = Description{Reason: reason, Status: r.status, Code: r.code, RetryAfter: r.retryAfter, When: w.when, Do: w.do}
	}
	return all
}

// word says when a reason is given and what to do about it, whatever the format. The hint of an
// answer knows more of the case.
type word struct{ when, do string }

// words has one for every reason; a test finds what is missing.
var words = map[formats.Reason]word{
	ReasonMalformedRequest:             {"the request is not one that the API has", "see `/openapi.json`, or use `rekor-gateway submit`"},
	gateway.ReasonMalformedLabel:       {"more than 16 labels, or one that is too long, empty, or has control characters", "send fewer, or shorter ones"},
	formats.ReasonMalformedDigest:      {"the digest is not `ALG:HEX`", "write it as `sha256:` and 64 hexadecimal digits"},
	formats.ReasonMalformedSignature:   {"the signature file is not well-formed", "send the file as the signing tool wrote it"},
	formats.ReasonMalformedKey:         {"a key file cannot be read", "send the signer's public key as its tool exports it"},
	formats.ReasonMissingSignature:     {"no signature was sent, or an empty one", "send the signature file"},
	formats.ReasonMissingKey:           {"the format needs the signer's key and there is none", "send the signer's public key as `key`"},
	formats.ReasonMissingArtifact:      {"neither the artifact nor a digest of it is there", "send the signed file, or `verify` with its name"},
	formats.ReasonTooLarge:             {"a signature or key file over 4 MiB, more than 16 keys, an artifact over the gateway's limit; at Rekor's own routes an entry or a request that is larger than a log takes", "a detached signature, the signer's key alone, a digest in place of the artifact"},
	formats.ReasonUnknownFormat:        {"no format of that name, or none recognises the bytes", "name the format, see [Detection](formats.md#detection)"},
	formats.ReasonWrongFormat:          {"the signature is another format's than the one that was named", "name the one in the message, or none"},
	container.ReasonUnknownContainer:   {"`decompress` is neither `gzip` nor `xz`", "decompress bzip2, zstd and others yourself"},
	container.ReasonMalformedContainer: {"the compressed file is cut short or damaged", "send the file as it was published"},

	formats.ReasonSecretKey:             {"a private key was sent", "it was not stored, but it has left its machine: replace it"},
	formats.ReasonNeedsBytes:            {"a digest was sent, and this signature needs the artifact", "send the artifact, or use `rekor-gateway submit`"},
	formats.ReasonWrongDigestAlgorithm:  {"the digest is by another algorithm than the signature's", "send the digest that the message names, or the artifact"},
	formats.ReasonArtifactNotExpected:   {"a digest beside a signature that contains its artifact", "leave the digest out"},
	formats.ReasonTrailingData:          {"text or bytes after a signature, a key or a compressed file", "send the file alone"},
	formats.ReasonTooMuchWork:           {"reading and checking it would take about two seconds of one core or more", "send the signer's key alone; decompress the artifact yourself"},
	formats.ReasonMultipleSignatures:    {"more than one signature or signer in the file", "see the hint and the format's page"},
	formats.ReasonNoSignature:           {"the file is of the right kind and has no signature in it", "send the file that has it"},
	formats.ReasonSignatureInvalid:      {"the signature does not verify by the key", "check that signature, key and artifact belong together, and are as they were published"},
	formats.ReasonArtifactMismatch:      {"the signature is over another artifact", "take the very file that was signed"},
	formats.ReasonKeyMismatch:           {"none of the keys made this signature", "take the key that the message names"},
	formats.ReasonKeyNotTrusted:         {"the gateway's policy names keys or roots, and this is none of them", "ask the gateway's operator"},
	formats.ReasonKeyExpired:            {"the key had expired", "fetch the key again if its expiry was extended; else sign with a current key"},
	formats.ReasonKeyRevoked:            {"the key was revoked", "sign with another key"},
	formats.ReasonKeyNotValid:           {"the key may not sign this", "fetch the whole public key again; see the format's page"},
	formats.ReasonForbiddenSigner:       {"the signer is the gateway, a log or an authority", "sign with a key of your own"},
	formats.ReasonWeakAlgorithm:         {"a hash or key that is broken or too short", "sign with a current hash and key; only the gateway's operator can let old releases pass"},
	formats.ReasonUnsupportedAlgorithm:  {"an algorithm that is not implemented", "an RSA, NIST curve or Ed25519 key with SHA-2"},
	formats.ReasonUnsupportedVersion:    {"a version of the format that is not implemented", "see the format's page"},
	formats.ReasonUnsupportedSignature:  {"a kind of signature that does not sign a file", "make a detached signature"},
	formats.ReasonUnsupportedFeature:    {"a critical part that is not known here; at Rekor's own routes a kind of entry that is not taken, one with a URL, or a query for one that is not recorded as it is proposed", "sign without it; the hint says what clients of Rekor send, or ask for, in its place"},
	formats.ReasonSignatureInFuture:     {"the signature is dated more than five minutes ahead", "check the clocks"},
	formats.ReasonSignatureExpired:      {"the signature's own expiry has passed", "sign again, without an expiry"},
	formats.ReasonNamespaceRefused:      {"the SSH signature is for a namespace that is not accepted", "`ssh-keygen -Y sign -n file`, or see [SSH](formats/ssh.md)"},
	formats.ReasonProtocolConfusion:     {"the artifact is what [another protocol](formats.md#other-protocols-signatures) signs, not a file", "send that protocol's signature itself, if it is of a format here"},
	formats.ReasonThresholdNotMet:       {"fewer valid TUF signatures than the role asks for", "collect the missing signatures"},
	formats.ReasonNotAuthorized:         {"keys of another TUF role signed", "send the root that was current then; for a delegated role the delegating metadata too"},
	formats.ReasonMetadataExpired:       {"TUF metadata, its root or a delegating one has expired", "send the current version"},
	formats.ReasonAlgorithmNotLoggable:  {"the log does not take this algorithm as it is", "the hint says how to sign; or accept an attestation"},
	formats.ReasonNotProjectable:        {"the format signs no digest that a log could take", "the hint says how to sign; or accept an attestation"},
	formats.ReasonAttestationOff:        {"only an attestation is possible, and the gateway makes none", "ask the gateway's operator"},
	formats.ReasonRepresentationRefused: {"the representation that was asked for is not possible", "the hint says how to sign; or leave `representation` out"},
	formats.ReasonFormatNotAllowed:      {"the policy takes no signatures of this format", "sign in one of the formats that the hint names"},
	formats.ReasonNotAllowedHere:        {"the policy records nothing in the representation that this signature could have", "the hint says how to sign"},
	container.ReasonContainerTooDense:   {"the file expands more than 250 times, or xz needs more than 64 MiB", "decompress it yourself"},
	container.ReasonContainerTooSlow:    {"reading the compressed file takes more than five minutes", "decompress it yourself"},
	gateway.ReasonWayNotAllowed:         {"a `way` that the policy does not have in its `ways`, or `batched` where the gateway has no log of its own", "do not ask for a way, or ask the gateway's operator"},
	gateway.ReasonPublicationNotAllowed: {"`publish_certificate`, where the policy has `publish_certificate: false`", "leave it out, or ask the gateway's operator"},
	gateway.ReasonNoCertificate:         {"`publish_certificate` with a bare key, or for a signature that is attested", "leave it out"},

	ReasonNotFound:        {"no such submission of this caller, no such statement, no such path", "check the id"},
	ReasonNotLogged:       {"the receipt of a submission that is still pending", "ask again later"},
	ReasonUnauthenticated: {"the gateway answers only to callers that it knows, and the request has no credential, more than one, or one that is not good", "send a token of yours; ask the gateway's operator ([access.md](access.md))"},
	ReasonForbidden:       {"the caller may not do this", "ask the gateway's operator for the right to `submit`, `read` or `audit`"},
	ReasonCrossOrigin:     {"a browser asks on another site's behalf", "send the request from your own machine or site"},
	ReasonHostNotAllowed:  {"the gateway is called by a name that it does not have", "use its name; the operator lists names in `http.allowed_hosts`"},
	ReasonRateLimited:     {"too many requests from this caller", "wait as long as `Retry-After` says"},
	ReasonQuotaExceeded:   {"the caller, or the signer, has used up what may be submitted on a day (UTC), or too much of the caller's is pending", "wait as long as `Retry-After` says; what was accepted before can be sent again at any time. The gateway's operator can raise `limits`"},
	ReasonTimeout:         {"the request did not come in time", "send it again"},
	ReasonCancelled:       {"the client hung up; only the gateway's own log shows it", "send it again"},

	ReasonQueueFull:          {"the gateway has accepted as much as it can hold", "send it again later"},
	ReasonNotStored:          {"the gateway could not store it", "send it again later; tell the gateway's operator if it stays so"},
	ReasonStoreUnavailable:   {"the gateway's store cannot be read or written now", "send it again later; tell the gateway's operator if it stays so"},
	ReasonBusy:               {"the gateway has as much to do as it can", "send it again later"},
	ReasonMemoryFull:         {"the gateway holds as many requests as it can", "send it again later"},
	ReasonLimiterUnavailable: {"the gateway cannot count requests, and its operator wants none uncounted", "send it again later; tell the gateway's operator if it stays so"},
	ReasonIssuerUnavailable:  {"a token of an OpenID Connect issuer, by a key that the gateway does not know, while it cannot ask the issuer", "send it again later; tell the gateway's operator if it stays so"},
	ReasonAuditUnavailable:   {"the gateway cannot write its audit trail, and its operator wants nothing taken without", "send it again later; tell the gateway's operator if it stays so"},
	ReasonDiskLow:            {"the gateway has too little disk space left", "send it again later; its operator has to make room"},
	ReasonSpoolFull:          {"the gateway holds as many artifacts as it can", "send the artifact as the last part, or later"},
	ReasonShuttingDown:       {"the gateway is stopping", "send it again"},
	ReasonNotLoggedInTime:    {"a request of Rekor's own API was accepted and stored, and the log has not included it within 25 s (or 10, for who has sent for long)", "send the same again: it is not logged twice, and the answer is its entry once it is there"},
	ReasonInternal:           {"a fault of the gateway's own", "tell the gateway's operator: its log says why"},
	ReasonLogForked:          {"the log contradicts itself, and nothing is submitted to it", "tell the gateway's operator"},
	ReasonLogRefused:         {"the gateway verified it, and the log refused it for good; or a log of Rekor v1, or a proxy before it, takes no file that large", "tell the gateway's operator; it can be sent again, as `ATTESTED` where it is too large"},

	formats.Reason(gateway.ProblemForbidden):   {"setback of an entry: the log does not let the gateway in", "nothing: it waits until the gateway's operator has mended that"},
	formats.Reason(gateway.ProblemOverloaded):  {"setback of an entry: the log takes nothing now", "nothing: it will be sent again"},
	formats.Reason(gateway.ProblemUnavailable): {"setback of an entry: the log cannot be reached", "nothing: it will be sent again"},
	formats.Reason(gateway.ProblemBadAnswer):   {"setback of an entry: the log's answer did not verify", "nothing: it will be looked for in the log"},
	formats.Reason(gateway.ProblemUnknown):     {"setback of an entry: the log did not answer", "nothing: it will be looked for in the log"},
	formats.Reason(gateway.ProblemStalled):     {"trouble of a log: it includes nothing of what it is sent", "nothing: what it was sent will be looked for in it"},
	formats.Reason(gateway.ProblemUnreadable):  {"setback of an entry: what is stored of it cannot be read back", "tell the gateway's operator: store check finds what is damaged"},
	formats.Reason(gateway.ProblemRetired):     {"an entry was given up: the gateway's operator has retired the log", "send it again once the gateway records in other logs; ask its operator"},

	receipt.ReasonMalformedReceipt:  {"not a receipt, or a part of it is missing", "take the receipt as the gateway gave it"},
	receipt.ReasonNoExpectedSigner:  {"nobody said who should have signed", "give `--key` or `--signer`"},
	receipt.ReasonSignerMismatch:    {"somebody else signed", "do not use the file, unless you named the wrong signer"},
	receipt.ReasonHistoricalRefused: {"the signature is good only under the historical policy", "`--allow-historical`, if you accept the weaknesses that the message names"},
	receipt.ReasonClaimMismatch:     {"the receipt says something of the signature that is not so", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonEntryMismatch:     {"the log entry is for something else", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonEntriesMissing:    {"fewer different entries than the signature needs", "get the receipt from the gateway again"},
	receipt.ReasonUnknownLog:        {"the trusted root has no such log, or not with that key; or the gateway's trust file has no such own log", "check that the trusted root is the right log's, and the trust file that gateway's, and current"},
	receipt.ReasonCheckpointInvalid: {"the checkpoint is not as the log signed it", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonProofInvalid:      {"the entry is not in the checkpoint's tree", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonNoGatewayTrust:    {"an ATTESTED or a BATCHED receipt, and no gateway is trusted: nothing is known to be forged", "give the gateway's trust file: `--gateway-trust`"},
	receipt.ReasonAnchorMismatch:    {"what is logged as the anchor of a gateway's own log is not of its checkpoint", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonUnknownGatewayKey: {"the statement, or the own log's anchor, is by a key that is not in the gateway's trust file", "check that the trust file is that gateway's, and current; else the statement is forged"},
	receipt.ReasonRetiredGatewayKey: {"the gateway's key was not in use at the index of the entry, or of the anchor", "get the gateway's current trust file; else do not trust the receipt"},
	receipt.ReasonStatementInvalid:  {"the statement is not as the gateway signed it", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonStatementMismatch: {"the statement does not say what the receipt says, or is of another kind", "do not trust the receipt; get it from the gateway again"},
	receipt.ReasonNoAnchor:          {"a proof of a record's place in a gateway's own log alone, with no anchor of that log: nothing is known to be forged", "give the receipt, or the proof with its extra line, as `verify --export-tlog-proof` writes it"},
	receipt.ReasonQuorumNotMet:      {"fewer witnesses have cosigned the checkpoint than the witness policy asks for: nothing else is known to be wrong", "get the receipt again, since witnesses may have cosigned since; check that the policy names this log and its witnesses"},
	receipt.ReasonExportNotPossible: {"the receipt verifies, but stock cosign cannot verify this, or a signature file has no place for the proof", "`rekor-gateway verify` without the export, and keep the receipt beside the file"},
}
