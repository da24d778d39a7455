// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// replanFlags are the flags of log replan.
type replanFlags struct {
	logFlags
	to      string
	inDoubt bool
}

func newLogReplan(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "replan ID --to OTHER",
		Short: "Have what waits for one log recorded in another",
		Long: `replan moves what is pending for a log to another one of the configuration, as far as it certainly is not in
the first: what was never sent, or was refused. It does not matter whether the first log is still configured.
Entries that are in doubt or under way are left, and counted: they may be in the first log. With --in-doubt they are moved,
too, and may be in both logs then. So are left the entries of submissions that are recorded in the other log anyway.`,
		Example: `  rekor-gateway log replan old --to new --config /etc/rekor-gateway/config.yaml
  rekor-gateway log replan old --to new --in-doubt --config /etc/rekor-gateway/config.yaml`,
		Args: oneArgument("the log's id"),
	}
	var f replanFlags
	f.addFlags(c)
	c.Flags().StringVar(&f.to, "to", "", "`ID` of the log that takes over, one of the configuration")
	c.Flags().BoolVar(&f.inDoubt, "in-doubt", false, "move what is in doubt or under way as well: it may be in both logs then")
	requireFlags(c, "to")
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.withStore(c.Context(), func(k keptLogs) error {
			result, err := f.replan(c.Context(), k, args[0])
			if err != nil {
				return err
			}
			return showReplanned(g, c.OutOrStdout(), result)
		})
	}
	return c
}

// replanResult is the JSON of log replan.
type replanResult struct {
	Log          string `json:"log"`
	To           string `json:"to"`
	Moved        int    `json:"moved"`        // entries
	Submissions  int    `json:"submissions"`  // that have them
	LeftInDoubt  int    `json:"leftInDoubt"`  // entries
	LeftUnderWay int    `json:"leftUnderWay"` // entries
	LeftOthers   int    `json:"leftOthers"`   // entries of submissions that are in the other log anyway

	inDoubt bool // was asked for, so that what is left in doubt is so because the other log has it anyway
}

func (f *replanFlags) replan(ctx context.Context, k keptLogs, id string) (replanResult, error) {
	r := replanResult{Log: id, To: f.to, inDoubt: f.inDoubt}
	if _, err := k.findLog(ctx, id); err != nil {
		return r, err
	}
	if id == f.to {
		return r, withHint(errors.New("a log cannot take over from itself"), "name another log with --to")
	}
	for _, log := range []string{id, f.to} {
		if err := k.refuseOwn(ctx, log); err != nil {
			return r, err
		}
	}
	if !k.isConfigured(f.to) {
		return r, withHint(fmt.Errorf("there is no log %q in the configuration", f.to), "add it to the configuration and send the gateway SIGHUP, or name one that is there")
	}
	if k.isRekorV1(id) != k.isRekorV1(f.to) && k.isConfigured(id) {
		return r, withHint(fmt.Errorf("%s and %s are logs of two kinds, and an entry that was made for one is none of the other", id, f.to),
			"name a log of the same kind with --to; or have what waits submitted again, under a policy with the other log")
	}
	p := gateway.MoveParams{From: id, To: f.to, InDoubt: f.inDoubt, Limit: changeLimit}
	for more := true; more; {
		m, err := k.Move(ctx, p)
		if errors.Is(err, gateway.ErrRetired) {
			return r, withHint(err, "name another log with --to; or take its mark back: %s log retire ID --undo --config FILE", programName())
		}
		if err != nil {
			return r, err
		}
		r.Moved, r.Submissions, p.After, more = r.Moved+m.Entries, r.Submissions+m.Submissions, m.Next, m.More
	}
	left, err := k.findLog(ctx, id)
	r.LeftInDoubt, r.LeftUnderWay = left.InDoubt, left.Leased
	r.LeftOthers = max(0, left.Pending-left.InDoubt-left.Leased)
	return r, err
}

func showReplanned(g *globals, w io.Writer, r replanResult) error {
	if !g.isJSON() && !g.quiet {
		output.Line(w, "%d entries of %d submissions go from %s to %s", r.Moved, r.Submissions, r.Log, r.To)
		if r.LeftOthers > 0 {
			output.Line(w, "%d entries wait for %s still: their submissions are recorded in %s anyway, or share a signature with one that is in doubt", r.LeftOthers, r.Log, r.To)
		}
	}
	if r.LeftInDoubt+r.LeftUnderWay > 0 && r.inDoubt {
		return failLeft(r, fmt.Errorf("%d entries are in doubt and %d under way, and were left: their submissions are recorded in %s anyway", r.LeftInDoubt, r.LeftUnderWay, r.To),
			"wait until the gateway has settled them; or, where that log never comes back, give them up: log retire with --give-up-doubt")
	}
	if r.LeftInDoubt+r.LeftUnderWay > 0 {
		return failLeft(r, fmt.Errorf("%d entries are in doubt and %d under way: they may be in %s, and were left", r.LeftInDoubt, r.LeftUnderWay, r.Log),
			"wait until the gateway has settled them; or, where that log never comes back, move them with --in-doubt: they may be in both logs then")
	}
	if g.isJSON() {
		return output.JSON(w, r)
	}
	return nil
}
