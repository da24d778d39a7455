// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

func newStoreCheck(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Check that the store, or a backup, is sound",
		Long: `check reads a whole store, also while the gateway runs, and fails when SQLite finds it damaged or what is
stored twice does not agree. With a folder it checks that backup against its manifest, in the same way as
restore. Nothing is changed.`,
		Example: `  rekor-gateway store check --config /etc/rekor-gateway/config.yaml
  rekor-gateway store check /backup/2026-11-01`,
	}
	var f storeFlags
	f.addFlags(c)
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if f.config != "" || f.store != "" {
			return withHint(fmt.Errorf("both a store and the backup %s are named", args[0]), "check one after the other")
		}
		return oneArgument("the folder with the backup")(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		told := output.NewNotes(g.notes(c))
		if len(args) == 1 {
			defer told.SayWaiting("reading " + args[0])()
			m, err := sqlite.CheckBackup(c.Context(), args[0])
			if err != nil {
				return explainBackup(err)
			}
			return showCheckedBackup(g, c.OutOrStdout(), args[0], m)
		}
		path, err := f.findStore(c)
		if err != nil {
			return err
		}
		defer told.SayWaiting("reading " + path)()
		content, err := sqlite.Check(c.Context(), path)
		if err != nil {
			return err
		}
		return showCheckedStore(g, c.OutOrStdout(), path, content)
	}
	return c
}

func showCheckedBackup(g *globals, w io.Writer, folder string, m sqlite.Manifest) error {
	folder, err := filepath.Abs(folder)
	switch {
	case err != nil:
		return err
	case g.isJSON():
		return output.JSON(w, backupResult{folder, m})
	case g.quiet:
		return nil
	}
	output.Line(w, "%s is in order", folder)
	printManifest(w, m)
	return nil
}

// storeResult is the JSON of store check of a store.
type storeResult struct {
	Store string `json:"store"`
	sqlite.Content
}

func showCheckedStore(g *globals, w io.Writer, path string, c sqlite.Content) error {
	path, err := filepath.Abs(path)
	switch {
	case err != nil:
		return err
	case g.isJSON():
		return output.JSON(w, storeResult{path, c})
	case g.quiet:
		return nil
	}
	output.Line(w, "%s is in order", path)
	printContent(w, c)
	return nil
}
