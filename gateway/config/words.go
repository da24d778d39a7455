// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Sentence says in words what holds for a caller in one respect.
type Sentence struct {
	Subject string `json:"subject"` // a word, which programs may go by
	Text    string `json:"text"`
}

// FindCaller returns the caller of a name. Where there are no callers, that is everybody, and the name is "".
func (c *Config) FindCaller(name string) (Caller, error) {
	var names []string
	for _, caller := range c.Callers {
		if caller.Name == name {
			return caller, nil
		}
		names = append(names, caller.Name)
	}
	switch {
	case len(names) > 0 && name == "":
		return Caller{}, errors.New("the configuration has callers: name one with --caller: " + strings.Join(names, ", "))
	case len(names) > 0:
		return Caller{}, oneOf("caller", name, names...)
	case name != "":
		return Caller{}, errors.New("the configuration has no callers: everybody may do everything; leave the name out")
	}
	return Caller{Tenant: gateway.DefaultTenant, May: slices.Sorted(maps.Keys(gateway.Rights))}, nil
}

// ExplainCaller says what the caller of a name may do, and what he is held to, of formats with these names. It looks at no file.
func (c *Config) ExplainCaller(name string, known []string) ([]Sentence, error) {
	caller, err := c.FindCaller(name)
	if err != nil {
		return nil, err
	}
	p := c.PolicyFor(caller)
	out := []Sentence{{"caller", describeCaller(caller)}}
	if name != "" {
		out = append(out, Sentence{"credentials", c.describeCredentials(caller)})
	}
	out = append(out, []Sentence{
		{"rights", describeRights(caller)}, {"policy", describePolicyName(caller)},
		{"formats", describeFormats(p, known)}, {"signers", describeSigners(p)},
	}...)
	for _, format := range slices.Sorted(maps.Keys(p.Keys)) {
		out = append(out, Sentence{"keys", fmt.Sprintf("in %s only the keys in %s may sign, whatever key is sent", format, joinFiles(p.Keys[format]))})
	}
	out = append(out, Sentence{"roots", describeRoots(p)})
	if len(p.TUFRoots) > 0 {
		out = append(out, Sentence{"roots", fmt.Sprintf("TUF roots are one of %s, or follow from one", strings.Join(p.TUFRoots, ", "))})
	}
	if len(p.SSHNamespaces) > 0 {
		out = append(out, Sentence{"namespaces", "SSH signatures are of the namespaces " + strings.Join(p.SSHNamespaces, ", ")})
	}
	return append(out,
		Sentence{"historical", describeHistorical(p.Historical)}, Sentence{"representations", c.describeRepresentations(p)}, Sentence{"ways", c.describeWays(p)},
		Sentence{"certificates", describePublication(p)}, Sentence{"logs", c.describeLogs(p)}, Sentence{"limits", c.describeLimits()},
	), nil
}

func describeCaller(c Caller) string {
	if c.Name == "" {
		return "everybody who reaches the gateway, of the tenant " + c.Tenant
	}
	return c.Name + ", of the tenant " + c.Tenant
}

var rightsInWords = map[string]string{
	"submit": "send signatures, and plan them", "read": "read and watch the submissions of his tenant", "audit": "read the audit trail",
}

func describeRights(c Caller) string {
	var may, mayNot []string
	for _, right := range []string{"submit", "read", "audit"} {
		if slices.Contains(c.May, right) {
			may = append(may, rightsInWords[right])
		} else {
			mayNot = append(mayNot, rightsInWords[right])
		}
	}
	if len(mayNot) == 0 {
		return "he may " + strings.Join(may, "; ")
	}
	return "he may " + strings.Join(may, "; ") + "; he may not " + strings.Join(mayNot, "; ")
}

func describePolicyName(c Caller) string {
	if c.Policy == "" {
		return "policy, which is for all who name none"
	}
	return c.Policy + ", of policies"
}

func describeFormats(p Policy, known []string) string {
	if len(p.Formats) == 0 {
		return "all are accepted: " + strings.Join(known, ", ")
	}
	var refused []string
	for _, name := range known {
		if !slices.Contains(p.Formats, name) {
			refused = append(refused, name)
		}
	}
	text := "accepted: " + strings.Join(p.Formats, ", ")
	if len(refused) > 0 {
		text += "; refused: " + strings.Join(refused, ", ")
	}
	return text
}

