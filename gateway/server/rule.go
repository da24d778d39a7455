// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// loadRule returns nil when none is configured.
func loadRule(c config.OIDC) (*auth.Rule, error) {
	if !c.IsGiven() {
		return nil, nil //nolint:nilnil // documented
	}
	rule := &auth.Rule{Issuer: issuer.Config{URL: c.Issuer, KeysURL: c.JWKSURL}, Audience: c.Audience}
	for _, claim := range c.ListClaims() {
		rule.Claims = append(rule.Claims, auth.Claim(claim))
	}
	if c.CAFile == "" {
		return rule, nil
	}
	if err := checkRegular(c.CAFile); err != nil {
		return nil, fmt.Errorf("oidc.ca_file: %w", err)
	}
	_, raw, err := config.LoadAuthorities(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("oidc.ca_file: %w", err)
	}
	rule.Issuer.CA = string(raw)
	return rule, nil
}

// issuerKeys tells how old issuers' keys are.
type issuerKeys struct{ callers *auth.Authenticator }

var issuerKeysDesc = newDesc("issuer_keys_timestamp_seconds", "When the keys of an issuer of callers' tokens were fetched last, Unix time; 0: never.", "issuer")

// Describe implements prometheus.Collector.
func (k issuerKeys) Describe(out chan<- *prometheus.Desc) { out <- issuerKeysDesc }

// Collect implements prometheus.Collector.
func (k issuerKeys) Collect(out chan<- prometheus.Metric) {
	for url, at := range k.callers.ListIssuers() {
		seconds := 0.0
		if !at.IsZero() {
			seconds = float64(at.Unix())
		}
		out <- prometheus.MustNewConstMetric(issuerKeysDesc, prometheus.GaugeValue, seconds, url)
	}
}
