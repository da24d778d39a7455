// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

func newLog(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "See what waits for each log, and settle what waits for one that is gone",
		Long: `log works on the store that a gateway's configuration names, also while the gateway runs. What it changes
is durable when it returns, and the gateway goes by it at once. Run it as the user that the gateway runs as, or, with a store
in PostgreSQL, wherever its database can be reached.`,
		Example: `  rekor-gateway log list --config /etc/rekor-gateway/config.yaml
  rekor-gateway log replan old --to new --config /etc/rekor-gateway/config.yaml
  rekor-gateway log retire old --config /etc/rekor-gateway/config.yaml --yes`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newLogList(g), newLogReplan(g), newLogRetire(g))
	return c
}

// logFlags name a gateway by its configuration.
type logFlags struct{ config string }

func (f *logFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` of the gateway, which names the store and the logs")
	requireFlags(c, "config")
}

// keptLogs is a gateway's configuration with its store.
type keptLogs struct {
	gateway.Store
	cfg *config.Config
}

// withStore runs f on the store, and closes it.
func (f *logFlags) withStore(ctx context.Context, run func(keptLogs) error) (err error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	store, err := server.OpenStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return run(keptLogs{store, cfg})
}

// isOwn reports whether a log is one of the gateway's own, in the store or in the configuration.
func (k *keptLogs) isOwn(ctx context.Context, id string) (bool, error) {
	own, err := k.ListOwnLogs(ctx)
	is := slices.ContainsFunc(own, func(l gateway.OwnLog) bool { return l.ID == id })
	return is || k.cfg.OwnLog.IsSet() && k.cfg.OwnLog.ID() == id, err
}

// refuseOwn refuses what is done with other logs alone.
func (k *keptLogs) refuseOwn(ctx context.Context, id string) error {
	if own, err := k.isOwn(ctx, id); err != nil || !own {
		return err
	}
	return fail(fault.ReasonOwnLog, fmt.Errorf("%w: %s", gateway.ErrOwnLog, id),
		"its records are never given up or moved by command. To end it, give own_log another origin and other keys, name the old origin in own_log.closed, and restart the gateway: "+
			"what waits goes over by itself. What is recorded in Rekor cannot go to an own log, nor the other way round")
}

// isConfigured reports whether the configuration has a log of this ID.
func (k *keptLogs) isConfigured(id string) bool {
	return slices.ContainsFunc(k.cfg.Logs, func(l config.Log) bool { return l.ID == id })
}

// isRekorV1 reports whether the configuration has a log of Rekor v1 of this ID.
func (k *keptLogs) isRekorV1(id string) bool {
	return slices.ContainsFunc(k.cfg.Logs, func(l config.Log) bool { return l.ID == id && l.IsRekorV1() })
}

// findLog returns what the store has of a log. One that is configured may have nothing yet.
func (k *keptLogs) findLog(ctx context.Context, id string) (gateway.LogStatus, error) {
	logs, err := k.ListLogs(ctx)
	if err != nil {
		return gateway.LogStatus{}, err
	}
	known := []string{}
	for _, l := range logs {
		if l.Log == id {
			return l, nil
		}
		known = append(known, l.Log)
	}
	for _, l := range k.cfg.Logs {
		known = append(known, l.ID)
	}
	if k.isConfigured(id) {
		return gateway.LogStatus{Log: id}, nil
	}
	return gateway.LogStatus{}, withHint(fmt.Errorf("there is no log %q in the store, nor in the configuration%s", id, config.DidYouMean(id, known)),
		"see which there are: %s log list --config FILE", programName())
}

// changeLimit bounds the entries that are changed in one transaction, so that a running gateway goes on.
const changeLimit = 1000

// failLeft returns the error of a command that has a result, and has left entries whose fate is not known.
func failLeft(result any, left error, hint string, args ...any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return fault.NewWithResult(fail(fault.ReasonUnsettled, left, hint, args...), raw)
}
