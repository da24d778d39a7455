// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// policies are those of a configuration over the logs that are there.
type policies struct {
	intake.Policies
	failover []delivery.Failover // of those that have any
	anchors  *intake.LogSet      // where those of the own log are recorded; nil where there is none
}

// newPolicies makes the policies of cfg of what their files hold. forbidden are who may sign under none of them.
func newPolicies(cfg *config.Config, f files, forbidden [][sha256.Size]byte, logs []gateway.Log, own gateway.Recorder) (p policies, err error) {
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
			Own: own, Ways: cfg.ListWays(configured),
		}
	}
	if own != nil {
		set, failover, err := selectLogs(cfg.ResolvedLogs(cfg.OwnLog.Logs), logs)
		if err != nil {
			return policies{}, err
		}
		if p.anchors = &set; set.Failover {
			p.failover = append(p.failover, failover)
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
func (p policies) listSets() (sets []intake.LogSet) {
	if p.anchors != nil {
		sets = append(sets, *p.anchors)
	}
	if p.Callers == nil {
		return append(sets, p.Everybody.Logs)
	}
	var seen []*intake.Policy
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

// ReadPolicy returns what the caller of a name is held to under cfg, whose files it reads, or everybody where cfg has no callers. It is for
// those who ask what a gateway would say: the logs, and the gateway's own keys among those who may not sign, are left out.
func ReadPolicy(ctx context.Context, cfg *config.Config, caller string) (intake.Policy, error) {
	found, err := cfg.FindCaller(caller)
	if err != nil {
		return intake.Policy{}, err
	}
	if !found.Rights().Has(gateway.MaySubmit) {
		return intake.Policy{}, fmt.Errorf("the caller %s may not submit", caller)
	}
	configured := cfg.PolicyFor(found)
	loaded, err := configured.Load(ctx, all.Formats())
	if err != nil {
		return intake.Policy{}, fmt.Errorf("%s.%w", config.PolicyKey(found.Policy), err)
	}
	snapshot, err := peekSnapshot(ctx, cfg)
	if err != nil {
		return intake.Policy{}, err
	}
	root, err := trustroot.Parse(snapshot.TrustedRoot)
	if err != nil {
		return intake.Policy{}, fmt.Errorf("%s: %w", nameSource(cfg), err)
	}
	f := files{policies: map[string]formats.Policy{found.Policy: loaded}}
	if err := f.useAuthorities(root); err != nil {
		return intake.Policy{}, err
	}
	if loaded, err = f.policyOf(found.Policy); err != nil {
		return intake.Policy{}, err
	}
	loaded.ForbiddenSigners = f.forbidden
	return intake.Policy{Signatures: loaded, Representations: configured.ListRepresentations(), NoPublication: !configured.MayPublish()}, nil
}
