// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storecopy"
)

// hintedError is an error with advice. Its reason is reasonUsage where none is given and none is found in
// what it wraps.
type hintedError struct {
	reason formats.Reason
	err    error
	hint   string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

func withHint(err error, hint string, args ...any) error {
	return &hintedError{err: err, hint: fmt.Sprintf(hint, args...)}
}

// fail returns an error with a reason of its own.
func fail(reason formats.Reason, err error, hint string, args ...any) error {
	return &hintedError{reason, err, fmt.Sprintf(hint, args...)}
}

// resultError is a failure after there was a result, such as a submission that is not logged yet.
type resultError struct {
	error
	result []byte // a JSON object
}

func (e *resultError) Unwrap() error { return e.error }

// withResult returns err with the result that there is all the same.
func withResult(err error, result proto.Message) error {
	raw, merr := marshalMessage(result)
	if merr != nil {
		return errors.Join(err, merr)
	}
	return &resultError{err, raw}
}

// failure is an error as it is told. The JSON form is part of the contract.
type failure struct {
	Reason   formats.Reason `json:"reason"`
	Message  string         `json:"message"`
	Hint     string         `json:"hint"`
	ExitCode int            `json:"exitCode"`
}

// describeFailure finds reason, hint and exit code of err.
func describeFailure(err error) failure {
	f := failure{Message: oneLine(err.Error())}
	f.Reason, f.Hint = explainError(err)
	var own *hintedError
	if errors.As(err, &own) {
		f.Hint = own.hint
		if own.reason != "" {
			f.Reason = own.reason
		}
	}
	f.Hint = oneLine(f.Hint)
	f.Message = strings.TrimPrefix(f.Message, string(f.Reason)+": ")
	f.ExitCode = exitCodeOf(f.Reason)
	return f
}

// explainError returns the reason and the hint of an error that has none of this program's own.
func explainError(err error) (formats.Reason, string) {
	var own *hintedError
	var refusal *formats.Error
	var secret *formats.SecretError
	var remote *client.Error
	var listen *server.ListenError
	var file *fs.PathError
	switch {
	case errors.Is(err, context.Canceled):
		return reasonInterrupted, ""
	case errors.As(err, &secret):
		return formats.ReasonSecretKey, "it was only read here, and sent nowhere; name the public key in its place: " + secret.Secret.Public
	case errors.As(err, &refusal):
		return refusal.Reason, refusal.Hint
	case errors.As(err, &remote):
		return explainRefusal(remote)
	case errors.As(err, &listen):
		return reasonAddress, "is another gateway running? choose another address, or port 0 for a free one"
	case errors.Is(err, client.ErrConnection):
		return reasonUnreachable, explainConnection(err)
	case errors.Is(err, gatewayclient.ErrSilent):
		return reasonUnreachable, "check the URL, and that the gateway runs; sending the same again is safe"
	case errors.Is(err, client.ErrUnreadable):
		return reasonNoGateway, "check the URL"
	case errors.Is(err, sqlite.ErrInUse), errors.Is(err, postgres.ErrInUse):
		return reasonStoreInUse, "stop every gateway that uses the store, or wait until its restore has ended"
	case errors.Is(err, sqlite.ErrInterrupted):
		return reasonStoreInterrupted, "run rekor-gateway store restore again, with the same backup or another"
	case errors.Is(err, sqlite.ErrMoved):
		return reasonStoreMoved, "use the configuration that names the database to which it was copied"
	case errors.Is(err, postgres.ErrUnfinishedCopy):
		return reasonCopyUnfinished, "run the same rekor-gateway store copy again: it goes on where it was"
	case errors.Is(err, postgres.ErrUnsafeServer):
		return reasonDatabaseUnsafe, "change the server's settings, or name another one; docs/postgres.md says what is needed"
	case postgres.IsRefused(err):
		return reasonDatabaseRefused, "check the user, the password and the database in store.postgres, and the role's rights; docs/postgres.md says which it needs"
	case errors.Is(err, storecopy.ErrDifferent):
		return reasonStoreDamaged, "make an empty database and copy once more; the original was not changed, and a gateway may go on with it"
	case errors.Is(err, sqlite.ErrDamaged):
		return reasonStoreDamaged, "restore the latest backup that rekor-gateway store check finds in order; keep the damaged files until then"
	case errors.Is(err, sqlite.ErrVersion):
		return reasonStoreVersion, "use the release that wrote it, or a later one"
	case errors.Is(err, postgres.ErrVersion):
		return reasonStoreVersion, "start a gateway of this release on the database first, or use the release that the gateways are of"
	case errors.Is(err, gateway.ErrStoreUnavailable):
		return problem.ReasonStoreUnavailable, "check that the database runs and can be reached from here, or that nobody holds the store locked; then run it again"
	case errors.Is(err, fs.ErrNotExist):
		return reasonFile, "check the file's name"
	case errors.As(err, &file):
		return reasonFile, "check the file's permissions, and the space on its disk"
	case errors.As(err, &own):
		return reasonUsage, ""
	case strings.HasPrefix(err.Error(), "required flag"):
		return reasonUsage, explainRequired(err)
	}
	return reasonFailed, ""
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

// explainRequired says how the flag can be given that cobra misses.
func explainRequired(err error) string {
	for _, name := range environmentFlags {
		if strings.Contains(err.Error(), `"`+name+`"`) {
			return fmt.Sprintf("give --%s, or set $%s", name, environmentName(name))
		}
	}
	return "see the command's --help"
}

// explainRefusal is for answers that did not come from a gateway, too: a proxy's, another server's.
func explainRefusal(e *client.Error) (formats.Reason, string) {
	if e.Reason == "" {
		if e.Temporary {
			return reasonUnreachable, e.Hint
		}
		return reasonNoGateway, e.Hint
	}
	return formats.Reason(e.Reason), e.Hint
}

// printError tells what went wrong, and what to do about it where that is known.
func printError(w io.Writer, err error) {
	printLine(w, "rekor-gateway: %s", oneLine(err.Error()))
	if hint := describeFailure(err).Hint; hint != "" {
		printLine(w, "hint: %s", hint)
	}
}

// printFailure prints err as JSON: as the member "error" of the result that there is, or alone.
func printFailure(w io.Writer, err error) {
	raw, merr := json.Marshal(describeFailure(err))
	if merr != nil {
		return // a struct of strings
	}
	result := []byte("{}")
	var partial *resultError
	if errors.As(err, &partial) {
		result = partial.result
	}
	_, _ = fmt.Fprintf(w, "%s\n", escapeJSON(addMember(result, "error", raw)))
}

// addMember returns the JSON object with one more member.
func addMember(object []byte, name string, value []byte) []byte {
	head := bytes.TrimSuffix(bytes.TrimSpace(object), []byte("}"))
	if !bytes.HasSuffix(bytes.TrimSpace(head), []byte("{")) {
		head = append(bytes.Clone(head), ',')
	}
	return fmt.Appendf(bytes.Clone(head), "%q:%s}", name, value)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
