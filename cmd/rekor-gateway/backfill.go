// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill/run"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// backfillFlags are the flags of backfill.
type backfillFlags struct {
	run.Options
	wishes submitFlags // what every submission is sent with
	connection
	trustFlags
	globals    *globals
	historical exceptionsFlag
	dryRun     bool
}

func newBackfill(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "backfill PATH… | --manifest FILE",
		Short: "Submit the signatures of a whole directory tree, and keep their receipts beside the files",
		Long: `backfill finds the signatures under each PATH, or in a manifest, verifies each over its file on
this machine, submits it as submit does, and keeps its receipt beside the file: app.receipt.json for
app.asc over app, and app.EXT.receipt.json for each further signature over the same file.

It can be interrupted, killed and run again at any time: what has a good receipt is skipped, and nothing
is ever logged twice. With --dry-run it says what it would do, and why not, and changes nothing; where --server
is given, it asks that gateway how it would record each signature.

It exits with 0 when all is logged, 3 when some signatures were refused, 4 when some are not logged
yet or the gateway could not be reached: run it again then.`,
		Example: `  rekor-gateway backfill /srv/releases --key release-keys.asc --dry-run
  rekor-gateway backfill /srv/releases --key release-keys.asc --server https://gateway.example.com --token-file token --report report.jsonl
  rekor-gateway backfill /srv/releases --key release-keys.asc --server https://gateway.example.com --way batched
  rekor-gateway backfill --manifest releases.csv --receipts receipts --server grpc://127.0.0.1:8081 --trusted-root trusted_root.json`,
	}
	f := &backfillFlags{globals: g}
	f.addFlags(c)
	c.Args = func(_ *cobra.Command, args []string) error {
		f.Roots = args
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		o := f.complete()
		out, told, terminal := c.OutOrStdout(), output.NewNotes(g.notes(c)), g.terminal(c)
		if f.dryRun {
			return o.Plan(c.Context(), out, told, terminal)
		}
		return o.Submit(c.Context(), out, told, terminal)
	}
	return c
}

func (f *backfillFlags) addFlags(c *cobra.Command) {
	w, flags := &f.wishes, c.Flags()
	f.connection.addFlags(c)
	f.trustFlags.addFlags(c)
	flags.StringVar(&f.Manifest, "manifest", "", "`FILE` that lists the signatures, as JSON lines or CSV; - is standard input")
	flags.StringArrayVar(&w.keys, "key", nil, "`FILE` with public keys or certificates of signers, of any size (repeatable); each signature is sent with its own alone")
	flags.StringArrayVar(&f.Include, "include", nil, "only signatures whose names match this `PATTERN` (repeatable)")
	flags.StringArrayVar(&f.Exclude, "exclude", nil, "no files and folders whose names match this `PATTERN` (repeatable)")
	flags.BoolVar(&f.Follow, "follow", false, "follow symbolic links")
	flags.BoolVar(&f.Outside, "allow-outside", false, "let links and manifests lead out of the folder that was named")
	flags.Var(&f.historical, historicalWish, "send signatures with these weaknesses, too, which the gateway's historical policy has to let pass: `"+exceptionsUsage()+"`; all of them when not said")
	flags.Lookup(historicalWish).NoOptDefVal = allExceptions
	flags.StringArrayVar(&w.labels, "label", nil, "note of your own for each submission, `name=value` (repeatable); it is never logged")
	flags.StringVar(&w.way, "way", "", "direct or batched; as the gateway's policy has it when not given")
	flags.StringVar(&w.representation, "representation", "", "NATIVE, PROJECTED or ATTESTED; the best possible one when not given")
	flags.StringVar(&w.which, "signatures", "all", "which must verify where a file holds several: all, or known, which are those by the keys given")
	flags.StringVar(&w.priority, "priority", gateway.Backfill.String(), "interactive, or backfill, which waits while anything interactive does")
	flags.StringArrayVar(&w.namespaces, "ssh-namespace", nil, "SSH signature namespace that the gateway accepts (repeatable); file when not given")
	flags.BoolVar(&w.publish, "publish-certificate", false, "log the signers' certificates, with all they name, for ever; not the bare keys")
	flags.StringVar(&f.Receipts, "receipts", "", "keep the receipts in this `FOLDER`, and not beside the files")
	flags.StringVar(&f.Report, "report", "", "write a line of JSON for each signature to this `FILE`: what became of it, or with --dry-run what would")
	flags.IntVar(&f.Parallel, "parallel", run.DefaultParallel, "how many signatures are read and sent at once; those that wait for the log do not count")
	flags.DurationVar(&f.Timeout, "timeout", run.DefaultTimeout, "how long to go on while the gateway accepts nothing, and to wait while the log takes nothing")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be done, and do nothing; the gateway of --server is asked how it would record each signature")
	flags.BoolVar(&f.VerifyReceipts, "verify-receipts", false, "verify all receipts that are there again, those too that an earlier run has")
	flags.BoolVar(&f.Force, "force", false, "replace receipts' files, and the report's, that have something else in them")
	completeFlag(c, "representation", representationNames()...)
	completeFlag(c, "way", "direct", "batched")
	completeFlag(c, "signatures", "all", "known")
	completeFlag(c, "priority", gateway.Interactive.String(), gateway.Backfill.String())
}

// check refuses what cannot be meant, before anything is read.
func (f *backfillFlags) check() error {
	switch {
	case (len(f.Roots) == 0) == (f.Manifest == ""):
		return withHint(errors.New("neither a folder nor a manifest is named, or both are"), "name the folder with the signatures, or a list of them: --manifest FILE")
	case f.wishes.which != "all" && f.wishes.which != "known":
		return withHint(fmt.Errorf("--signatures is %q", f.wishes.which), "use all or known")
	case f.Parallel < 1 || f.Parallel > run.MaxParallel:
		return withHint(fmt.Errorf("--parallel is %d", f.Parallel), "use a number from 1 to %d", run.MaxParallel)
	case f.server == "" && !f.dryRun:
		return withHint(errors.New("no gateway is named"), "give --server, or set $%s; to see what would be done: --dry-run", environmentName("server"))
	}
	if err := f.checkRoots(); err != nil {
		return err
	}
	_, err := f.wishes.buildHeader(nil, nil)
	return err
}

// checkRoots refuses trees whose receipts would have the same names in one folder.
func (f *backfillFlags) checkRoots() error {
	if f.Receipts == "" {
		return nil
	}
	paths := map[string]string{}
	for _, path := range f.Roots {
		name := backfill.RootName(path)
		if other, twice := paths[name]; twice {
			return withHint(fmt.Errorf("%s and %s have the same name, and so would their receipts in %s", other, path, f.Receipts),
				"run the command for each, with a folder of its own: --receipts FOLDER")
		}
		paths[name] = path
	}
	return nil
}

// complete returns the options with what other commands have flags for as well.
func (f *backfillFlags) complete() *run.Options {
	o, w := &f.Options, &f.wishes
	o.Keys, o.Namespaces, o.Which, o.Representation, o.Way = w.keys, w.namespaces, w.which, w.representation, w.way
	o.Historical, o.Header = f.historical.set, w.buildHeader
	o.Server, o.Open, o.Patience = f.server, f.openWith, patience
	o.TrustedRoot, o.GatewayTrust = f.trustedRoot, f.gatewayTrust
	o.JSON, o.Quiet, o.Program = f.globals.isJSON(), f.globals.quiet, readBuildInfo().String()
	return o
}
