// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

func newStoreReplicas(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "replicas",
		Short: "List the gateways that share a store, and whether they agree",
		Long: `replicas lists the gateways that share a store in PostgreSQL: where each runs, its version, since when, and when
it was last seen. It says where they differ in what all have to agree on: the trusted root, the gateway trust
file, the attestation keys, the logs and the policy. Different versions are in order: two are at work in each upgrade.
It fails (exit code 1) where gateways that are alive differ.`,
		Example: "  rekor-gateway store replicas --config /etc/rekor-gateway/config.yaml",
		Args:    noArguments,
	}
	var f logFlags
	f.addFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		replicas, err := f.listReplicas(c.Context())
		if err != nil {
			return err
		}
		return showReplicas(g, c.OutOrStdout(), replicas)
	}
	return c
}

func (f *logFlags) listReplicas(ctx context.Context) (replicas []gateway.Replica, err error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	if !cfg.Store.IsPostgres() {
		return nil, withHint(errors.New("the store is a file of SQLite, of which one gateway is to be at work"), "keep the store in PostgreSQL for several; docs/postgres.md says how")
	}
	store, err := server.OpenReplicas(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.ListReplicas(ctx)
}

// replicasResult is the JSON of store replicas.
type replicasResult struct {
	Replicas []replicaResult `json:"replicas"`
	Drift    []driftResult   `json:"drift"`
}

type replicaResult struct {
	ID             string            `json:"id"`
	Name           string            `json:"name"`
	Version        string            `json:"version"`
	StartTime      time.Time         `json:"startTime"`
	SeenSecondsAgo int64             `json:"seenSecondsAgo"`
	Alive          bool              `json:"alive"`
	Parts          map[string]string `json:"parts"`
}

// driftResult is a part in which those that are alive differ, with the digests of each.
type driftResult struct {
	Part    string            `json:"part"`
	Digests map[string]string `json:"digests"` // by the replica's ID
}

// describeReplicas says who is alive, and where those differ. By the store's clock one is alive that was seen a short time ago; the
// gateways themselves go by no clock.
func describeReplicas(replicas []gateway.Replica) replicasResult {
	r := replicasResult{Replicas: []replicaResult{}, Drift: []driftResult{}}
	digests := map[string]map[string]string{} // by part, then by ID
	for _, one := range replicas {
		alive := one.SeenAgo < gateway.ReplicaDead
		r.Replicas = append(r.Replicas, replicaResult{
			ID: one.ID, Name: one.Name, Version: one.Version, StartTime: one.Started, SeenSecondsAgo: int64(one.SeenAgo.Seconds()), Alive: alive, Parts: one.Parts,
		})
		for part, digest := range one.Parts {
			if digests[part] == nil {
				digests[part] = map[string]string{}
			}
			if alive {
				digests[part][one.ID] = digest
			}
		}
	}
	for _, part := range slices.Sorted(maps.Keys(digests)) {
		values := slices.Sorted(maps.Values(digests[part]))
		if len(slices.Compact(values)) > 1 {
			r.Drift = append(r.Drift, driftResult{part, digests[part]})
		}
	}
	return r
}

func showReplicas(g *globals, w io.Writer, replicas []gateway.Replica) error {
	r := describeReplicas(replicas)
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if !g.isJSON() && !g.quiet {
		for _, one := range r.Replicas {
			state := "alive"
			if !one.Alive {
				state = "not seen for a while"
			}
			output.Line(w, "%.8s  %s  %s  since %s  seen %s ago, %s", one.ID, one.Name, one.Version, one.StartTime.Format(time.RFC3339), time.Duration(one.SeenSecondsAgo)*time.Second, state)
		}
		if len(r.Replicas) == 0 {
			output.Line(w, "no gateway is at work on this store")
		}
	}
	if len(r.Drift) == 0 && g.isJSON() {
		return output.JSON(w, r)
	}
	if len(r.Drift) == 0 {
		return nil
	}
	var parts []string
	for _, d := range r.Drift {
		parts = append(parts, d.Part)
		if !g.isJSON() && !g.quiet {
			for _, id := range slices.Sorted(maps.Keys(d.Digests)) {
				output.Line(w, "  %s  %s of %.8s", d.Digests[id], d.Part, id)
			}
		}
	}
	differ := errors.New("the gateways on this store differ in " + strings.Join(parts, ", "))
	return fault.NewWithResult(fail(fault.ReasonReplicasDiffer, differ, "give all of them the same files and configuration, and have each read them: SIGHUP, or a restart"), raw)
}
