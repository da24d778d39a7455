// SPDX-License-Identifier: Apache-2.0

package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// planGroup is what a plan says of signatures for which the same would be done, for the same reason.
type planGroup struct {
	MessageType    string         `json:"messageType"` // "plan"
	Count          int64          `json:"count"`
	State          string         `json:"state"`          // SUBMIT, DONE, HISTORICAL or REFUSED
	Representation string         `json:"representation"` // "" but for SUBMIT, and where it depends on a way that is not known
	Way            string         `json:"way"`            // "" where the gateway's policy decides, which was not asked
	Asked          bool           `json:"asked"`          // the gateway says so; else that of a gateway that attests and allows all
	Sends          string         `json:"sends"`          // "digest", "bytes", "signature" where that has all in it, or "" as representation
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
	state, representation, way, sends string
	asked                             bool
	reason                            formats.Reason
	exceptions                        formats.Exceptions
}

// groupedPlan is what a dry run finds. There are as many groups as reasons, however many signatures.
type groupedPlan struct {
	mu     sync.Mutex // over groups
	groups map[planKey]*planGroup
}

// plannedLine is a line of the report of a dry run: what would be done with one signature. Its members are as those of planGroup and outcome.
type plannedLine struct {
	MessageType    string         `json:"messageType"` // "planned"
	Name           string         `json:"name"`
	State          string         `json:"state"`
	Reason         formats.Reason `json:"reason"`
	Message        string         `json:"message"`
	Hint           string         `json:"hint"`
	Artifact       string         `json:"artifact"`
	Decompress     bool           `json:"decompress"`
	Representation string         `json:"representation"`
	Way            string         `json:"way"`
	Asked          bool           `json:"asked"`
	Sends          string         `json:"sends"`
}

func newPlannedLine(item backfill.Item, g planGroup) plannedLine {
	return plannedLine{"planned", nameText(item.Name), g.State, g.Reason, g.Message, g.Hint, nameText(item.Artifact), item.Decompress, g.Representation, g.Way, g.Asked, g.Sends}
}

