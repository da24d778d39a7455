// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func newLogList(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the logs, and what waits for each",
		Long: `list shows each log that is configured, or for which there are entries in the store, and of it: whether
submissions are recorded in it (policy.logs), where its shards come from, whether it is retired, how many entries are pending, how many of them are in
doubt (perhaps logged) and under way, how old the oldest is, and its shards: origin, key, what is pending in
each, and the size of the checkpoint that is kept. Of a log of the gateway's own it shows the origin, how many records it
has, and how many of them are anchored.`,
		Example: `  rekor-gateway log list --config /etc/rekor-gateway/config.yaml
  rekor-gateway log list --config /etc/rekor-gateway/config.yaml --output json`,
		Args: noArguments,
	}
	var f logFlags
	f.addFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.withStore(c.Context(), func(k keptLogs) error {
			rows, err := k.listRows(c.Context())
			if err != nil {
				return err
			}
			return showLogs(g, c.OutOrStdout(), rows)
		})
	}
	return c
}

// logRow is the JSON of a log.
type logRow struct {
	ID            string     `json:"id"`
	Configured    bool       `json:"configured"`
	Recorded      bool       `json:"recorded"` // submissions go to it, by policy.logs
	Source        string     `json:"source"`   // where its shards come from; "": the configuration, or it is not configured
	Retired       bool       `json:"retired"`
	Pending       int        `json:"pending"`
	InDoubt       int        `json:"inDoubt"`
	UnderWay      int        `json:"underWay"`
	OldestSeconds int64      `json:"oldestSeconds"`
	Own           *ownRow    `json:"own"` // null: it is a log of others
	Shards        []shardRow `json:"shards"`
}

// ownRow is the JSON of what a log of the gateway's own has beside.
type ownRow struct {
	Origin   string `json:"origin"`
	Records  uint64 `json:"records"`
	Anchored uint64 `json:"anchored"` // of those, the ones that a logged anchor covers
	Closed   bool   `json:"closed"`
}

// shardRow is the JSON of a shard.
type shardRow struct {
	Origin         string  `json:"origin"`
	KeyID          string  `json:"keyId"` // of C2SP signed-note, hex; "" is not known
	Pending        int     `json:"pending"`
	InDoubt        int     `json:"inDoubt"`
	CheckpointSize *uint64 `json:"checkpointSize"` // null: none is kept
	Forked         bool    `json:"forked"`
}

// listRows returns the configured logs in their order, then the gateway's own, and then those that are in the store alone.
func (k *keptLogs) listRows(ctx context.Context) ([]logRow, error) {
	stored, err := k.ListLogs(ctx)
	if err != nil {
		return nil, err
	}
	rows := []logRow{}
	recorded := k.cfg.RecordedLogs()
	for n := range k.cfg.Logs {
		l := &k.cfg.Logs[n]
		row := logRow{ID: l.ID, Shards: []shardRow{}}
		if i := slices.IndexFunc(stored, func(s gateway.LogStatus) bool { return s.Log == l.ID }); i >= 0 {
			row = newLogRow(stored[i])
		}
		row.Configured, row.Recorded = true, slices.Contains(recorded, l.ID)
		row.Source = k.cfg.DescribeSource(l)
		rows = append(rows, row)
	}
	own, err := k.ListOwnLogs(ctx)
	if err != nil {
		return nil, err
	}
	if o := k.cfg.OwnLog; o.IsSet() && !slices.ContainsFunc(own, func(l gateway.OwnLog) bool { return l.ID == o.ID() }) {
		own = append(own, gateway.OwnLog{ID: o.ID(), Origin: o.Origin})
	}
	for _, l := range own {
		rows = append(rows, k.newOwnRow(l, stored))
	}
	for _, s := range stored {
		if !k.isConfigured(s.Log) && !slices.ContainsFunc(own, func(l gateway.OwnLog) bool { return l.ID == s.Log }) {
			rows = append(rows, newLogRow(s))
		}
	}
	return rows, nil
}

