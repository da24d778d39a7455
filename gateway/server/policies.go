// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// policies are those of a configuration over the logs that are there.
type policies struct {
	intake.Policies
	failover []delivery.Failover // of those that have any
}

// newPolicies makes the policies of cfg of what their files hold. forbidden are who may sign under none of them.
func newPolicies(cfg *config.Config, f files, forbidden [][sha256.Size]byte, logs []gateway.Log) (p policies, err error) {
	named := map[string]*intake.Policy{}
	for _, name := range cfg.PolicyNames() {
		configured := cfg.PolicyNamed(name)
		set, failover, err := selectLogs(cfg.ResolvedLogs(configured.Logs), logs)
		if err != nil {
			return policies{}, err
		}
		if set.Failover {
			p.failover = append(p.failover, failover)
		}
		signatures, err := f.policyOf(name)
		if err != nil {
			return policies{}, err
		}
		signatures.ForbiddenSigners = forbidden
		named[name] = &intake.Policy{
			Signatures: signatures, Representations: configured.ListRepresentations(), NoPublication: !configured.MayPublish(), Logs: set,
		}
	}
	p.Everybody = named[""]
	if len(cfg.Callers) > 0 {
		p.Callers = map[string]*intake.Policy{}
	}
	for _, c := range cfg.Callers {
		if p.Callers[c.Name] = named[c.Policy]; p.Callers[c.Name] == nil {
			return policies{}, fmt.Errorf("callers: %s: there is no policy %q", c.Name, c.Policy)
		}
	}
	return p, nil
}

// listSets returns the sets of logs of the policies that are some caller's.
func (p policies) listSets() []intake.LogSet {
	if p.Callers == nil {
		return []intake.LogSet{p.Everybody.Logs}
	}
	var seen []*intake.Policy
	var sets []intake.LogSet
	for _, policy := range p.Callers {
		if !slices.Contains(seen, policy) {
			seen, sets = append(seen, policy), append(sets, policy.Logs)
		}
	}
	return sets
}

// countLogs returns in how many logs something may be recorded.
func countLogs(sets []intake.LogSet) int {
	ids := map[string]bool{}
	for _, set := range sets {
		for _, l := range set.List {
			ids[l.Describe().ID] = true
		}
	}
	return len(ids)
}

var errLogsLater = errors.New("the logs have changed as well: send SIGHUP, which reads them too")
