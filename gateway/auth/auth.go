// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// The refusals. They are the same whatever is, or is not, there to be seen.
var (
	errNone = formats.NewError(problem.ReasonUnauthenticated, "this gateway answers only to callers that it knows",
		"send a token as Authorization: Bearer TOKEN, or with rekor-gateway's --token-file; a client that cannot, such as rekor-cli, needs one in the URL's path, /r/TOKEN, of the gateway's operator")
	errBad = formats.NewError(problem.ReasonUnauthenticated, "the credential is not one of a caller that this gateway knows, or not any more",
		"see that it is for this gateway and has not ended, that a token is sent as Authorization: Bearer TOKEN, or in the path if it was made for that, and that a certificate has a subject alternative name; else ask the gateway's operator")
	errSeveral = formats.NewError(problem.ReasonUnauthenticated, "there is more than one credential",
		"send one alone")
	errAtListener = formats.NewError(problem.ReasonUnauthenticated, "at this address everybody is the same caller, and there is a credential besides",
		"leave the credential out, or use the gateway's other address")
	errNoIssuer = formats.NewError(problem.ReasonIssuerUnavailable, "the issuer of this token cannot be asked for its keys now",
		"send it again later; tell the gateway's operator if it stays so")
	errMayNot = formats.NewError(problem.ReasonForbidden, "this caller may not do that",
		"if the request had no credential, send one; else the gateway's operator can allow it: may, in callers of its configuration")
)

// ErrTakenBack is the refusal in the midst of a call whose credential is not good any more.
var ErrTakenBack error = formats.NewError(problem.ReasonUnauthenticated, "the credential of this call has been taken back",
	"ask the gateway's operator for another one")

// Authenticator knows the callers. It is safe for concurrent use; requests share no lock.
type Authenticator struct {
	// Logger is told when an issuer's keys cannot be fetched, and when they can again, and Panics of faults in that. They
	// are set before the first Use; nil: nobody is told.
	Logger *slog.Logger
	Panics *panics.Reporter

	now   func() time.Time
	table atomic.Pointer[Table]

	changing sync.Mutex // held while table changes
}

// New returns an authenticator for which nobody may call yet. By the clock now it judges whether a credential is good still.
func New(now func() time.Time) *Authenticator {
	a := &Authenticator{now: now}
	a.table.Store(&Table{})
	return a
}

// Close ends what fetches issuers' keys. Those that are known stay good.
func (a *Authenticator) Close() {
	a.changing.Lock()
	defer a.changing.Unlock()
	for _, one := range a.table.Load().issuers {
		one.Close()
	}
}

// ListIssuers returns when the keys of each issuer in use were fetched last, by its URL; the zero time: never.
func (a *Authenticator) ListIssuers() map[string]time.Time {
	all := map[string]time.Time{}
	for config, one := range a.table.Load().issuers {
		all[config.URL] = one.Fetched()
	}
	return all
}

// Use has t say who may call from now on. Of credentials that are gone, or are another caller's, the lifetimes end. A table is
// used once.
func (a *Authenticator) Use(t *Table) {
	a.changing.Lock()
	defer a.changing.Unlock()
	former := a.table.Load()
	ended := t.takeOver(former)
	unused := t.startIssuers(former, issuer.Options{Now: a.now, Logger: cmp.Or(a.Logger, slog.New(slog.DiscardHandler)), Panics: a.Panics})
	a.table.Store(t)
	for _, g := range ended { // who asks again meets t
		g.end()
	}
	for _, one := range unused {
		one.Close()
	}
}

// IsOpen reports whether there is no access control.
func (a *Authenticator) IsOpen() bool { return a.table.Load().open }

// Credentials are what a request came with.
type Credentials struct {
	Authorization []string // values of that header
	// Certificate is the client's, in a chain that TLS has verified; nil: he has shown none.
	Certificate *x509.Certificate
	Path        *PathToken // nil: nothing stood in the path for one
	// Listener is the address of the one that the request came to, if everybody is the same caller there.
	Listener string
}

