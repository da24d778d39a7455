// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// retireFlags are the flags of log retire.
type retireFlags struct {
	logFlags
	giveUpDoubt, undo, yes bool
}

func newLogRetire(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "retire ID",
		Short: "Give up what waits for a log that is gone",
		Long: `retire marks a log as gone for good, and gives up what is pending for it: the entries fail with the problem
LOG_RETIRED, and submissions that need this log with them. From then on nothing is sent to it, and what still
comes in for it fails at once; a running gateway goes by that. What was logged stays, with its receipts.
To have it recorded in another log instead, run log replan first.
It refuses while entries are in doubt, since they may be in the log, or under way. Wait, or give them up as well.
--undo takes the mark back. What was given up stays so; it can be submitted again.`,
		Example: `  rekor-gateway log retire old --config /etc/rekor-gateway/config.yaml --yes
  rekor-gateway log retire old --config /etc/rekor-gateway/config.yaml --give-up-doubt --yes
  rekor-gateway log retire old --config /etc/rekor-gateway/config.yaml --undo`,
		Args: oneArgument("the log's id"),
	}
	var f retireFlags
	f.addFlags(c)
	c.Flags().BoolVar(&f.giveUpDoubt, "give-up-doubt", false, "give up what is in doubt or under way as well, although it may be in the log")
	c.Flags().BoolVar(&f.undo, "undo", false, "take the mark back")
	c.Flags().BoolVar(&f.yes, "yes", false, "do it: what is given up is not taken back")
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.withStore(c.Context(), func(k keptLogs) error {
			if f.undo {
				return f.reinstate(c.Context(), g, c.OutOrStdout(), k, args[0])
			}
			return f.retire(c.Context(), g, c.OutOrStdout(), k, args[0])
		})
	}
	return c
}

// retireResult is the JSON of log retire.
type retireResult struct {
	Log         string `json:"log"`
	Retired     bool   `json:"retired"`
	GivenUp     int    `json:"givenUp"`     // entries
	Submissions int    `json:"submissions"` // that have them
}

func (f *retireFlags) retire(ctx context.Context, g *globals, w io.Writer, k keptLogs, id string) error {
	log, err := k.findLog(ctx, id)
	if err == nil {
		err = k.refuseOwn(ctx, id)
	}
	if err != nil {
		return err
	}
	if !f.yes {
		return withHint(fmt.Errorf("%d entries of the log %s would be given up, for good", log.Pending, id), "add --yes to do it")
	}
	result := retireResult{Log: id}
	for more := true; more; {
		r, err := k.Retire(ctx, gateway.RetireParams{Log: id, GiveUpDoubt: f.giveUpDoubt, Limit: changeLimit})
		var unsettled *gateway.UnsettledError
		switch {
		case errors.As(err, &unsettled):
			return fail(fault.ReasonUnsettled, fmt.Errorf("log %s: %w", id, err),
				"wait until the gateway has settled them; or give them up with --give-up-doubt: they may be in the log all the same")
		case errors.Is(err, gateway.ErrNotFound):
			return withHint(err, "take it out of the configuration; there is nothing to give up")
		case err != nil:
			return err
		}
		result.GivenUp, result.Submissions, more = result.GivenUp+r.GivenUp, result.Submissions+len(r.Changed), r.More
	}
	result.Retired = true
	return showRetired(g, w, result)
}

func showRetired(g *globals, w io.Writer, r retireResult) error {
	switch {
	case g.isJSON():
		return output.JSON(w, r)
	case g.quiet:
		return nil
	}
	output.Line(w, "log %s is retired; %d entries of %d submissions were given up", r.Log, r.GivenUp, r.Submissions)
	return nil
}

func (f *retireFlags) reinstate(ctx context.Context, g *globals, w io.Writer, k keptLogs, id string) error {
	if f.yes || f.giveUpDoubt {
		return withHint(errors.New("--undo gives nothing up"), "leave --yes and --give-up-doubt out")
	}
	if _, err := k.findLog(ctx, id); err != nil {
		return err
	}
	if err := k.Reinstate(ctx, id); errors.Is(err, gateway.ErrNotFound) {
		return withHint(err, "see which are: %s log list --config FILE", programName())
	} else if err != nil {
		return err
	}
	switch {
	case g.isJSON():
		return output.JSON(w, retireResult{Log: id})
	case g.quiet:
		return nil
	}
	output.Line(w, "log %s is not retired any more", id)
	return nil
}
