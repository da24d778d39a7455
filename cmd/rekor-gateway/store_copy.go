// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storecopy"
)

func newStoreCopy(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "copy",
		Short: "Copy a SQLite store into PostgreSQL, while no gateway runs",
		Long: `copy moves what a gateway keeps from a SQLite file into the PostgreSQL database that another configuration
names. Stop the gateway first. Both are read in whole and compared before the copy counts; until then no gateway
starts on the database, and afterwards none on the SQLite file, since both would send what waits. The file itself stays
as it is. A copy that was interrupted goes on where it was when the same command is run again, unless a gateway has
run on the file in between.
What was under way or waits is looked for in its log before any of it is sent from the copy.`,
		Example: `  rekor-gateway store copy --config /etc/rekor-gateway/sqlite.yaml --to /etc/rekor-gateway/config.yaml`,
		Args:    noArguments,
	}
	var f storeFlags
	f.addFlags(c)
	to := c.Flags().String("to", "", "configuration `FILE` that names the database, as store.postgres")
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := f.findStore(c)
		if err != nil {
			return err
		}
		target, dsn, err := readTarget(c, *to)
		if err != nil {
			return err
		}
		told := output.NewNotes(g.notes(c))
		defer told.SayWaiting("copying " + path)()
		r, err := storecopy.Copy(c.Context(), storecopy.Params{
			From: path, To: dsn, Logger: slog.New(slog.NewTextHandler(g.notes(c), nil)),
		})
		if errors.Is(err, postgres.ErrNotEmpty) {
			return fail(fault.ReasonFileExists, err, "name a database in which no gateway has kept anything; nothing is ever copied over a store")
		}
		if errors.Is(err, context.Canceled) {
			return fail(fault.ReasonInterrupted, err, "run the same command again before a gateway runs on the file: it goes on where it was")
		}
		if err != nil {
			return err
		}
		return showCopied(g, c.OutOrStdout(), copyResult{Store: path, To: target, Rows: r.Rows, Before: r.Before})
	}
	return c
}

// readTarget returns what the database of a configuration is called, without its password, and its data source name.
func readTarget(c *cobra.Command, file string) (name, dsn string, err error) {
	if file == "" {
		return "", "", withHint(errors.New("no configuration is named to copy to"), "name the one with store.postgres with --to; see: %s --help", c.CommandPath())
	}
	cfg, err := config.Load(file)
	if err != nil {
		return "", "", err
	}
	if !cfg.Store.IsPostgres() {
		return "", "", withHint(fmt.Errorf("%s does not name a database", file), "set store.postgres in it, as docs/postgres.md says")
	}
	if dsn, err = cfg.Store.Postgres.ReadDSN(); err != nil {
		return "", "", err
	}
	name, err = postgres.Describe(dsn)
	return name, dsn, err
}

// copyResult is the JSON of store copy.
type copyResult struct {
	Store string           `json:"store"`
	To    string           `json:"to"`
	Rows  map[string]int64 `json:"rows"` // by table
	// Before: it was copied by the command before, and this one has done nothing.
	Before bool `json:"before"`
}

func showCopied(g *globals, w io.Writer, r copyResult) (err error) {
	if r.Store, err = filepath.Abs(r.Store); err != nil {
		return err
	}
	switch {
	case g.isJSON():
		return output.JSON(w, r)
	case g.quiet:
		return nil
	}
	if r.Before {
		output.Line(w, "%s was copied to %s before; the copy is complete", r.Store, r.To)
	} else {
		output.Line(w, "copied %s to %s, read back and the same", r.Store, r.To)
	}
	for _, table := range slices.Sorted(maps.Keys(r.Rows)) {
		output.Line(w, "%-18s %d", table, r.Rows[table])
	}
	output.Line(w, "start the gateways on the copy; none starts on the file any more, which you may keep as a backup")
	return nil
}
