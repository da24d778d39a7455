// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// The exit codes. Scripts rely on them.
const (
	ExitYes   = 0 // done; the answer is yes
	ExitNo    = 1 // the answer is no: refused, not verified
	ExitInput = 2 // wrong usage, or input that cannot be read
	ExitSome  = 3 // some of many were refused
	ExitLater = 4 // not now: the gateway cannot be reached, the submission is not logged yet
)

// Reasons that the command line itself gives, beside those of the table in gateway/api/problem.
const (
	ReasonUsage       formats.Reason = "USAGE"
	ReasonFile        formats.Reason = "FILE"
	ReasonFileExists  formats.Reason = "FILE_EXISTS"
	ReasonFileChanged formats.Reason = "FILE_CHANGED"
	ReasonFetch       formats.Reason = "ARTIFACT_NOT_FETCHED"
	ReasonNoGateway   formats.Reason = "NOT_A_GATEWAY"
	ReasonUnreachable formats.Reason = "UNREACHABLE"
	ReasonInterrupted formats.Reason = "INTERRUPTED"
	ReasonAddress     formats.Reason = "ADDRESS_NOT_AVAILABLE"
	ReasonSomeRefused formats.Reason = "SOME_REFUSED"
	ReasonFailed      formats.Reason = "FAILED"

	ReasonStoreInUse       formats.Reason = "STORE_IN_USE"
	ReasonStoreInterrupted formats.Reason = "RESTORE_INTERRUPTED"
	ReasonStoreDamaged     formats.Reason = "STORE_DAMAGED"
	ReasonStoreMoved       formats.Reason = "STORE_MOVED"
	ReasonCopyUnfinished   formats.Reason = "COPY_UNFINISHED"
	ReasonDatabaseUnsafe   formats.Reason = "DATABASE_UNSAFE"
	ReasonDatabaseRefused  formats.Reason = "DATABASE_REFUSED"
	ReasonStoreVersion     formats.Reason = "STORE_OF_ANOTHER_RELEASE"

	ReasonUnsettled formats.Reason = "LOG_UNSETTLED"
	ReasonOwnLog    formats.Reason = "LOG_IS_OWN"

	ReasonReplicasDiffer formats.Reason = "REPLICAS_DIFFER"

	ReasonOutsideRoot       = backfill.ReasonOutsideRoot
	ReasonMalformedManifest = backfill.ReasonMalformedManifest
	ReasonMalformedList     = backfill.ReasonMalformedList
)

// OwnReason says how the program ends with a reason of its own, when it gives it, and what to do.
type OwnReason struct {
	Exit     int
	When, Do string
}

// OwnReasons has every reason of the command line's own.
var OwnReasons = map[formats.Reason]OwnReason{
	ReasonUsage:       {ExitInput, "a command, flag or value that there is not, or one is missing", "see the command's `--help`"},
	ReasonFile:        {ExitInput, "a file cannot be read or written", "check its name and permissions"},
	ReasonFileExists:  {ExitInput, "what would be written exists, and is something else: a receipt's file, a backup's folder, a store", "name another; or give `--force`, but for a backup"},
	ReasonFileChanged: {ExitInput, "a file was written while it was read", "run the command again once nobody writes it"},
	ReasonFetch:       {ExitInput, "the artifact's URL does not give it", "check the URL, or download the file yourself and name it with `--artifact`"},
	ReasonNoGateway:   {ExitInput, "what answers is not a rekor-gateway", "check `--server`"},
	ReasonUnreachable: {ExitLater, "the gateway cannot be reached", "check `--server` and that the gateway runs; then run the command again: the same submission is never logged twice"},
	ReasonInterrupted: {ExitLater, "the command was interrupted", "run it again: the same submission is never logged twice"},
	ReasonAddress:     {ExitLater, "an address to listen on is taken", "choose another, or port 0 for a free one"},
	ReasonSomeRefused: {ExitSome, "some of many files did not verify, or some of many signatures were refused", "see the line of each"},
	ReasonFailed:      {ExitInput, "anything else, a configuration that cannot be used among it", "the message says what"},

	ReasonStoreInUse:       {ExitLater, "a store is to be restored that a gateway, or another command, uses; or it is being restored", "stop the gateway first; wait until the restore has ended"},
	ReasonStoreInterrupted: {ExitInput, "a restore was interrupted while it replaced the store", "run the restore again: the backup is complete, and the store that was there is kept beside it"},
	ReasonStoreDamaged:     {ExitNo, "a store or a backup is not as it was written", "restore a backup that `store check` finds in order"},
	ReasonStoreMoved:       {ExitInput, "a SQLite store was copied into a database, and goes on there", "use the configuration that names the database"},
	ReasonCopyUnfinished:   {ExitInput, "a copy of another store into the database was begun and not finished", "run the same `store copy` again: it goes on where it was"},
	ReasonDatabaseUnsafe:   {ExitInput, "the PostgreSQL server may lose what it acknowledges, or takes no writes", "set it up as docs/postgres.md says, or name the primary"},
	ReasonDatabaseRefused:  {ExitInput, "the PostgreSQL server does not let the gateway in: a wrong user or password, no such database, or a role without rights", "correct `store.postgres`, or grant what docs/postgres.md says"},
	ReasonStoreVersion:     {ExitInput, "a store or a backup was written by a newer release; or a store by an older one, whose gateway has not been replaced yet", "use the release that wrote it; `restore` takes backups of older ones"},

	ReasonReplicasDiffer: {ExitNo, "gateways that share a store differ in their logs, policy, keys or trust files", "give all of them the same, and have each read it: SIGHUP, or a restart"},

	ReasonOutsideRoot:       {ExitInput, "a path of a manifest or a signed list, or a symbolic link, leads out of the folder that was named", "name a folder that has all of it; or `--allow-outside`, if nobody else writes there"},
	ReasonMalformedManifest: {ExitInput, "a manifest is neither JSON lines nor CSV, has a column or member that is not known, or a row that contradicts itself", "the message has the line"},
	ReasonMalformedList:     {ExitInput, "a signed list of files cannot be read, and its files were not checked; its signature counts all the same", "check its files with the tool that made it"},

	ReasonUnsettled: {ExitLater, "entries of a log are in doubt or under way, so that they may be in it, and were left", "wait until the gateway has settled them; or tell `log` to give them up, or to move them"},
	ReasonOwnLog:    {ExitInput, "a log of the gateway's own is to be retired, or what waits is to go to or from it by command: its records are never given up", "end it by the configuration: `own_log.closed`, docs/operations.md"},
}

// ExitCodeOf returns the exit code for a reason. Those that only the input's owner can do something about
// are input errors, as their HTTP status says, or because verify is missing something it has to be told.
func ExitCodeOf(reason formats.Reason) int {
	if own, ok := OwnReasons[reason]; ok {
		return own.Exit
	}
	switch reason {
	case receipt.ReasonMalformedReceipt, receipt.ReasonNoExpectedSigner, receipt.ReasonNoGatewayTrust, receipt.ReasonNoAnchor:
		return ExitInput
	}
	switch problem.FromError(formats.NewError(reason, "", "")).Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return ExitInput
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests, statusClientGone,
		http.StatusInternalServerError, http.StatusServiceUnavailable:
		return ExitLater
	}
	return ExitNo
}

// statusClientGone is nginx's, and REQUEST_CANCELLED's.
const statusClientGone = 499
