// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// planGroup is what a plan says of signatures for which the same would be done, for the same reason.
type planGroup struct {
	MessageType    string         `json:"messageType"` // "plan"
	Count          int64          `json:"count"`
	State          string         `json:"state"`          // SUBMIT, DONE, HISTORICAL or REFUSED
	Representation string         `json:"representation"` // "" but for SUBMIT
	Way            string         `json:"way"`            // "direct"
	Sends          string         `json:"sends"`          // "digest", "bytes", or "signature" where that has all in it
	Reason         formats.Reason `json:"reason"`         // why it is not submitted, or not better
	Message        string         `json:"message"`        // of the first of them
	Hint           string         `json:"hint"`           // the remedy
	Example        string         `json:"example"`        // the first of them
}

// The states of a plan beside those of a report.
const (
	stateSubmit     = "SUBMIT"
	stateHistorical = "HISTORICAL" // not without --historical
)

// planKey tells groups apart.
type planKey struct {
	state, representation, sends string
	reason                       formats.Reason
	exceptions                   formats.Exceptions
}

// backfillPlan is what a dry run finds. There are as many groups as reasons, however many signatures.
type backfillPlan struct {
	mu     sync.Mutex // over groups
	groups map[planKey]*planGroup
}

// planAll prints what would be done. It writes no file, and asks the gateway nothing.
func (f *backfillFlags) planAll(ctx context.Context, out io.Writer, told *notes, terminal io.Writer) error {
	if f.report != "" {
		return withHint(errors.New("a dry run writes no report"), "leave out --report, or --dry-run")
	}
	stock, err := loadKeys(ctx, f.wishes.keys)
	if err != nil {
		return err
	}
	b := &backfillRun{flags: f, judge: &judge{f, stock}}
	if f.trustedRoot != "" {
		if b.trust, err = f.loadTrust(ctx, nil, told); err != nil {
			return err
		}
	}
	b.status = f.newStatus(out, told, terminal, &b.counts)
	p := &backfillPlan{groups: map[planKey]*planGroup{}}
	if err := b.planItems(ctx, p); err != nil {
		return err
	}
	return p.print(out, f.globals)
}

func (b *backfillRun) planItems(ctx context.Context, p *backfillPlan) error {
	items, closeItems, err := b.flags.list(ctx, nil)
	if err != nil {
		return err
	}
	defer closeItems()
	if !b.flags.globals.isJSON() { // which has the plan alone
		defer b.status.start(ctx)()
	}
	queue := make(chan backfill.Item)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(queue)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for item := range queue {
				b.counts.done.Add(1)
				p.add(b.planItem(ctx, item))
			}
		})
	}
	for item, err := range items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		queue <- item
	}
	return nil
}

// planItem says what would be done with one signature.
func (b *backfillRun) planItem(ctx context.Context, item backfill.Item) (planKey, planGroup) {
	key, group, err := b.planSignature(ctx, item)
	if err != nil {
		f := describeFailure(err)
		key.reason, group.Reason, group.Message, group.Hint = f.Reason, f.Reason, f.Message, f.Hint
		if key.state == "" {
			key.state = stateRefused
		}
	}
	group.State, group.Representation, group.Sends, group.Example = key.state, key.representation, key.sends, validText(item.Name)
	group.Message = validText(group.Message)
	return key, group
}

// planSignature returns an error for what would not be submitted, and the key as far as it is known.
func (b *backfillRun) planSignature(ctx context.Context, item backfill.Item) (key planKey, group planGroup, err error) {
	if item.Problem != nil {
		return key, group, item.Problem
	}
	place, err := findPlace(item, b.flags.receipts)
	if err != nil {
		return key, group, err
	}
	c, err := b.judge.readCandidate(ctx, item)
	if err != nil {
		return key, group, err
	}
	defer c.close()
	if err := b.judge.checkHistorical(c.parsed.Describe()); err != nil {
		key.state, key.exceptions = stateHistorical, c.parsed.Describe().UsedExceptions()
		return key, group, err
	}
	at, err := b.findReceipt(ctx, c, place)
	if err == nil && at.receipt != nil {
		key.state = stateDone
		if b.trust.root != nil {
			if err = b.checkReceipt(ctx, c, at.receipt); err != nil {
				key.state, err = stateRefused, explainOldReceipt(at.path, err)
			}
		}
		return key, group, err
	}
	if err == nil && c.verified == nil {
		err = c.verify(ctx)
	}
	if err != nil {
		return key, group, err
	}
	key.state, group.Way = stateSubmit, "direct"
	return b.planSubmission(c, key, group)
}

