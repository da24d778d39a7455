// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// describeCredentials says how somebody shows that he is c, without what he shows.
func (c *Config) describeCredentials(caller Caller) string {
	var ways []string
	for _, text := range caller.TokenSHA256 {
		ways = append(ways, "a bearer token"+describeUntil(text))
	}
	for _, text := range caller.PathTokenSHA256 {
		ways = append(ways, "a token in the path of a URL"+describeUntil(text))
	}
	for _, name := range caller.ClientCert.SAN {
		ways = append(ways, "a client certificate for "+name)
	}
	if caller.OIDC.IsGiven() {
		ways = append(ways, describeOIDC(caller.OIDC))
	}
	for _, l := range c.Listeners {
		if l.Caller == caller.Name {
			ways = append(ways, "whoever reaches "+l.Listen)
		}
	}
	if caller.Anonymous {
		ways = append(ways, "whoever shows no credential")
	}
	return strings.Join(ways, "; ")
}

// describeUntil leaves the hash of a token out.
func describeUntil(token string) string {
	if _, until, limited := strings.Cut(token, " until "); limited {
		return " until " + until
	}
	return ""
}

func describeOIDC(o OIDC) string {
	var claims []string
	for _, c := range o.ListClaims() {
		claims = append(claims, fmt.Sprintf("%s is %s", strings.Join(c.Path, "."), strings.Join(c.AnyOf, " or ")))
	}
	return fmt.Sprintf("a token of %s for %s in which %s", o.Issuer, o.Audience, strings.Join(claims, " and "))
}
