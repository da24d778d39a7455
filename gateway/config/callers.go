// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Caller is who may call, and what for. Without any, everybody may do everything.
type Caller struct {
	Name   string `yaml:"name"`
	Tenant string `yaml:"tenant"` // whose submissions he sends and sees
	// TokenSHA256 are his bearer tokens, as ParseToken reads them.
	TokenSHA256 []string `yaml:"token_sha256,omitempty"`
	// PathTokenSHA256 are his tokens that stand in the path of a URL, as in TokenSHA256: for clients that send nothing else.
	PathTokenSHA256 []string `yaml:"path_token_sha256,omitempty"`
	// ClientCert are his certificates, as TLS.ClientCAFile's authorities issue them.
	ClientCert ClientCert `yaml:"client_cert,omitempty"`
	OIDC       OIDC       `yaml:"oidc,omitempty"`
	// Anonymous: he is the caller of requests without a credential.
	Anonymous bool         `yaml:"anonymous,omitempty"`
	May       []string     `yaml:"may"`              // of gateway.Rights
	Policy    string       `yaml:"policy,omitempty"` // of Config.Policies; "" is Config.Policy
	Limits    CallerLimits `yaml:"limits,omitempty"`
	// Priority is that of his submissions, and the highest that he may ask for; "" is interactive.
	Priority string `yaml:"priority,omitempty"`
}

// CallerLimits are what a caller is held to; 0 is no limit of his own. What is stored already counts nothing when it is sent
// again, and days are those of UTC.
type CallerLimits struct {
	RequestsPerMinute int   `yaml:"requests_per_minute,omitempty"` // in place of Limits.RequestsPerMinute
	Burst             int   `yaml:"burst,omitempty"`               // of those, at once; 0 is Limits.RequestBurst
	SubmissionsPerDay int64 `yaml:"submissions_per_day,omitempty"` // new ones
	BytesPerDay       Size  `yaml:"bytes_per_day,omitempty"`       // stored for those, as Limits.MaxPendingBytes counts
	Pending           int   `yaml:"pending,omitempty"`             // submissions accepted and not settled yet
}

// ClientCert names certificates.
type ClientCert struct {
	// SAN are names in them, one of which is enough: "dns:NAME", "uri:URI", "email:ADDRESS".
	SAN []string `yaml:"san,omitempty"`
}

// Rights returns what c may do.
func (c Caller) Rights() (all gateway.Right) {
	for _, name := range c.May {
		all |= gateway.Rights[name]
	}
	return all
}

// HighestPriority returns the highest priority that c may ask for.
func (c Caller) HighestPriority() gateway.Priority {
	p, _ := gateway.ParsePriority(c.Priority)
	return p
}

// Token is a bearer token, as far as a configuration names it.
type Token struct {
	SHA256 [sha256.Size]byte
	Until  time.Time // from when on it is not good any more; zero: it stays good
}

// ParseToken reads the SHA-256 of a token in hexadecimal, and, where " until " follows, a date (its first moment in UTC) or
// an RFC 3339 time. Its errors do not say what is there: somebody may have put the token itself there.
func ParseToken(text string) (t Token, err error) {
	digest, until, limited := strings.Cut(text, " until ")
	raw, err := hex.DecodeString(digest)
	if err != nil || len(raw) != sha256.Size {
		return t, errors.New("this is not the SHA-256 of a token, 64 hexadecimal digits; rekor-gateway config token makes both")
	}
	t.SHA256 = [sha256.Size]byte(raw)
	if !limited {
		return t, nil
	}
	if t.Until, err = time.Parse(time.RFC3339, until); err == nil {
		return t, nil
	}
	if t.Until, err = time.Parse(time.DateOnly, until); err != nil {
		return t, errors.New(`what follows "until" is not a date as in 2027-01-31, or a time as in 2027-01-31T08:00:00Z`)
	}
	return t, nil
}

var callerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)

const callerNameRule = "it is 1 to 63 of a-z, 0-9, dot, hyphen and underscore, and begins and ends with one of the first two"

