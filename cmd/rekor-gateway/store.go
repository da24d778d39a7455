// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

func newStore(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Back up, check and restore what a gateway keeps; list who shares it",
		Long: `store helps with what a gateway keeps in a SQLite file: submissions, entries, checkpoints and receipts. What
to back up besides, and what the loss of each file costs, is in docs/operations.md. A store in
PostgreSQL is backed up with PostgreSQL's own tools: see docs/postgres.md. copy moves a file's content there.`,
		Example: `  rekor-gateway store backup --config /etc/rekor-gateway/config.yaml /backup/2026-11-01
  rekor-gateway store restore --config /etc/rekor-gateway/config.yaml /backup/2026-11-01`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newStoreBackup(g), newStoreRestore(g), newStoreCheck(g), newStoreCopy(g), newStoreReplicas(g))
	return c
}

// storeFlags name a store.
type storeFlags struct{ config, store string }

func (f *storeFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` of the gateway, which names the store")
	c.Flags().StringVar(&f.store, "store", "", "the store's `FILE` itself, in place of --config")
}

// findStore returns the path of the store.
func (f *storeFlags) findStore(c *cobra.Command) (string, error) {
	switch {
	case f.store != "" && f.config != "":
		return "", withHint(errors.New("--config and --store are two ways to name one store"), "give one of them")
	case f.store != "":
		return f.store, nil
	case f.config == "":
		return "", withHint(errors.New("no store is named"), "name the gateway's configuration with --config, or the store's file with --store; see: %s --help", c.CommandPath())
	}
	cfg, err := config.Load(f.config)
	if err != nil {
		return "", err
	}
	if cfg.Store.IsPostgres() {
		return "", withHint(fmt.Errorf("the store is in PostgreSQL, and %s is for files of SQLite", c.CommandPath()),
			"use PostgreSQL's own pg_dump, pg_basebackup or point-in-time recovery; docs/postgres.md says how, and what a restore means")
	}
	return cfg.Store.SQLite.Path, nil
}

// printContent prints what is in a store.
func printContent(w io.Writer, c sqlite.Content) {
	e := c.Entries
	output.Line(w, "submissions  %d", c.Submissions)
	output.Line(w, "entries      %d logged, %d pending (of them %d in doubt), %d failed", e.Logged, e.Pending, e.InDoubt, e.Failed)
	for _, s := range c.Checkpoints {
		output.Line(w, "checkpoint   %s, size %d", s.Origin, s.Size)
	}
	if c.Forks > 0 {
		output.Line(w, "forks        %d: a log signed two histories", c.Forks)
	}
}