// newOwnRow returns the row of a log of the gateway's own.
func (k *keptLogs) newOwnRow(l gateway.OwnLog, stored []gateway.LogStatus) logRow {
	row := logRow{ID: l.ID, Shards: []shardRow{}}
	if i := slices.IndexFunc(stored, func(s gateway.LogStatus) bool { return s.Log == l.ID }); i >= 0 {
		row = newLogRow(stored[i])
	}
	row.Configured = k.cfg.OwnLog.IsSet() && k.cfg.OwnLog.ID() == l.ID
	row.Recorded = row.Configured
	row.Own = &ownRow{Origin: l.Origin, Records: l.Tree.Size, Anchored: l.Anchored.Size, Closed: l.Closed}
	return row
}

func newLogRow(s gateway.LogStatus) logRow {
	row := logRow{
		ID: s.Log, Retired: s.Retired, Pending: s.Pending, InDoubt: s.InDoubt, UnderWay: s.Leased,
		OldestSeconds: int64(s.Oldest.Seconds()), Shards: []shardRow{},
	}
	for _, h := range s.Shards {
		r := shardRow{Origin: h.Origin, Pending: h.Pending, InDoubt: h.InDoubt, CheckpointSize: h.Size, Forked: h.Forked}
		if h.KeyID != ([32]byte{}) {
			r.KeyID = hex.EncodeToString(h.KeyID[:])
		}
		row.Shards = append(row.Shards, r)
	}
	return row
}

func showLogs(g *globals, w io.Writer, rows []logRow) error {
	if g.isJSON() {
		return output.JSON(w, struct {
			Logs []logRow `json:"logs"`
		}{rows})
	}
	if g.quiet {
		for _, r := range rows {
			output.Line(w, "%s", r.ID)
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		output.Line(t, "%s\t%s\t%s", r.ID, r.describe(), r.describeQueue())
		if r.Own != nil {
			output.Line(t, "  %s\t%d records, %d anchored\t", r.Own.Origin, r.Own.Records, r.Own.Anchored)
		}
		if r.Source != "" {
			output.Line(t, "  from %s\t\t", r.Source)
		}
		for _, s := range r.Shards {
			output.Line(t, "  %s\t%s\t%s", s.Origin, s.describe(), fmt.Sprintf("%d pending (%d in doubt)", s.Pending, s.InDoubt))
		}
	}
	return t.Flush()
}

func (r *logRow) describe() string {
	var words []string
	switch {
	case r.Own != nil && gateway.IsFacadeLog(r.ID) && r.Own.Closed:
		words = append(words, "facade for Rekor v1's clients, closed")
	case r.Own != nil && gateway.IsFacadeLog(r.ID): // which key it has, and so whether it is configured, its key files alone say
		words = append(words, "facade for Rekor v1's clients")
	case r.Own != nil && r.Own.Closed:
		words = append(words, "own log, closed")
	case r.Own != nil && r.Configured:
		words = append(words, "own log, in use")
	case r.Own != nil:
		words = append(words, "own log, not configured")
	case !r.Configured:
		words = append(words, "not configured")
	case !r.Recorded:
		words = append(words, "configured, not in policy.logs")
	case r.Retired:
		words = append(words, "configured")
	default:
		words = append(words, "in use")
	}
	if r.Retired {
		words = append(words, "RETIRED")
	}
	return strings.Join(words, ", ")
}

func (r *logRow) describeQueue() string {
	if r.Pending == 0 {
		return "nothing pending"
	}
	return fmt.Sprintf("%d pending (%d in doubt, %d under way), the oldest for %s",
		r.Pending, r.InDoubt, r.UnderWay, time.Duration(r.OldestSeconds)*time.Second)
}

func (s *shardRow) describe() string {
	text := "no checkpoint"
	if s.CheckpointSize != nil {
		text = fmt.Sprintf("size %d", *s.CheckpointSize)
	}
	if s.KeyID != "" {
		text += ", key " + s.KeyID[:8]
	}
	if s.Forked {
		text += ", FORKED"
	}
	return text
}
