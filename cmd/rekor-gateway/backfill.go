// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// backfillFlags are the flags of backfill.
type backfillFlags struct {
	wishes submitFlags // what every submission is sent with
	connection
	trustFlags
	globals          *globals
	roots            []string
	manifest         string
	include, exclude []string
	follow, outside  bool
	historical       exceptionsFlag
	receipts, report string
	parallel         int
	timeout          time.Duration
	dryRun           bool
	verifyReceipts   bool
	force            bool
}

// Defaults of backfill.
const (
	defaultParallel = 256
	maxParallel     = 4096
	defaultTimeout  = 10 * time.Minute
)

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
		f.roots = args
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		collectLess()
		if err := formats.RememberChecks(rememberedChecks); err != nil {
			return err
		}
		out, told, terminal := c.OutOrStdout(), newNotes(g.notes(c)), g.terminal(c)
		if f.dryRun {
			return f.planAll(c.Context(), out, told, terminal)
		}
		return f.run(c.Context(), out, told, terminal)
	}
	return c
}

func (f *backfillFlags) addFlags(c *cobra.Command) {
	w, flags := &f.wishes, c.Flags()
	f.connection.addFlags(c)
	f.trustFlags.addFlags(c)
	flags.StringVar(&f.manifest, "manifest", "", "`FILE` that lists the signatures, as JSON lines or CSV; - is standard input")
	flags.StringArrayVar(&w.keys, "key", nil, "`FILE` with public keys or certificates of signers, of any size (repeatable); each signature is sent with its own alone")
	flags.StringArrayVar(&f.include, "include", nil, "only signatures whose names match this `PATTERN` (repeatable)")
	flags.StringArrayVar(&f.exclude, "exclude", nil, "no files and folders whose names match this `PATTERN` (repeatable)")
	flags.BoolVar(&f.follow, "follow", false, "follow symbolic links")
	flags.BoolVar(&f.outside, "allow-outside", false, "let links and manifests lead out of the folder that was named")
	flags.Var(&f.historical, historicalWish, "send signatures with these weaknesses, too, which the gateway's historical policy has to let pass: `"+exceptionsUsage()+"`; all of them when not said")
	flags.Lookup(historicalWish).NoOptDefVal = allExceptions
	flags.StringArrayVar(&w.labels, "label", nil, "note of your own for each submission, `name=value` (repeatable); it is never logged")
	flags.StringVar(&w.way, "way", "", "direct or batched; as the gateway's policy has it when not given")
	flags.StringVar(&w.representation, "representation", "", "NATIVE, PROJECTED or ATTESTED; the best possible one when not given")
	flags.StringVar(&w.which, "signatures", "all", "which must verify where a file holds several: all, or known, which are those by the keys given")
	flags.StringVar(&w.priority, "priority", gateway.Backfill.String(), "interactive, or backfill, which waits while anything interactive does")
	flags.StringArrayVar(&w.namespaces, "ssh-namespace", nil, "SSH signature namespace that the gateway accepts (repeatable); file when not given")
	flags.BoolVar(&w.publish, "publish-certificate", false, "log the signers' certificates, with all they name, for ever; not the bare keys")
	flags.StringVar(&f.receipts, "receipts", "", "keep the receipts in this `FOLDER`, and not beside the files")
	flags.StringVar(&f.report, "report", "", "write a line of JSON for each signature to this `FILE`: what became of it, or with --dry-run what would")
	flags.IntVar(&f.parallel, "parallel", defaultParallel, "how many signatures are read and sent at once; those that wait for the log do not count")
	flags.DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to go on while the gateway accepts nothing, and to wait while the log takes nothing")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be done, and do nothing; the gateway of --server is asked how it would record each signature")
	flags.BoolVar(&f.verifyReceipts, "verify-receipts", false, "verify all receipts that are there again, those too that an earlier run has")
	flags.BoolVar(&f.force, "force", false, "replace receipts' files, and the report's, that have something else in them")
	completeFlag(c, "representation", representationNames()...)
	completeFlag(c, "way", "direct", "batched")
	completeFlag(c, "signatures", "all", "known")
	completeFlag(c, "priority", gateway.Interactive.String(), gateway.Backfill.String())
}

// check refuses what cannot be meant, before anything is read.
func (f *backfillFlags) check() error {
	switch {
	case (len(f.roots) == 0) == (f.manifest == ""):
		return withHint(errors.New("neither a folder nor a manifest is named, or both are"), "name the folder with the signatures, or a list of them: --manifest FILE")
	case f.wishes.which != "all" && f.wishes.which != "known":
		return withHint(fmt.Errorf("--signatures is %q", f.wishes.which), "use all or known")
	case f.parallel < 1 || f.parallel > maxParallel:
		return withHint(fmt.Errorf("--parallel is %d", f.parallel), "use a number from 1 to %d", maxParallel)
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
	if f.receipts == "" {
		return nil
	}
	paths := map[string]string{}
	for _, path := range f.roots {
		name := backfill.RootName(path)
		if other, twice := paths[name]; twice {
			return withHint(fmt.Errorf("%s and %s have the same name, and so would their receipts in %s", other, path, f.receipts),
				"run the command for each, with a folder of its own: --receipts FOLDER")
		}
		paths[name] = path
	}
	return nil
}

// list yields what is to be submitted. done is asked before a signed list's files are read; nil: nothing is known to be done.
func (f *backfillFlags) list(ctx context.Context, done func(backfill.Item) bool) (iter.Seq2[backfill.Item, error], func(), error) {
	o := backfill.Options{Context: ctx, Include: f.include, Exclude: f.exclude, Follow: f.follow, AllowOutside: f.outside, Done: done}
	if f.manifest == "" {
		return backfill.Scan(f.roots, o), func() {}, nil
	}
	if f.manifest == standardInput {
		return backfill.ReadManifest(f.manifest, os.Stdin, o), func() {}, nil
	}
	file, err := os.Open(f.manifest)
	if err != nil {
		return nil, nil, err
	}
	return backfill.ReadManifest(f.manifest, file, o), func() { _ = file.Close() }, nil
}

// standardInput stands for it as a manifest's name.
const standardInput = "-"

// policy is what signatures are held to on this machine: as little as any gateway may ask.
func (f *backfillFlags) policy() formats.Policy {
	return formats.Policy{
		Now: time.Now(), Historical: formats.AllowAll(true), SSHNamespaces: f.wishes.namespaces, KnownOnly: f.wishes.which == "known",
	}
}

// buildHeader returns the header of one submission, without a digest.
func (f *backfillFlags) buildHeader(item backfill.Item, signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
	h, err := f.wishes.buildHeader(signature, keys)
	if err != nil {
		return nil, err
	}
	h.Format = item.Format
	for name, value := range item.Labels {
		if h.Labels == nil {
			h.Labels = map[string]string{}
		}
		h.Labels[name] = value
	}
	return h, nil
}

// run submits all that there is.
func (f *backfillFlags) run(ctx context.Context, out io.Writer, told *notes, terminal io.Writer) error {
	b, err := f.newRun(ctx, told)
	if err != nil {
		return err
	}
	defer b.close()
	b.status = f.newStatus(out, told, terminal, &b.counts)
	if f.report != "" {
		if b.report, err = openReport(f.report, f.force, reportHead, plannedHead); err != nil {
			return err
		}
	}
	return b.finish(b.submitAll(ctx))
}