// CheckName refuses what cannot be a caller's name, or a tenant's.
func CheckName(name string) error {
	if !callerName.MatchString(name) {
		return fmt.Errorf("%q is no name: %s", name, callerNameRule)
	}
	return nil
}

// refuseEmptyCallers refuses a key callers with nothing in it, as a template leaves it whose list was empty: without callers
// everybody may do everything, and that is said by leaving the key out.
func refuseEmptyCallers(raw []byte) error {
	var top struct {
		Callers yaml.Node `yaml:"callers"`
	}
	if err := yaml.Unmarshal(raw, &top); err != nil {
		return explainYAMLError(err, raw)
	}
	given := top.Callers
	if given.Kind == yaml.AliasNode {
		given = *given.Alias
	}
	if given.IsZero() || len(given.Content) > 0 {
		return nil
	}
	return fmt.Errorf("line %d: callers is empty, which would let everybody do everything: list who may call, or leave the key out", given.Line)
}

func (c *Config) checkCallers() error {
	if len(c.Callers) > 0 && c.InsecureNoAuth {
		return errors.New("insecure_no_auth says that nobody is asked who he is, and callers who may call: leave one of them out")
	}
	seen, anonymous := map[string]bool{}, ""
	bound := c.listCallersOfListeners()
	tokens := map[[sha256.Size]byte]string{}
	for i, caller := range c.Callers {
		if err := caller.checkCaller(tokens, bound[caller.Name]); err != nil {
			return fmt.Errorf("callers[%d] (%s): %w", i, caller.Name, err)
		}
		if seen[caller.Name] {
			return fmt.Errorf("callers[%d]: the name %q is there twice", i, caller.Name)
		}
		seen[caller.Name] = true
		if caller.Anonymous && anonymous != "" {
			return fmt.Errorf("callers[%d] (%s): %s is the anonymous caller already; there is one", i, caller.Name, anonymous)
		}
		if caller.Anonymous {
			anonymous = caller.Name
		}
	}
	return nil
}

// listCallersOfListeners returns whose names listeners have.
func (c *Config) listCallersOfListeners() map[string]bool {
	names := map[string]bool{}
	for _, l := range c.Listeners {
		names[l.Caller] = true
	}
	return names
}

// countCredentials returns how many of them could show that somebody is c.
func (c Caller) countCredentials() int {
	n := len(c.TokenSHA256) + len(c.PathTokenSHA256) + len(c.ClientCert.SAN)
	if c.OIDC.IsGiven() {
		n++
	}
	return n
}

// checkCaller notes the caller's tokens in tokens. bound: a listener is his.
func (c Caller) checkCaller(tokens map[[sha256.Size]byte]string, bound bool) error {
	switch {
	case !callerName.MatchString(c.Name):
		return errors.New("this is no name: " + callerNameRule)
	case !callerName.MatchString(c.Tenant):
		return errors.New("tenant is missing, or no name: " + callerNameRule + "; submissions from before there were callers are those of default")
	case len(c.May) == 0:
		return errors.New("may is empty: say what the caller may do, as in may: [submit, read]")
	case !c.Anonymous && !bound && c.countCredentials() == 0:
		return errors.New("nothing shows that somebody is this caller: give token_sha256, path_token_sha256, client_cert, oidc, a listener of his own (listeners), or anonymous: true")
	case c.Anonymous && c.countCredentials() > 0:
		return errors.New("anonymous is the caller of those who have no credential: leave token_sha256, path_token_sha256, client_cert and oidc out")
	}
	for i, name := range c.May {
		if err := oneOf(fmt.Sprintf("may[%d]", i), name, slices.Sorted(maps.Keys(gateway.Rights))...); err != nil {
			return err
		}
	}
	if err := errors.Join(c.checkPriority(), c.Limits.checkLimits()); err != nil {
		return err
	}
	return errors.Join(c.checkTokens("token_sha256", c.TokenSHA256, tokens), c.checkTokens("path_token_sha256", c.PathTokenSHA256, tokens))
}

