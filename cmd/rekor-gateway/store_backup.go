// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

func newStoreBackup(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the store into a new folder, also while the gateway runs",
		Long: `backup copies the store as it is at one moment into a new folder, while the gateway works on. The
copy is read back and checked before the folder gets its name: where there is one it is whole. What is
there already is never replaced.
In the folder are store.db, a SQLite file that needs no other, and manifest.json, which says
what is in it, with its SHA-256. Keep it as safe as the store: whoever changes it changes what the
gateway believes after a restore.`,
		Example: `  rekor-gateway store backup --config /etc/rekor-gateway/config.yaml /backup/2026-11-01`,
		Args:    oneArgument("the folder to write"),
	}
	var f storeFlags
	f.addFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := f.findStore(c)
		if err != nil {
			return err
		}
		defer output.NewNotes(g.notes(c)).SayWaiting("copying and checking " + path)()
		m, err := sqlite.Backup(c.Context(), path, args[0], sqlite.BackupOptions{Program: readBuildInfo().Version})
		if errors.Is(err, sqlite.ErrExists) {
			return fail(fault.ReasonFileExists, err, "name another folder, such as one with the date in its name")
		}
		if err != nil {
			return err
		}
		return f.showBackup(g, c.OutOrStdout(), args[0], m)
	}
	return c
}

// backupResult is the JSON of store backup, and of store check of a backup.
type backupResult struct {
	Backup string `json:"backup"`
	sqlite.Manifest
}

func (f *storeFlags) showBackup(g *globals, w io.Writer, folder string, m sqlite.Manifest) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	switch {
	case g.isJSON():
		return output.JSON(w, backupResult{folder, m})
	case g.quiet:
		return nil
	}
	output.Line(w, "backup in %s, read back and in order", folder)
	printManifest(w, m)
	restore := receipt.Command{programName(), "store", "restore"}
	if f.config != "" {
		restore = append(restore, "--config", f.config)
	} else {
		restore = append(restore, "--store", f.store)
	}
	output.Line(w, "restore it, when the gateway is stopped, with: %s", append(restore, folder))
	return nil
}

// printManifest prints what is in a backup.
func printManifest(w io.Writer, m sqlite.Manifest) {
	output.Line(w, "made         %s by %s", m.CreateTime.Format(time.RFC3339), m.Program)
	printContent(w, m.Content)
	output.Line(w, "SHA-256      %s (store.db, %d bytes)", m.SHA256, m.Size)
}
