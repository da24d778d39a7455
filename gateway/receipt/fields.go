// SPDX-License-Identifier: Apache-2.0

package receipt

// trust says why a field of a receipt may be believed.
type trust string

const (
	// fixed: one value is allowed, or a range of versions.
	fixed trust = "fixed"
	// recomputed: verification works it out from the signature, the artifact and the expected keys, and
	// refuses another value.
	recomputed trust = "recomputed"
	// proven: signed by the log, or led to its signed checkpoint by a proof.
	proven trust = "proven"
	// stated: bound by the gateway's signed statement where there is one (ATTESTED). Nothing binds it
	// in other receipts, where it decides nothing.
	stated trust = "stated"
	// said: nothing binds it. It decides nothing, and whatever prints it says that the receipt says so.
	said trust = "said"
)

// fields is the one list of what a receipt holds and why it is believed. A test holds it to the
// message's own fields: to add a field, decide here what binds it. docs/receipts.md explains the rows.
var fields = map[string]trust{
	"media_type":     fixed,
	"format_version": fixed,
	"submission_id":  said,
	"verified_at":    stated,

	"signature.format":       recomputed,
	"signature.variant":      said,
	"signature.algorithm":    said,
	"signature.content":      recomputed,
	"signature.keys":         said, // used only when the verifier has no key of its own, which the report says
	"signature.claimed_time": recomputed,

	"signers.spki":        recomputed,
	"signers.fingerprint": said,
	"signers.algorithm":   said,

	"artifact.digests.algorithm": recomputed,
	"artifact.digests.value":     recomputed,
	"artifact.digests.evidence":  stated,
	"artifact.size":              recomputed,
	"artifact.embedded":          recomputed,
	"artifact.container":         said,

	"representation":            recomputed,
	"recorded.signers":          recomputed,
	"recorded.representation":   recomputed,
	"recorded.way":              recomputed,
	"recorded.evidence":         said,
	"recorded.claimed_time":     recomputed,
	"recorded.findings.reason":  recomputed,
	"recorded.findings.message": said,
	"recorded.checks":           stated,
	"recorded.variant":          said,
	"recorded.algorithm":        said,
	"recorded.notes":            said,
	"unchecked.issuer":          said, // the report names those that the file itself has

	"entries.bundle":    proven,
	"entries.recipe":    recomputed,
	"entries.spki":      recomputed,
	"entries.signature": recomputed,

	"entries.own.body":           recomputed,
	"entries.own.proof":          proven, // by the own log, whose checkpoint is anchored
	"entries.own.anchors.bundle": proven,
	"entries.own.anchors.spki":   recomputed, // the key in the anchor's entry, which the gateway trust names

	"checks":                stated,
	"notes":                 said,
	"policy.historical":     said, // honoured only with the verifier's own permission
	"policy.ssh_namespaces": said,
	"policy.tuf_roots":      said,
	"findings.reason":       recomputed,
	"findings.message":      said,
}