func describeSigners(p Policy) string {
	var who []string
	for _, id := range p.AllowedSigners {
		who = append(who, "the key "+id)
	}
	by := "an authority of the trusted root"
	if len(p.Roots) > 0 {
		by = "an authority in " + joinFiles(p.Roots)
	}
	for _, id := range p.AllowedIdentities {
		one := "whom " + by + " names " + id.SAN
		if id.OIDCIssuer != "" {
			one += ", identified by " + id.OIDCIssuer
		}
		who = append(who, one)
	}
	const never = "; never the keys of the gateway and of the trusted root"
	if len(who) == 0 {
		return "whoever made the signature, by any key that verifies it" + never
	}
	return "only " + strings.Join(who, "; or ") + never
}

// describeRoots says what a certificate is worth.
func describeRoots(p Policy) string {
	switch {
	case len(p.Roots) > 0:
		return "signers in x509 and pkcs7 need a certificate that chains to " + joinFiles(p.Roots)
	case len(p.AllowedIdentities) > 0:
		return "signers in x509 and pkcs7 need a certificate that chains to an authority of the trusted root"
	}
	return "certificates in x509 and pkcs7 need no authority: each is no more than the key in it, also where it has expired by now"
}

func describeHistorical(h Historical) string {
	loaded, err := h.load()
	if err != nil || loaded.Allow == 0 {
		return "refused: what is weak or had expired (" + formats.AllExceptions.String() + ", but that signatures of PGP's version 3 pass when nothing else is weak)"
	}
	text := "let pass as findings, attested alone: " + strings.Join(loaded.Allow.Names(), ", ")
	if !loaded.SignedBefore.IsZero() {
		text += "; in signatures that say they were made before " + h.SignedBefore + " (the signer's claim) or are proven to be"
	}
	if !loaded.LoggedBefore.IsZero() {
		text += "; until " + h.LoggedBefore
	}
	if rest := formats.AllExceptions &^ loaded.Allow; rest != 0 {
		text += "; refused: " + rest.String()
	}
	return text
}

func (c *Config) describeRepresentations(p Policy) string {
	text := "whichever is best"
	if len(p.Representations) > 0 {
		text = "only " + strings.Join(p.Representations, ", ")
	}
	if c.Attestation.Key == "" {
		text += "; nothing is attested: attestation.key is not set"
	}
	return text
}

func describePublication(p Policy) string {
	text := "no certificate becomes public"
	if p.MayPublish() {
		text = "the signer's whole certificate becomes public where a request asks for it"
	}
	if p.PublishUserIDs {
		text += "; the user IDs of PGP keys become public in logs of Rekor v1"
	}
	return text
}

func (c *Config) describeLogs(p Policy) string {
	set := c.ResolvedLogs(p.Logs)
	names := make([]string, len(set.List))
	for i, id := range set.List {
		names[i] = c.describeLog(id)
	}
	list := strings.Join(names, ", ")
	if set.Mode == ModeFailover {
		return fmt.Sprintf("in %d of %s, the first that can be used; what waits for one that cannot be used for %v goes to the next", set.Need, list, set.FailoverAfter)
	}
	return fmt.Sprintf("in each of %s; complete with %d of %d", list, set.Need, len(set.List))
}

// describeLog says what a log is, but for one of Rekor v2 that is configured by hand.
func (c *Config) describeLog(id string) string {
	for i := range c.Logs {
		l := &c.Logs[i]
		if l.ID != id {
			continue
		}
		var is []string
		if l.IsRekorV1() {
			is = append(is, "Rekor v1")
		}
		if source := c.DescribeSource(l); source != "" {
			is = append(is, source)
		}
		if len(is) > 0 {
			return id + " (" + strings.Join(is, ", ") + ")"
		}
	}
	return id
}

func (c *Config) describeLimits() string {
	text := fmt.Sprintf("artifacts of up to %v", c.Limits.MaxArtifactBytes)
	if n := c.Limits.RequestsPerMinute; n > 0 {
		text += fmt.Sprintf("; %d requests a minute from an address, %d at once", n, c.Limits.RequestBurst)
	}
	return text
}

func joinFiles(paths []string) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return strings.Join(names, ", ")
}
