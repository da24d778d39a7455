// SPDX-License-Identifier: Apache-2.0

// Package fault has what the commands fail with: errors with a reason, which is for programs, and a hint, which is for people; how each is told; and
// the exit codes.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storecopy"
)

// hinted is an error with advice. Its reason is ReasonUsage where none is given and none is found in
// what it wraps.
type hinted struct {
	reason formats.Reason
	err    error
	hint   string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

// WithHint returns err with advice.
func WithHint(err error, hint string, args ...any) error {
	return &hinted{err: err, hint: fmt.Sprintf(hint, args...)}
}

// Fail returns err with a reason of its own, and advice.
func Fail(reason formats.Reason, err error, hint string, args ...any) error {
	return &hinted{reason, err, fmt.Sprintf(hint, args...)}
}

// Rename returns err with another reason, and the advice that it has.
func Rename(err error, reason formats.Reason) error {
	return &hinted{reason, err, Describe(err).Hint}
}

// WithResult is a failure after there was a result, such as a submission that is not logged yet.
type WithResult struct {
	error
	Result []byte // a JSON object
}

// Unwrap returns the failure.
func (e *WithResult) Unwrap() error { return e.error }

// Failure is an error as it is told. The JSON form is part of the contract.
type Failure struct {
	Reason   formats.Reason `json:"reason"`
	Message  string         `json:"message"`
	Hint     string         `json:"hint"`
	ExitCode int            `json:"exitCode"`
}

// Describe finds reason, hint and exit code of err.
func Describe(err error) Failure {
	f := Failure{Message: strings.Join(Lines(err), "; ")}
	f.Reason, f.Hint = explainError(err)
	var own *hinted
	if errors.As(err, &own) {
		f.Hint = own.hint
		if own.reason != "" {
			f.Reason = own.reason
		}
	}
	f.Hint = output.OneLine(f.Hint)
	f.Message = withoutReason(f.Message, f.Reason)
	f.ExitCode = ExitCodeOf(f.Reason)
	return f
}

// withoutReason returns a message without the reason that is said beside it, which may stand behind what was being done.
func withoutReason(message string, reason formats.Reason) string {
	if reason == "" {
		return message
	}
	if rest, ok := strings.CutPrefix(message, string(reason)+": "); ok {
		return rest
	}
	return strings.Replace(message, ": "+string(reason)+": ", ": ", 1)
}

// Lines returns what an error says, on one line; of errors that are joined, each on its own.
func Lines(err error) []string {
	several, ok := err.(interface{ Unwrap() []error }) // what is wrapped further is one thing
	if !ok {
		return []string{output.OneLine(err.Error())}
	}
	var lines []string
	for _, one := range several.Unwrap() {
		lines = append(lines, Lines(one)...)
	}
	if strings.Join(lines, " ") != output.OneLine(err.Error()) { // its text is another one than theirs
		return []string{output.OneLine(err.Error())}
	}
	return lines
}

// explainError returns the reason and the hint of an error that has none of this program's own.
func explainError(err error) (formats.Reason, string) {
	var own *hinted
	var refusal *formats.Error
	var secret *formats.SecretError
	var remote *client.Error
	var listen *server.ListenError
	var file *fs.PathError
	switch {
	case errors.Is(err, context.Canceled):
		return ReasonInterrupted, ""
	case errors.As(err, &secret):
		return formats.ReasonSecretKey, "it was only read here, and sent nowhere; name the public key in its place: " + secret.Secret.Public
	case errors.As(err, &refusal):
		return refusal.Reason, refusal.Hint
	case errors.As(err, &remote):
		return explainRefusal(remote)
	case errors.As(err, &listen):
		return ReasonAddress, "is another gateway running? choose another address, or port 0 for a free one"
	case errors.Is(err, client.ErrConnection):
		return ReasonUnreachable, explainConnection(err)
	case errors.Is(err, gatewayclient.ErrSilent):
		return ReasonUnreachable, "check the URL, and that the gateway runs; sending the same again is safe"
	case errors.Is(err, client.ErrUnreadable), errors.Is(err, gatewayclient.ErrIncomplete):
		return ReasonNoGateway, "check the URL"
	case errors.Is(err, sqlite.ErrInUse), errors.Is(err, postgres.ErrInUse):
		return ReasonStoreInUse, "stop every gateway that uses the store, or wait until its restore has ended"
	case errors.Is(err, sqlite.ErrInterrupted):
		return ReasonStoreInterrupted, "run rekor-gateway store restore again, with the same backup or another"
	case errors.Is(err, sqlite.ErrMoved):
		return ReasonStoreMoved, "use the configuration that names the database to which it was copied"
	case errors.Is(err, postgres.ErrUnfinishedCopy):
		return ReasonCopyUnfinished, "run the same rekor-gateway store copy again: it goes on where it was"
	case errors.Is(err, postgres.ErrUnsafeServer):
		return ReasonDatabaseUnsafe, "change the server's settings, or name another one; docs/postgres.md says what is needed"
	case postgres.IsRefused(err):
		return ReasonDatabaseRefused, "check the user, the password and the database in store.postgres, and the role's rights; docs/postgres.md says which it needs"
	case errors.Is(err, storecopy.ErrDifferent):
		return ReasonStoreDamaged, "make an empty database and copy once more; the original was not changed, and a gateway may go on with it"
	case errors.Is(err, sqlite.ErrDamaged):
		return ReasonStoreDamaged, "restore the latest backup that rekor-gateway store check finds in order; keep the damaged files until then"
	case errors.Is(err, sqlite.ErrVersion):
		return ReasonStoreVersion, "use the release that wrote it, or a later one"
	case errors.Is(err, postgres.ErrVersion):
		return ReasonStoreVersion, "start a gateway of this release on the database first, or use the release that the gateways are of"
	case errors.Is(err, gateway.ErrStoreUnavailable):
		return problem.ReasonStoreUnavailable, "check that the database runs and can be reached from here, or that nobody holds the store locked; then run it again"
	case errors.Is(err, fs.ErrNotExist):
		return ReasonFile, "check the file's name"
	case errors.As(err, &file):
		return ReasonFile, "check the file's permissions, and the space on its disk"
	case errors.As(err, &own):
		return ReasonUsage, ""
	}
	return ReasonFailed, ""
}

// connectionHints are by what an error says of a connection. Over gRPC there are only words of it.
var connectionHints = []struct{ words, hint string }{
	{"remote error: tls:", "the gateway does not take the client's certificate: see that it has not ended, is for clients (extendedKeyUsage clientAuth), and is from an authority that the gateway's operator has named"},
	{"certificate signed by unknown authority", "name the file with the authority that the gateway's certificate is from: --ca-file FILE"},
	{"certificate is valid for", "call the gateway by a name that its certificate has"},
	{"doesn't contain any IP SANs", "call the gateway by a name that its certificate has"},
	{"HTTP response to HTTPS client", "there is no TLS at this address: write http:// or grpc://"},
	{"malformed HTTP response", "http(s):// is for the gateway's HTTP address, grpc(s):// for its gRPC address: see that they are not mixed up"},
	{"looked like an HTTP/1.1 header", "http(s):// is for the gateway's HTTP address, grpc(s):// for its gRPC address: see that they are not mixed up"},
	{"reading server preface: EOF", "check the URL: where the gateway speaks TLS it is grpcs://"},
}

func explainConnection(err error) string {
	for _, known := range connectionHints {
		if strings.Contains(err.Error(), known.words) {
			return known.hint
		}
	}
	return "check the URL, and that the gateway runs; sending the same again is safe"
}

// explainRefusal is for answers that did not come from a gateway, too: a proxy's, another server's.
func explainRefusal(e *client.Error) (formats.Reason, string) {
	if e.Reason == "" {
		if e.Temporary {
			return ReasonUnreachable, e.Hint
		}
		return ReasonNoGateway, e.Hint
	}
	return formats.Reason(e.Reason), e.Hint
}

// NewWithResult returns err with the result that there is all the same, a JSON object.
func NewWithResult(err error, result []byte) error { return &WithResult{err, result} }
