// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

func newStoreRestore(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FOLDER",
		Short: "Make a backup the store again, while no gateway runs",
		Long: `restore checks a backup, and puts it where the gateway's store is to be. No gateway may run on
that store. A store that is there is replaced only with --force, and kept under another name beside it.
What the gateway accepted since the backup is lost; restore says how old it is. Entries that were pending
then may have been logged since: those sent before are in doubt, and the gateway looks for them in
their log before it sends them. A log of the gateway's own that had an anchor since goes on no more:
docs/operations.md has the way out. Run it as the user that the gateway runs as.`,
		Example: `  rekor-gateway store restore --config /etc/rekor-gateway/config.yaml /backup/2026-11-01
  rekor-gateway store restore --store /tmp/try/store.db /backup/2026-11-01`,
		Args: oneArgument("the folder with the backup"),
	}
	var f storeFlags
	f.addFlags(c)
	force := c.Flags().Bool("force", false, "replace the store that is there; it is kept under another name")
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := f.findStore(c)
		if err != nil {
			return err
		}
		defer output.NewNotes(g.notes(c)).SayWaiting("checking and copying " + args[0])()
		now := time.Now()
		r, err := sqlite.Restore(c.Context(), args[0], path, sqlite.RestoreOptions{
			Force: *force, Logger: slog.New(slog.NewTextHandler(g.notes(c), nil)), Now: func() time.Time { return now },
		})
		if errors.Is(err, sqlite.ErrExists) {
			return fail(fault.ReasonFileExists, err, "add --force to replace it; it is kept beside the new one, under another name")
		}
		if err != nil {
			return explainBackup(err)
		}
		return showRestored(g, c.OutOrStdout(), restoreResult{Backup: args[0], Store: path, AgeSeconds: int64(now.Sub(r.CreateTime).Seconds()), Restored: r})
	}
	return c
}

// explainBackup says what to do where a file is named as a backup, as one that a restore has kept.
func explainBackup(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return withHint(err, "name the folder of a backup; rekor-gateway store backup --store FILE FOLDER makes one of a store's file, such as one that a restore has kept")
	}
	return err
}

// restoreResult is the JSON of store restore.
type restoreResult struct {
	Backup     string `json:"backup"`
	Store      string `json:"store"`
	AgeSeconds int64  `json:"ageSeconds"` // of the backup
	sqlite.Restored
}

func showRestored(g *globals, w io.Writer, r restoreResult) (err error) {
	if r.Backup, err = filepath.Abs(r.Backup); err != nil {
		return err
	}
	if r.Store, err = filepath.Abs(r.Store); err != nil {
		return err
	}
	switch {
	case g.isJSON():
		return output.JSON(w, r)
	case g.quiet:
		return nil
	}
	output.Line(w, "restored %s from %s", r.Store, r.Backup)
	printManifest(w, r.Manifest)
	output.Line(w, "LOST: what the gateway accepted in the %s since then. Who has a receipt keeps a receipt that verifies; who has none has to submit again.",
		time.Duration(r.AgeSeconds)*time.Second)
	if r.Entries.Pending > 0 {
		output.Line(w, "%s pending then and may have been logged since: the gateway looks for them in their log, from the checkpoint that is kept, before it sends them",
			formatCount(int32(min(r.Entries.Pending, 1<<30)), "entry was", "entries were"))
	}
	if r.Aside != "" {
		output.Line(w, "the store that was there is kept as %s; remove it, and the files that begin with its name, once you need it no more", r.Aside)
	}
	return nil
}