// checkTokens refuses a token that is there already, as a bearer token or in a path: one that a URL has leaked is good for nothing else.
func (c Caller) checkTokens(key string, texts []string, tokens map[[sha256.Size]byte]string) error {
	for i, text := range texts {
		t, err := ParseToken(text)
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", key, i, err)
		}
		if other, ok := tokens[t.SHA256]; ok {
			return fmt.Errorf("%s[%d]: it is a token of %s already", key, i, other)
		}
		tokens[t.SHA256] = c.Name
	}
	return nil
}

func (c Caller) checkPriority() error {
	if c.Priority == "" {
		return nil
	}
	return oneOf("priority", c.Priority, gateway.Interactive.String(), gateway.Backfill.String())
}

// maxPendingOfCaller bounds what is counted whenever the caller sends something.
const maxPendingOfCaller = 100_000

func (l CallerLimits) checkLimits() error {
	switch {
	case min(int64(l.RequestsPerMinute), int64(l.Burst), l.SubmissionsPerDay, int64(l.BytesPerDay), int64(l.Pending)) < 0:
		return errors.New("limits must not be negative: leave one out for no limit")
	case l.Burst > 0 && l.RequestsPerMinute == 0:
		return errors.New("limits.burst goes with limits.requests_per_minute; give both, or neither")
	case l.Pending > maxPendingOfCaller:
		return fmt.Errorf("limits.pending is above %d; limits.max_pending bounds all callers together", maxPendingOfCaller)
	}
	return nil
}

var sanForm = regexp.MustCompile(`^(dns:[a-z0-9.-]+|uri:[a-z][a-z0-9+.-]*:[^*\s]+|email:[^@*\s]+@[^@*\s]+)$`)

// checkNames refuses names of certificates that could be of two callers, or of none.
func (c *Config) checkNames() error {
	owners := map[string]string{}
	for i, caller := range c.Callers {
		for j, name := range caller.ClientCert.SAN {
			where := fmt.Sprintf("callers[%d] (%s): client_cert.san[%d]", i, caller.Name, j)
			if !sanForm.MatchString(name) {
				return fmt.Errorf("%s: %q is not dns:NAME in lower case, uri:URI or email:ADDRESS, written out", where, name)
			}
			if other, ok := owners[name]; ok {
				return fmt.Errorf("%s: it is a name of %s already", where, other)
			}
			owners[name] = caller.Name
		}
	}
	if len(owners) > 0 && c.HTTP.TLS.ClientCAFile == "" && c.GRPC.TLS.ClientCAFile == "" {
		return errors.New("callers have certificates, and no listener takes any: name the authorities in http.tls.client_ca_file or grpc.tls.client_ca_file")
	}
	return nil
}

// ListCallersFiles returns the files that say who callers are and what they are held to. They are read again with the callers.
func (c *Config) ListCallersFiles() []string {
	paths := []string{c.HTTP.TLS.ClientCAFile, c.GRPC.TLS.ClientCAFile}
	for _, name := range c.PolicyNames() {
		paths = append(paths, c.PolicyNamed(name).ListFiles()...)
	}
	for _, caller := range c.Callers {
		paths = append(paths, caller.OIDC.CAFile)
	}
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// usesTokens reports whether callers send what must not be read on its way.
func (c *Config) usesTokens() bool {
	return slices.ContainsFunc(c.Callers, func(caller Caller) bool {
		return len(caller.TokenSHA256)+len(caller.PathTokenSHA256) > 0 || caller.OIDC.IsGiven()
	})
}

// CheckListening refuses c where it is used by a gateway that listens as started does: it may say who calls, but not that
// strangers may where they could not, nor that tokens are sent where they can be read. Whether a listener speaks TLS changes with a restart alone.
func (c Config) CheckListening(started *Config) error {
	later := ""
	if c.HTTP.TLS.CertFile != "" && started.HTTP.TLS.CertFile == "" || c.GRPC.TLS.CertFile != "" && started.GRPC.TLS.CertFile == "" {
		later = "; tls was added, which is used after a restart"
	}
	c.HTTP.Listen, c.GRPC.Listen = started.HTTP.Listen, started.GRPC.Listen
	c.HTTP.TLS, c.GRPC.TLS = started.HTTP.TLS, started.GRPC.TLS
	if err := c.checkListeners(); err != nil {
		return fmt.Errorf("%w%s", err, later)
	}
	return nil
}