// planSubmission says how a signature that verifies would be recorded by a gateway that attests, in a Rekor v2 log.
func (b *backfillRun) planSubmission(c *candidate, key planKey, group planGroup) (planKey, planGroup, error) {
	representation, err := chooseRepresentation(c.parsed.Describe(), c.verified, gateway.Representation(strings.ToUpper(b.flags.wishes.representation)))
	if err != nil {
		key.state, group.Way = stateRefused, ""
		return key, group, err
	}
	key.representation = string(representation)
	switch h := c.submission.Header; {
	case c.submission.Artifact != nil:
		key.sends = "bytes"
	case h.GetDigest() != "" || h.GetSignedDigest() != "":
		key.sends = "digest"
	default:
		key.sends = "signature"
	}
	if representation == gateway.Attested {
		if why := explainAttested(c.parsed.Describe(), c.verified); why != nil {
			key.reason, group.Reason, group.Message, group.Hint = why.Reason, why.Reason, why.Message, why.Hint
		}
	}
	return key, group, nil
}

// chooseRepresentation returns the weakest of how a file's signatures would be recorded.
func chooseRepresentation(d formats.Description, v *formats.Verified, want gateway.Representation) (gateway.Representation, error) {
	plan, err := offlinePlanner.Plan(d, want)
	if err != nil {
		return "", err
	}
	parts := v.Parts
	if len(parts) == 0 {
		parts = []*formats.Verified{v}
	}
	var all []gateway.Representation
	for i, p := range plan.Each() {
		if i >= len(parts) {
			break
		}
		one, _, err := offlinePlanner.Choose(p, want, parts[i])
		if err != nil {
			return "", err
		}
		all = append(all, one)
	}
	return gateway.Weakest(all...), nil
}

func (p *backfillPlan) add(key planKey, g planGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.groups[key]
	if known == nil {
		g.MessageType = "plan"
		p.groups[key], known = &g, &g
	}
	known.Count++
	if g.Example < known.Example { // the same whatever came first
		known.Example, known.Message, known.Hint = g.Example, g.Message, g.Hint
	}
}

// planOrder is the order of a plan's states.
var planOrder = []string{stateSubmit, stateDone, stateHistorical, stateRefused}

// print prints the groups, what would be submitted first, and of each kind the largest first.
func (p *backfillPlan) print(out io.Writer, g *globals) error {
	groups := make([]*planGroup, 0, len(p.groups))
	total := int64(0)
	for _, group := range p.groups {
		groups = append(groups, group)
		total += group.Count
	}
	slices.SortFunc(groups, func(a, b *planGroup) int {
		return cmp.Or(cmp.Compare(slices.Index(planOrder, a.State), slices.Index(planOrder, b.State)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Example, b.Example))
	})
	if g.isJSON() {
		for _, group := range groups {
			if err := printJSON(out, group); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printRow(t, "COUNT", "STATE", "REPRESENTATION", "WAY", "SENDS", "REASON", "EXAMPLE")
	for _, group := range groups {
		printRow(t, fmt.Sprint(group.Count), group.State, group.Representation, group.Way, group.Sends, string(group.Reason), group.Example)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printLine(out, "%d signatures", total)
	for _, group := range groups {
		if group.Reason == "" {
			continue
		}
		printLine(out, "%s, %d of %s: %s", group.Reason, group.Count, group.State, group.Message)
		printLine(out, "  hint: %s", group.Hint)
	}
	return nil
}

// printRow prints a row of a table, without what would break it.
func printRow(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = cmp.Or(cleanText(cell), "-")
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // nobody is left to hear of it
}
