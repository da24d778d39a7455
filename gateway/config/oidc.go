// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// OIDC says which tokens of an OpenID Connect issuer are a caller's.
type OIDC struct {
	Issuer   string           `yaml:"issuer,omitempty"`   // https URL, as it is in the tokens
	Audience string           `yaml:"audience,omitempty"` // the only one that they have
	Claims   map[string]Claim `yaml:"claims,omitempty"`   // all of them have to hold
	// CAFile has the authorities, in PEM, that the issuer's own certificate may be from; "" is the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// JWKSURL is where the issuer's keys are, https; "" is where its discovery document says, at the issuer itself.
	JWKSURL string `yaml:"jwks_url,omitempty"`
}

// Claim is what a token has to say: a text, which is one of AnyOf, or an object, of which all that is Inside holds.
type Claim struct {
	AnyOf  []string
	Inside map[string]Claim
}

// UnmarshalYAML implements yaml.Unmarshaler: a text, a list of texts, or a mapping of names to such. What looks like a
// number is the text that is there.
func (c *Claim) UnmarshalYAML(n *yaml.Node) error {
	*c = Claim{}
	switch n.Kind {
	case yaml.ScalarNode:
		c.AnyOf = []string{n.Value}
		return nil
	case yaml.SequenceNode:
		return n.Decode(&c.AnyOf)
	}
	return n.Decode(&c.Inside)
}

// MarshalYAML implements yaml.Marshaler.
func (c Claim) MarshalYAML() (any, error) {
	if c.Inside != nil {
		return c.Inside, nil
	}
	return c.AnyOf, nil
}

// ClaimRule is a claim by its path, from the outermost name on.
type ClaimRule struct {
	Path  []string
	AnyOf []string
}

// ListClaims returns all claims, in an order of their own.
func (o OIDC) ListClaims() []ClaimRule { return listClaims(nil, o.Claims) }

func listClaims(above []string, claims map[string]Claim) (all []ClaimRule) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		c, path := claims[name], append(slices.Clip(above), name)
		if len(c.Inside) > 0 { // an empty one is no claim, which checkClaim refuses
			all = append(all, listClaims(path, c.Inside)...)
			continue
		}
		all = append(all, ClaimRule{path, c.AnyOf})
	}
	return all
}

// IsGiven reports whether there is anything of o.
func (o OIDC) IsGiven() bool { return !reflect.DeepEqual(o, OIDC{}) }

// pinning are the claims that say whose a token is. One of them at least is in every rule: others, such as a branch's
// name, hold for everybody that the issuer serves.
var pinning = []string{
	"sub",
	"repository", "repository_id", "repository_owner", "repository_owner_id", // GitHub
	"project_path", "project_id", "namespace_path", "namespace_id", // GitLab
	"kubernetes.io/namespace", // kubernetes.io: {namespace: …}
}

// ownChecks are the claims that have checks of their own.
var ownChecks = map[string]string{"iss": "name it as issuer", "aud": "name it as audience", "exp": "it is always checked", "nbf": "it is always checked", "iat": "it is always checked"}

func (o OIDC) checkOIDC() error {
	if err := checkHTTPS("issuer", o.Issuer); err != nil {
		return err
	}
	if o.JWKSURL != "" {
		if err := checkHTTPS("jwks_url", o.JWKSURL); err != nil {
			return err
		}
	}
	if o.Audience == "" || strings.ContainsAny(o.Audience, "*") {
		return errors.New("audience is missing, or has a *: name the one that tokens for this gateway alone have, its URL for example")
	}
	isPinned := false
	for _, c := range o.ListClaims() {
		if err := c.checkClaim(); err != nil {
			return err
		}
		isPinned = isPinned || slices.Contains(pinning, strings.Join(c.Path, "/"))
	}
	if !isPinned {
		return fmt.Errorf("claims say nothing of whose the tokens are, and everybody whom the issuer serves would be this caller: name one of %s", strings.Join(pinning, ", "))
	}
	return nil
}

func (c ClaimRule) checkClaim() error {
	name := "claims." + strings.Join(c.Path, "/")
	if todo, own := ownChecks[c.Path[0]]; own {
		return fmt.Errorf("%s: %s", name, todo)
	}
	if len(c.AnyOf) == 0 {
		return fmt.Errorf("%s: there is no value", name)
	}
	for _, value := range c.AnyOf {
		if value == "" || strings.Contains(value, "*") {
			return fmt.Errorf("%s: %q is no value: each is compared as it is, without wildcards; list several as [a, b]", name, value)
		}
	}
	return nil
}

// checkHTTPS refuses what is not https, and what a token's iss cannot be.
func checkHTTPS(key, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s: %s is not https://HOST[:PORT][/PATH]", key, showURL(raw))
	}
	return nil
}

// checkIssuers refuses rules that are two callers', and issuers that would be asked in two ways.
func (c *Config) checkIssuers() error {
	for i, caller := range c.Callers {
		if !caller.OIDC.IsGiven() {
			continue
		}
		where := fmt.Sprintf("callers[%d] (%s): oidc", i, caller.Name)
		if err := caller.OIDC.checkOIDC(); err != nil {
			return fmt.Errorf("%s.%w", where, err)
		}
		for _, other := range c.Callers[:i] {
			if other.OIDC.Issuer != caller.OIDC.Issuer {
				continue
			}
			if other.OIDC.CAFile != caller.OIDC.CAFile || other.OIDC.JWKSURL != caller.OIDC.JWKSURL {
				return fmt.Errorf("%s: ca_file and jwks_url are not as %s has them for the same issuer", where, other.Name)
			}
			if other.OIDC.Audience == caller.OIDC.Audience && reflect.DeepEqual(other.OIDC.Claims, caller.OIDC.Claims) {
				return fmt.Errorf("%s: its tokens are those of %s already", where, other.Name)
			}
		}
	}
	return nil
}
