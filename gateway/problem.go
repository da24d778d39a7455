// SPDX-License-Identifier: Apache-2.0

package gateway

import "github.com/rekor-gateway/rekor-gateway/formats"

// Reasons of the domain's own refusals; the formats' are theirs. To add one, give it a row in the
// error map of the surface, which a test demands.
const (
	// ReasonMalformedLabel: too many labels, or one that is too long or not text.
	ReasonMalformedLabel formats.Reason = "MALFORMED_LABEL"
	// ReasonWayNotAllowed: a way was asked for in which the policy has nothing recorded.
	ReasonWayNotAllowed formats.Reason = "WAY_NOT_ALLOWED"
	// ReasonPublicationNotAllowed: a certificate is to be published, which the policy lets nobody do.
	ReasonPublicationNotAllowed formats.Reason = "PUBLICATION_NOT_ALLOWED"
	// ReasonNoCertificate: a certificate is to be published and there is none to log.
	ReasonNoCertificate formats.Reason = "NO_CERTIFICATE"
)

// Problems of entries, as callers see them: why an entry failed or is not logged yet.
const (
	ProblemRefused     = "LOG_REFUSED"
	ProblemForbidden   = "LOG_FORBIDDEN"
	ProblemOverloaded  = "LOG_OVERLOADED"
	ProblemUnavailable = "LOG_UNAVAILABLE"
	ProblemBadAnswer   = "LOG_ANSWER_INVALID"
	ProblemFork        = "LOG_FORKED"
	ProblemUnknown     = "OUTCOME_UNKNOWN"
	ProblemStalled     = "LOG_STALLED"
	ProblemRetired     = "LOG_RETIRED"
	// ProblemUnreadable: what is stored of the entry cannot be read back.
	ProblemUnreadable = "STORED_ENTRY_UNREADABLE"
)

// Troubles of logs, beside the problems above: the log itself can be used.
const (
	// TroubleFormerShard: entries are in doubt in a former shard, and wait for the operator.
	TroubleFormerShard = "FORMER_SHARD_IN_DOUBT"
	// TroubleForgotten: the store does not know an anchor of the own log: it is an older copy, and nothing more is recorded in that log.
	TroubleForgotten = "OWN_LOG_FORGOTTEN"
	// TroubleContradicted: a witness says that it has cosigned more of the own log than its store has, or something else.
	TroubleContradicted = "OWN_LOG_CONTRADICTED"
	// TroubleLate: the store may be an older copy, and it is not known yet: what was sent before may not be in the logs with the anchors yet.
	TroubleLate = "OWN_LOG_LOOKS"
	// TroubleOwnLog: the own log does not get on: the store fails, or a log with its anchors cannot be read.
	TroubleOwnLog = "OWN_LOG_WAITS"
	// TroubleClosing: a former own log ends, and what waits for it goes over to the one that takes over.
	TroubleClosing = "OWN_LOG_CLOSING"
	// TroubleClosed: another gateway on the store has closed the own log that is configured here.
	TroubleClosed = "OWN_LOG_CLOSED"
	// TroubleNotConfigured: entries are pending for a log that is not configured any more.
	TroubleNotConfigured = "LOG_NOT_CONFIGURED"
)