// Plan prints what would be done. It writes no file but the report that is asked for, and has the gateway store nothing.
func (f *Options) Plan(ctx context.Context, out io.Writer, told *output.Notes, terminal io.Writer) error {
	prepareProcess()
	stock, err := loadKeys(ctx, f.Keys)
	if err != nil {
		return err
	}
	b := f.newLocalRun(stock, told)
	if b.asker, err = f.openAsker(told); err != nil {
		return err
	}
	defer b.asker.close()
	b.judge.ways = f.newWayFinder(b.asker.ask)
	if f.TrustedRoot != "" {
		trust, err := f.loadTrust(ctx, nil, told)
		if err != nil {
			return err
		}
		b.trust.set(trust)
	}
	b.status = f.newStatus(out, told, terminal, &b.counts)
	if f.Report != "" {
		if b.report, err = openReport(f.Report, f.Force, plannedHead); err != nil { // never in place of what became of them
			return err
		}
	}
	p := &groupedPlan{groups: map[planKey]*planGroup{}}
	err = b.planItems(ctx, p)
	if b.report != nil {
		_, failed := b.report.finish(err == nil)
		err = errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	return p.print(out, f.JSON)
}

// planItems hands every signature to a worker. Where the gateway is asked, most of them wait for it.
func (b *runner) planItems(ctx context.Context, p *groupedPlan) error {
	items, closeItems, err := b.flags.list(ctx)
	if err != nil {
		return err
	}
	defer closeItems()
	if !b.flags.JSON { // which has the plan alone
		defer b.status.start(ctx)()
	}
	workers := runtime.GOMAXPROCS(0)
	if b.asker.remote != nil {
		workers = maxCalls
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	plan := func(item backfill.Item) {
		b.counts.planned.Add(1)
		key, group := b.planItem(ctx, item)
		p.add(key, group)
		if b.report == nil {
			return
		}
		if err := b.report.add(newPlannedLine(item, group)); err != nil {
			stop(fault.Fail(fault.ReasonFile, fmt.Errorf("writing the report: %w", err), "make room, or name another file with --report"))
		}
	}
	if err := workOnAll(ctx, items, workers, plan); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// workOnAll has so many workers work on items, until one of these is an error, or ctx ends.
func workOnAll(ctx context.Context, items iter.Seq2[backfill.Item, error], workers int, work func(backfill.Item)) error {
	queue := make(chan backfill.Item)
	var working sync.WaitGroup
	defer working.Wait()
	defer close(queue)
	for range workers {
		working.Go(func() {
			for item := range queue {
				work(item)
			}
		})
	}
	for item, err := range items {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case queue <- item:
		case <-ctx.Done():
		}
	}
	return nil
}

// planItem says what would be done with one signature.
func (b *runner) planItem(ctx context.Context, item backfill.Item) (planKey, planGroup) {
	key, group, err := b.planSignature(ctx, item)
	if err != nil {
		f := fault.Describe(err)
		key.reason, group.Reason, group.Message, group.Hint = f.Reason, f.Reason, f.Message, f.Hint
		if key.state == "" {
			key.state = stateRefused
		}
	}
	group.State, group.Representation, group.Way, group.Asked = key.state, key.representation, key.way, key.asked
	group.Sends, group.Example = key.sends, nameText(item.Name)
	group.Message = validText(group.Message)
	return key, group
}

// planSignature returns an error for what would not be submitted, and the key as far as it is known.
func (b *runner) planSignature(ctx context.Context, item backfill.Item) (key planKey, group planGroup, err error) {
	if item.Problem != nil {
		return key, group, item.Problem
	}
	place, err := findPlace(item, b.flags.Receipts)
	if err != nil {
		return key, group, err
	}
	release, err := b.holdMemory(ctx, item)
	if err != nil {
		return key, group, err
	}
	defer release()
	c, key, err := b.judgeForPlan(ctx, item, place)
	if c != nil {
		defer c.close()
	}
	if err != nil {
		return key, group, err
	}
	if _, err := b.compareList(ctx, c); err != nil {
		return planKey{state: stateRefused}, group, err
	}
	if key.state != "" {
		return key, group, nil
	}
	return b.planSubmission(ctx, c, key, group)
}

// judgeForPlan verifies a signature, or the receipt that is there. The key has no state where it would be submitted.
func (b *runner) judgeForPlan(ctx context.Context, item backfill.Item, place place) (_ *candidate, key planKey, err error) {
	defer b.takeSlot(item)()
	c, err := b.judge.readCandidate(ctx, item)
	if err != nil {
		return nil, key, err
	}
	if err := b.judge.checkHistorical(c.described); err != nil {
		key.state, key.exceptions = stateHistorical, c.described.UsedExceptions()
		return c, key, err
	}
	at, err := b.findReceipt(ctx, c, place)
	if err == nil && at.receipt != nil {
		key.state = stateDone
		switch {
		case b.trust.get().root != nil:
			err = b.checkReceipt(ctx, c, at.receipt)
		case item.List != nil: // whose files are not read before
			err = c.verifySigned(ctx)
		}
		if err == nil {
			return c, key, nil
		}
		if ctx.Err() != nil || !b.flags.Force {
			key.state = stateRefused
			return c, key, explainOldReceipt(item, at.path, err)
		}
		key.state, err = "", nil // it would be replaced
	}
	if err == nil && c.verified == nil {
		err = c.verify(ctx)
	}
	return c, key, err
}

// planSubmission says how a signature that verifies would be recorded: as the gateway says, or else as one would that attests, in front
// of a Rekor v2 log.
func (b *runner) planSubmission(ctx context.Context, c *candidate, key planKey, group planGroup) (planKey, planGroup, error) {
	asked, err := b.asker.ask(ctx, c.submission.Header)
	if (mustSendBytes(err) || asked != nil && asked.GetChosen() == 0) && c.sendBytes() {
		asked, err = b.asker.ask(ctx, c.submission.Header)
	}
	if err != nil {
		key.asked = ctx.Err() == nil
		return key, group, err
	}
	want := gateway.Representation(strings.ToUpper(b.flags.Representation))
	var chosen gateway.Representation
	var why *formats.Error
	if asked != nil {
		key.asked, key.way = true, evidence.NameWay(asked.GetWay())
		chosen, why, err = readPlanned(asked, c.described, c.verified, want, c.submission.Artifact != nil)
	} else {
		key.way = strings.ToUpper(b.flags.Way)
		chosen, why, err = c.planHere(gateway.Way(key.way), want)
	}
	if err != nil {
		key.way = ""
		return key, group, err
	}
	key.state, key.representation = stateSubmit, string(chosen)
	if chosen != "" {
		key.sends = c.describeSent()
	}
	if why != nil {
		key.reason, group.Reason, group.Message, group.Hint = why.Reason, why.Reason, why.Message, why.Hint
	}
	return key, group, nil
}

// planHere returns, beside ATTESTED, why it is not better. It returns "" where it depends on the way, and that is not known.
func (c *candidate) planHere(way gateway.Way, want gateway.Representation) (chosen gateway.Representation, why *formats.Error, err error) {
	d := c.described
	if chosen, err = chooseRepresentation(d, c.verified, way, want); way == "" {
		batched, failed := chooseRepresentation(d, c.verified, gateway.Batched, want)
		if failed == nil && (err != nil || batched != chosen) {
			return "", nil, nil
		}
	}
	if err == nil && chosen == gateway.Attested {
		why = evidence.ExplainAttested(d, c.verified, way)
	}
	return chosen, why, err
}

// describeSent says what leaves this machine beside the signature and its key.
func (c *candidate) describeSent() string {
	switch h := c.submission.Header; {
	case c.submission.Artifact != nil:
		return "bytes"
	case h.GetDigest() != "" || h.GetSignedDigest() != "":
		return "digest"
	}
	return "signature"
}

// chooseRepresentation returns the weakest of how a file's signatures would be recorded.
func chooseRepresentation(d formats.Description, v *formats.Verified, way gateway.Way, want gateway.Representation) (gateway.Representation, error) {
	planner := evidence.PlannerOf(way)
	plan, err := planner.Plan(d, want)
	if err != nil {
		return "", err
	}
	parts := v.Each()
	var all []gateway.Representation
	for i, p := range plan.Each() {
		if i >= len(parts) {
			break
		}
		one, _, err := planner.Choose(p, want, parts[i])
		if err != nil {
			return "", err
		}
		all = append(all, one)
	}
	return gateway.Weakest(all...), nil
}

func (p *groupedPlan) add(key planKey, g planGroup) {
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
func (p *groupedPlan) print(out io.Writer, asJSON bool) error {
	groups := make([]*planGroup, 0, len(p.groups))
	total := int64(0)
	for _, group := range p.groups {
		groups = append(groups, group)
		total += group.Count
	}
	slices.SortFunc(groups, func(a, b *planGroup) int {
		return cmp.Or(cmp.Compare(slices.Index(planOrder, a.State), slices.Index(planOrder, b.State)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Example, b.Example))
	})
	if asJSON {
		for _, group := range groups {
			if err := output.JSON(out, group); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printRow(t, "COUNT", "STATE", "REPRESENTATION", "WAY", "SENDS", "REASON", "EXAMPLE")
	for _, group := range groups {
		printRow(t, fmt.Sprint(group.Count), group.State, group.known(group.Representation), group.known(group.Way), group.known(group.Sends), string(group.Reason), group.Example)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	output.Line(out, "%d signatures", total)
	if slices.ContainsFunc(groups, func(g *planGroup) bool { return g.State == stateSubmit && !g.Asked }) {
		output.Line(out, "no gateway was asked: this is for one that attests and lets all pass; %q is what its policy decides", byPolicy)
	}
	for _, group := range groups {
		if group.Reason == "" {
			continue
		}
		output.Line(out, "%s, %d of %s: %s", group.Reason, group.Count, group.State, group.Message)
		if group.Hint != "" {
			output.Line(out, "  hint: %s", group.Hint)
		}
	}
	return nil
}

// byPolicy stands for what nobody knows here.
const byPolicy = "policy"

// known returns what a table says of how a signature would be recorded.
func (g *planGroup) known(text string) string {
	if g.State == stateSubmit {
		return cmp.Or(text, byPolicy)
	}
	return text
}

// printRow prints a row of a table, without what would break it.
func printRow(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = cmp.Or(output.CleanText(cell), "-")
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // nobody is left to hear of it
}
