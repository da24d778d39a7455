// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var (
	ownMetric    = regexp.MustCompile(`rekor_gateway_[a-z_]+`)
	histogramEnd = regexp.MustCompile(`_(bucket|sum|count)$`)
)

type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(must(os.ReadFile("../../docs/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	var rules []alertRule
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// listFired returns the alerts that a test in docs/alerts_test.yml has fire, and those that one has not.
func listFired(t *testing.T) (fired, quiet map[string]bool) {
	t.Helper()
	var file struct {
		Tests []struct {
			Checks []struct {
				Alert    string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(must(os.ReadFile("../../docs/alerts_test.yml")), &file); err != nil {
		t.Fatal(err)
	}
	fired, quiet = map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Checks {
			if len(c.Expected) > 0 {
				fired[c.Alert] = true
			} else {
				quiet[c.Alert] = true
			}
		}
	}
	return fired, quiet
}

// TestAlertRules: each rule is over metrics that there are (TestMetricsPage holds docs/metrics.md to the gateway), has
// a test in which it fires and one in which it does not, and is explained. `make alerts` runs those tests.
func TestAlertRules(t *testing.T) {
	metrics, page := string(must(os.ReadFile(metricsPage))), string(must(os.ReadFile("../../docs/operations.md")))
	fired, quiet := listFired(t)
	rules := readRules(t)
	if len(rules) < 20 {
		t.Errorf("only %d rules", len(rules))
	}
	for _, r := range rules {
		names := ownMetric.FindAllString(r.Expr, -1)
		if len(names) == 0 && r.Alert != "RekorGatewayDown" {
			t.Errorf("%s is over no metric of ours", r.Alert)
		}
		for _, name := range names {
			if !strings.Contains(metrics, "| `"+name+"` |") && !strings.Contains(metrics, "| `"+histogramEnd.ReplaceAllString(name, "")+"` | histogram |") {
				t.Errorf("%s is over %s, which there is not", r.Alert, name)
			}
		}
		for _, reason := range regexp.MustCompile(`[A-Z]+_[A-Z_]+|INTERNAL`).FindAllString(r.Expr, -1) {
			if !problem.IsReason(formats.Reason(reason)) {
				t.Errorf("%s is over %s, which is no reason", r.Alert, reason)
			}
		}
		if !fired[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s fires in a test: %t; stays quiet in one: %t", r.Alert, fired[r.Alert], quiet[r.Alert])
		}
		if !strings.Contains(page, "\n| `"+r.Alert+"` |") {
			t.Errorf("docs/operations.md does not explain %s", r.Alert)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" || r.Annotations["summary"] == "" {
			t.Errorf("%s has severity %q and summary %q", r.Alert, s, r.Annotations["summary"])
		}
	}
	for _, name := range regexp.MustCompile("\n\\| `(RekorGateway[A-Za-z]+)` \\|").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(string(must(os.ReadFile("../../docs/alerts.yml"))), "alert: "+name[1]+"\n") {
			t.Errorf("docs/operations.md explains %s, which there is not", name[1])
		}
	}
}
