// SPDX-License-Identifier: Apache-2.0

// Package ambient finds the OpenID Connect token that a job has where it runs: GitHub Actions, GitLab, Kubernetes. A token for
// another audience than the one that is wanted is never returned, since whoever is sent it could use it there.
package ambient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Environment variables that are looked at.
const (
	// GitHubURL and GitHubToken are where a job with permission id-token: write asks for tokens, and what it shows there.
	GitHubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	GitHubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	// SigstoreToken is what tools like this one look for a token in.
	SigstoreToken = "SIGSTORE_ID_TOKEN" //nolint:gosec // its name, and no token
)

// Source returns a token that is good for a while. It is safe for concurrent use.
type Source func(context.Context) (string, error)

// Options say where to look. Without Variable and File it is GitHubURL, and then SigstoreToken.
type Options struct {
	Audience string // of the token
	Variable string // of the environment, with the token in it
	File     string // with the token in it, which may be replaced
	// Client asks GitHub; nil: one that trusts the system's authorities.
	Client *http.Client
}

// ErrNone is returned where there is no token.
var ErrNone = errors.New("there is no OpenID Connect token here")

// ErrAudience is returned for a token that is for somebody else, and is not sent.
var ErrAudience = errors.New("the OpenID Connect token here is for another audience")

// Find returns the source of a job's tokens.
func Find(o Options) (Source, error) {
	switch {
	case o.Audience == "":
		return nil, errors.New("the audience of the OpenID Connect token is missing")
	case o.Variable != "" && o.File != "":
		return nil, errors.New("the OpenID Connect token is in a variable, or in a file")
	case o.File != "":
		return checked(o.Audience, func(context.Context) (string, error) { return readToken(o.File) }), nil
	case o.Variable != "":
		return checked(o.Audience, fromVariable(o.Variable)), nil
	case os.Getenv(GitHubURL) != "" && os.Getenv(GitHubToken) != "":
		return newGitHub(o)
	case os.Getenv(SigstoreToken) != "":
		return checked(o.Audience, fromVariable(SigstoreToken)), nil
	}
	return nil, ErrNone
}

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

func fromVariable(name string) Source {
	return func(context.Context) (string, error) {
		token := strings.TrimSpace(os.Getenv(name))
		if token == "" {
			return "", fmt.Errorf("%w: the variable %s is not set", ErrNone, name)
		}
		return token, nil
	}
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading OpenID Connect token: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("reading OpenID Connect token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// checked refuses what from returns if it is not for audience.
func checked(audience string, from Source) Source {
	return func(ctx context.Context) (string, error) {
		token, err := from(ctx)
		if err != nil {
			return "", err
		}
		if _, err := readClaims(token, audience); err != nil {
			return "", err
		}
		return token, nil
	}
}

// algorithms are those that a token's header may name: the gateway judges it, not we.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// readClaims returns when a token ends. Errors do not say what is in it.
func readClaims(token, audience string) (ends time.Time, err error) {
	var claims jwt.Claims
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(token) > maxToken || parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ends, errors.New("what should be an OpenID Connect token is none")
	}
	if len(claims.Audience) != 1 || claims.Audience[0] != audience {
		return ends, fmt.Errorf("%w than %q, and is not sent", ErrAudience, audience)
	}
	if claims.Expiry == nil {
		return ends, errors.New("the OpenID Connect token has no end")
	}
	return claims.Expiry.Time(), nil
}

// shown are claims by which a gateway's configuration tells jobs apart, in the order in which they are shown.
var shown = []string{
	"iss", "aud", "sub", "repository_owner_id", "repository_owner", "repository_id", "repository", "ref", "ref_type", "ref_protected",
	"environment", "project_id", "project_path", "namespace_id", "namespace_path", "kubernetes.io",
}

// maxShown bounds what is shown of a claim, in bytes.
const maxShown = 200

// Describe says what a token claims, and when it ends: for the owner, whom a gateway does not know by it. The token itself is not in it.
func Describe(token string) string {
	claims := map[string]any{}
	var times jwt.Claims
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(token) > maxToken || parsed.UnsafeClaimsWithoutVerification(&claims, &times) != nil {
		return ""
	}
	var words []string
	for _, name := range shown {
		value, there := claims[name]
		if raw, err := json.Marshal(value); there && err == nil {
			words = append(words, fmt.Sprintf("%s: %.*s", name, maxShown, raw))
		}
	}
	if times.Expiry != nil {
		words = append(words, "ends "+times.Expiry.Time().UTC().Format(time.RFC3339))
	}
	return strings.Join(words, ", ")
}

// Bounds on asking GitHub.
const (
	askTimeout = 10 * time.Second
	askTries   = 4
	renewAhead = time.Minute // before a token ends
)

// gitHub asks for tokens of a job.
type gitHub struct {
	client   *http.Client
	url      string
	secret   string
	audience string

	mu    sync.Mutex // guards what follows, and is held while GitHub is asked
	token string
	ends  time.Time
}

func newGitHub(o Options) (Source, error) {
	u, err := url.Parse(os.Getenv(GitHubURL))
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("$%s is not an https URL", GitHubURL)
	}
	query := u.Query()
	query.Set("audience", o.Audience)
	u.RawQuery = query.Encode()
	client := &http.Client{}
	if o.Client != nil {
		*client = *o.Client
	}
	client.Timeout = askTimeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	g := &gitHub{client: client, url: u.String(), secret: os.Getenv(GitHubToken), audience: o.Audience}
	return g.get, nil
}

// get returns the token of before while it is good for renewAhead still.
func (g *gitHub) get(ctx context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Until(g.ends) > renewAhead {
		return g.token, nil
	}
	token, err := backoff.Retry(ctx, func() (string, error) { return g.ask(ctx) }, backoff.WithMaxTries(askTries))
	if err != nil {
		return "", fmt.Errorf("asking GitHub for an OpenID Connect token: %w", err)
	}
	ends, err := readClaims(token, g.audience)
	if err != nil {
		return "", err
	}
	g.token, g.ends = token, ends
	return token, nil
}

// ask returns errors without the URL, and without what GitHub answered.
func (g *gitHub) ask(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url, nil)
	if err != nil {
		return "", backoff.Permanent(fmt.Errorf("$%s is not a URL", GitHubURL))
	}
	request.Header.Set("Authorization", "Bearer "+g.secret)
	request.Header.Set("Accept", "application/json")
	response, err := g.client.Do(request)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	switch {
	case response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return "", fmt.Errorf("it answered %s", response.Status)
	case response.StatusCode != http.StatusOK:
		return "", backoff.Permanent(fmt.Errorf("it answered %s", response.Status))
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 2*maxToken)).Decode(&answer); err != nil || answer.Value == "" {
		return "", backoff.Permanent(errors.New("it answered without a token"))
	}
	return answer.Value, nil
}
