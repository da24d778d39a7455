// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Identity is whom an authority names in a certificate.
type Identity struct {
	SAN string `yaml:"san"` // "dns:NAME", "uri:URI", "email:ADDRESS", as in ClientCert
	// OIDCIssuer is who had identified him, as Fulcio's certificates say; "": they do not say it.
	OIDCIssuer string `yaml:"oidc_issuer,omitempty" json:",omitempty"`
}

// checkIdentities refuses identities that could be nobody's, and those that anybody whom Fulcio knows could have.
func (p Policy) checkIdentities() error {
	for i, id := range p.AllowedIdentities {
		if !sanForm.MatchString(id.SAN) {
			return fmt.Errorf("allowed_identities[%d].san: %q is not dns:NAME in lower case, uri:URI or email:ADDRESS, written out", i, id.SAN)
		}
		if id.OIDCIssuer == "" && len(p.Roots) == 0 {
			return fmt.Errorf("allowed_identities[%d].oidc_issuer is missing: the authorities of the trusted root name whom several issuers had identified; "+
				"name the issuer, or your own authorities in roots", i)
		}
		if id.OIDCIssuer == "" {
			continue
		}
		if err := checkURL("", id.OIDCIssuer); err != nil {
			return errors.New(fmt.Sprintf("allowed_identities[%d].oidc_issuer", i) + err.Error())
		}
	}
	return nil
}

func convertIdentities(ids []Identity) (out []formats.Identity) {
	for _, id := range ids {
		out = append(out, formats.Identity{SAN: id.SAN, OIDCIssuer: id.OIDCIssuer})
	}
	return out
}
