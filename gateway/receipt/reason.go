// SPDX-License-Identifier: Apache-2.0

package receipt

import "github.com/rekor-gateway/rekor-gateway/formats"

// Why a receipt does not verify. Errors are *formats.Error with one of these.
const (
	ReasonMalformedReceipt  formats.Reason = "MALFORMED_RECEIPT"  // not a receipt, or a part is missing
	ReasonNoExpectedSigner  formats.Reason = "NO_EXPECTED_SIGNER" // nobody said who should have signed
	ReasonSignerMismatch    formats.Reason = "SIGNER_MISMATCH"    // somebody else signed
	ReasonArtifactMismatch                 = formats.ReasonArtifactMismatch
	ReasonMissingArtifact                  = formats.ReasonMissingArtifact
	ReasonSignatureInvalid                 = formats.ReasonSignatureInvalid
	ReasonHistoricalRefused formats.Reason = "HISTORICAL_NOT_ALLOWED" // good only under the historical policy
	ReasonClaimMismatch     formats.Reason = "CLAIM_MISMATCH"         // the receipt says what is not so
	ReasonEntryMismatch     formats.Reason = "ENTRY_MISMATCH"         // the log entry is for something else
	ReasonEntriesMissing    formats.Reason = "ENTRIES_MISSING"        // fewer entries than the signature needs
	ReasonUnknownLog        formats.Reason = "UNKNOWN_LOG"            // the trusted root has no such log or key
	ReasonCheckpointInvalid formats.Reason = "CHECKPOINT_INVALID"     // not signed by the log
	ReasonProofInvalid      formats.Reason = "PROOF_INVALID"          // the entry is not in the checkpoint's tree
	ReasonNoGatewayTrust    formats.Reason = "NO_GATEWAY_TRUST"       // an attestation, and no gateway is trusted
	ReasonUnknownGatewayKey formats.Reason = "UNKNOWN_GATEWAY_KEY"    // the statement is by a key not trusted
	ReasonRetiredGatewayKey formats.Reason = "RETIRED_GATEWAY_KEY"    // the key was not in use at that entry
	ReasonStatementInvalid  formats.Reason = "STATEMENT_INVALID"      // the gateway did not sign this statement
	ReasonStatementMismatch formats.Reason = "STATEMENT_MISMATCH"     // the statement says what is not so
	ReasonAnchorMismatch    formats.Reason = "ANCHOR_MISMATCH"        // the anchor is of another checkpoint than the own log's
	ReasonNoAnchor          formats.Reason = "NO_ANCHOR"              // a proof that ends in an own log
	ReasonQuorumNotMet      formats.Reason = "QUORUM_NOT_MET"         // fewer witnesses have cosigned than the reader asks for
	ReasonExportNotPossible formats.Reason = "EXPORT_NOT_POSSIBLE"    // stock tools cannot verify this
)

func refuse(r formats.Reason, message, hint string) error {
	return formats.NewError(r, message, hint)
}

const hintSigner = "give the signer's key (--key FILE) or its identity (--signer sha256:HEX)"

// hintAgain is for receipts that may have been changed on their way.
const hintAgain = "get the receipt again: rekor-gateway get ID --receipt FILE"