// count returns how many there are, but for the listener.
func (c Credentials) count() int {
	n := len(c.Authorization)
	if c.Certificate != nil {
		n++
	}
	if c.Path != nil {
		n++
	}
	return n
}

// Identify returns the caller who has shown c. The error is a refusal.
func (a *Authenticator) Identify(c Credentials) (gateway.Caller, error) {
	caller, _, err := a.IdentifyFor(c)
	return caller, err
}

// IdentifyFor is Identify for what lasts: lifetime ends when the credential is taken back. One that runs out ends
// nothing that is under way.
func (a *Authenticator) IdentifyFor(c Credentials) (_ gateway.Caller, lifetime context.Context, err error) {
	t := a.table.Load()
	if t.open && (c.Listener != "" || c.Path != nil) { // one that has lost its caller, and a token of nobody
		return gateway.Caller{}, nil, errBad
	}
	if t.open {
		return gateway.Caller{Tenant: gateway.DefaultTenant, May: gateway.AllRights}, context.Background(), nil
	}
	g, err := t.grantFor(c, a.now())
	if err != nil {
		return gateway.Caller{}, nil, err
	}
	return g.caller, g.lifetime, nil
}

func (t *Table) grantFor(c Credentials, now time.Time) (*grant, error) {
	switch shown := c.count(); {
	case c.Listener != "":
		return t.grantForListener(c.Listener, shown)
	case shown > 1:
		return nil, errSeveral
	case len(c.Authorization) == 1:
		return t.grantForToken(c.Authorization[0], now)
	case c.Certificate != nil:
		return t.grantForCertificate(c.Certificate, now)
	case c.Path != nil:
		return t.grantForPath(*c.Path, now)
	case t.anonymous != nil:
		return t.anonymous, nil
	}
	return nil, errNone
}

// grantForListener refuses credentials beside the listener. One that is nobody's is closed.
func (t *Table) grantForListener(address string, shown int) (*grant, error) {
	g := t.listeners[address]
	switch {
	case g == nil:
		return nil, errBad
	case shown > 0:
		return nil, errAtListener
	}
	return g, nil
}

// grantForToken never takes a bad credential for none.
func (t *Table) grantForToken(authorization string, now time.Time) (*grant, error) {
	token, ok := readBearer(authorization)
	if !ok {
		return nil, errBad
	}
	hash := HashToken(token)
	if len(t.audiences) > 0 && issuer.IsToken(token) && t.find(t.tokens, hash) == nil {
		return t.grantForJWT(token, hash, now)
	}
	return t.grantForHash(t.tokens, hash, now)
}

func (t *Table) grantForHash(among tokenGrants, hash [sha256.Size]byte, now time.Time) (*grant, error) {
	g := t.find(among, hash)
	if g == nil || !g.token.Until.IsZero() && !now.Before(g.token.Until) {
		return nil, errBad
	}
	return g, nil
}

// maxToken bounds a bearer token, in bytes.
const maxToken = 8 << 10

// readBearer returns the token of an Authorization header (RFC 6750).
func readBearer(authorization string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return "", false
	}
	return token, !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == ',' || r > '~' })
}

// inQuery are parameters in which people send tokens. RFC 6750 has the first, and advises against it: queries are
// in every proxy's log.
var inQuery = []string{"access_token", "token", "authorization", "bearer", "api_key"}

var errInQuery = problem.Malformed("there is a credential in the query, where others can read it",
	"replace it by another one, and send that as Authorization: Bearer TOKEN")

// CheckQuery refuses credentials in a URL's query.
func CheckQuery(raw string) error {
	if raw == "" {
		return nil
	}
	values, _ := url.ParseQuery(raw) // what is malformed is left out, and refused later
	for name := range values {
		if slices.Contains(inQuery, strings.ToLower(name)) {
			return errInQuery
		}
	}
	return nil
}

// CheckRight refuses what the caller of ctx may not do. Who is not known is told to say who he is.
func CheckRight(ctx context.Context, want gateway.Right) error {
	caller := gateway.CallerFrom(ctx)
	switch {
	case caller.May.Has(want):
		return nil
	case caller.Name == "":
		return errNone
	}
	return errMayNot
}
