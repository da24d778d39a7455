// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// What processes that share a store have to agree on. Which version of the program each is of is none of it: two are at work
// in each upgrade.
const (
	partTrustedRoot  = "trusted_root"     // the file
	partGatewayTrust = "gateway_trust"    // the file
	partKeys         = "attestation_keys" // the gateway's own
	partLogs         = "logs"             // of the configuration, but for the URLs
	partPolicy       = "policy"           // and what its files hold, and those of policies, and whose they are
)

var driftParts = []string{partTrustedRoot, partGatewayTrust, partKeys, partLogs, partPolicy}

// describeParts returns digests of these, as they are in use here.
func (s *Server) describeParts() map[string]string {
	parts := map[string]string{partKeys: digestOf(s.own)}
	if root := s.rootFile.Load(); root != nil {
		parts[partTrustedRoot] = digestOf(*root)
	}
	if path := s.started.Attestation.GatewayTrust; path != "" {
		raw, _ := os.ReadFile(path) // one that is not there is unlike the others'
		parts[partGatewayTrust] = digestOf(raw)
	}
	if known := s.agreed.Load(); known != nil {
		maps.Copy(parts, *known)
	}
	return parts
}

// noteAgreed notes what is in use of the configuration. It is called where that changes.
func (s *Server) noteAgreed(cfg *config.Config) {
	logs := slices.Clone(cfg.Logs)
	for i := range logs {
		logs[i].URL, logs[i].GRPCURL, logs[i].ReadURL = "", "", ""
		logs[i].Former = slices.Clone(logs[i].Former)
		for j := range logs[i].Former {
			logs[i].Former[j].ReadURL = ""
		}
	}
	slices.SortFunc(logs, func(a, b config.Log) int { return strings.Compare(a.ID, b.ID) })
	s.agreed.Store(&map[string]string{partLogs: digestLogs(logs, s.files.snapshot.SigningConfig), partPolicy: digestOf(describePolicies(cfg))})
}

// digestLogs returns a digest of the logs, with what a source says of them.
func digestLogs(logs []config.Log, signingConfig []byte) string {
	if signingConfig == nil { // as earlier releases have it
		return digestOf(logs)
	}
	return digestOf([]any{logs, signingConfig})
}

// describePolicies returns what the policies are. Where callers name none, it is what earlier releases say of it, which may be
// at work on the same store.
func describePolicies(cfg *config.Config) []any {
	said := describePolicy(cfg, cfg.Policy)
	used := map[string]string{} // the policy, by the caller
	named := map[string][]any{}
	for _, c := range cfg.Callers {
		if c.Policy != "" {
			used[c.Name], named[c.Policy] = c.Policy, describePolicy(cfg, cfg.Policies[c.Policy])
		}
	}
	if len(used) == 0 {
		return said
	}
	return append(said, used, named)
}

// describePolicy returns what a policy is, with what its files hold in place of their names.
func describePolicy(cfg *config.Config, policy config.Policy) []any {
	keys := map[string][]string{}
	for format, files := range policy.Keys {
		keys[format] = digestFiles(files)
	}
	policy.Logs = cfg.ResolvedLogs(policy.Logs)
	policy.Keys, policy.Roots = nil, digestFiles(policy.Roots)
	return []any{policy, keys}
}

func digestFiles(paths []string) []string {
	digests := make([]string, len(paths))
	for i, path := range paths {
		raw, _ := os.ReadFile(path) // it was read just now
		digests[i] = digestOf(raw)
	}
	return digests
}

// digestOf returns a short digest of the JSON of v.
func digestOf(v any) string {
	raw, _ := json.Marshal(v) // of plain values
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// driftReport is what is known of the other processes on the store. It is safe for concurrent use.
type driftReport struct {
	mu       sync.Mutex // guards what follows
	replicas int        // alive, this one among them; 0: not known
	drift    []api.Drift
}

// note compares this process with the others, and tells the operator of each difference once, and when there is none any more.
func (d *driftReport) note(logger *slog.Logger, self string, parts map[string]string, replicas []gateway.Replica) {
	drift := findDrift(self, parts, replicas)
	d.mu.Lock()
	before := d.drift
	d.drift, d.replicas = drift, len(replicas)
	d.mu.Unlock()
	for _, now := range drift {
		if !slices.Contains(before, now) {
			logger.Warn("another gateway on this store differs in what all have to agree on", "part", now.Part, "replica", now.Replica, "host", hostOf(replicas, now.Replica),
				"remedy", "give both the same files and configuration; rekor-gateway store replicas shows which differ")
		}
	}
	if len(before) > 0 && len(drift) == 0 {
		logger.Info("all gateways on this store agree")
	}
}

// findDrift returns where others differ from this one. A part that one does not know, of another release, is none.
func findDrift(self string, parts map[string]string, replicas []gateway.Replica) []api.Drift {
	var drift []api.Drift
	for _, r := range replicas {
		if r.ID == self {
			continue
		}
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			if theirs, known := r.Parts[part]; known && theirs != parts[part] {
				drift = append(drift, api.Drift{Replica: shortID(r.ID), Part: part})
			}
		}
	}
	return drift
}

// list returns the differences there are.
func (d *driftReport) list() []api.Drift {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drift
}

var (
	replicasDesc = newDesc("replicas", "Gateways that share this one's store, itself among them; 0 where nobody can share it.")
	driftDesc    = newDesc("replica_drift", "Of the other gateways on this store, those that differ from this one in what all have to agree on.", "part")
)

// Describe implements prometheus.Collector.
func (d *driftReport) Describe(out chan<- *prometheus.Desc) {
	out <- replicasDesc
	out <- driftDesc
}

// Collect implements prometheus.Collector.
func (d *driftReport) Collect(out chan<- prometheus.Metric) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out <- prometheus.MustNewConstMetric(replicasDesc, prometheus.GaugeValue, float64(d.replicas))
	for _, part := range driftParts {
		n := 0
		for _, drift := range d.drift {
			if drift.Part == part {
				n++
			}
		}
		out <- prometheus.MustNewConstMetric(driftDesc, prometheus.GaugeValue, float64(n), part)
	}
}
