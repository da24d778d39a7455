// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// planAsker asks a gateway how it would record signatures, as long as it can be asked.
type planAsker struct {
	remote   client.Client // nil: nobody is asked
	told     *output.Notes
	patience time.Duration // with one that has not answered yet
	reached  atomic.Bool   // it has answered
	lost     atomic.Bool   // it cannot be asked
}

// openAsker returns who asks the gateway of --server, if there is one.
func (f *Options) openAsker(told *output.Notes) (*planAsker, error) {
	if f.Server == "" {
		return &planAsker{}, nil
	}
	remote, err := f.openPatiently(told)
	if err != nil {
		return nil, err
	}
	return &planAsker{remote: remote, told: told, patience: f.Patience}, nil
}

func (a *planAsker) close() {
	if a.remote != nil {
		_ = a.remote.Close() // nothing is under way
	}
}

// ask returns nil where the gateway cannot be asked, which is said once. The error is its refusal.
func (a *planAsker) ask(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	if a.remote == nil || a.lost.Load() {
		return nil, nil
	}
	asking := ctx
	if !a.reached.Load() { // nobody waits for a gateway that is not there as long as for one that is busy
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, a.patience)
		defer cancel()
	}
	plan, err := a.remote.Plan(asking, h)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		a.reached.Store(true)
		return plan, nil
	case isForNow(err) || isForAll(err) || asking.Err() != nil:
		if !a.lost.Swap(true) {
			a.told.Say("note: the gateway could not be asked how it records signatures: %v", err)
		}
		return nil, nil
	}
	a.reached.Store(true)
	return nil, err
}

// readPlanned returns how the gateway would record a signature that verifies: what it plans, but for what only verification shows. Beside
// ATTESTED, why is what keeps the signature from being recorded itself. sendsFile: the file itself would be sent.
func readPlanned(p *pb.Plan, d formats.Description, v *formats.Verified, want gateway.Representation, sendsFile bool) (chosen gateway.Representation, why *formats.Error, err error) {
	own := gateway.Projected
	if hasNative(d) {
		own = gateway.Native
	}
	refusal := findRefusal(p, own)
	if p.GetChosen() == 0 {
		if want != "" {
			refusal = findRefusal(p, want)
		}
		if refusal == nil {
			refusal = formats.NewError(formats.ReasonRepresentationRefused, "the gateway would not record this signature", "see what it says of it: rekor-gateway plan --server URL")
		}
		return "", nil, refusal
	}
	if chosen, err = chooseAsPlanned(p, d, v, want, sendsFile); err != nil || chosen != gateway.Attested {
		return chosen, nil, err
	}
	native := findRefusal(p, gateway.Native)
	if want == "" && !hasNative(d) && (p.GetChosen() == receiptpb.Receipt_NATIVE || native != nil && native.Reason == formats.ReasonNeedsBytes) {
		refusal = formats.NewError(formats.ReasonNeedsBytes, "the log takes this signature itself with its file, and a digest would be sent",
			"send the files of these in a run of their own: --representation NATIVE")
	}
	if refusal == nil && want == "" {
		refusal = evidence.ExplainAttested(d, v, gateway.Way(evidence.NameWay(p.GetWay())))
	}
	return chosen, refusal, nil
}

// hasNative reports whether a log may take a signature as it is in an entry that all formats have.
func hasNative(d formats.Description) bool {
	return slices.ContainsFunc(d.Candidates, func(c formats.Candidate) bool { return c.Native })
}

// findRefusal returns why a representation is not possible, or nil.
func findRefusal(p *pb.Plan, r gateway.Representation) *formats.Error {
	for _, o := range p.GetOptions() {
		if problem := o.GetProblem(); o.GetRepresentation().String() == string(r) && problem != nil {
			return formats.NewError(formats.Reason(problem.GetReason()), problem.GetMessage(), problem.GetHint())
		}
	}
	return nil
}

// chooseAsPlanned returns the weakest of how a file's signatures would be recorded.
func chooseAsPlanned(p *pb.Plan, d formats.Description, v *formats.Verified, want gateway.Representation, sendsFile bool) (gateway.Representation, error) {
	planner := evidence.PlannerOf(gateway.Way(evidence.NameWay(p.GetWay())))
	planner.Attests = findRefusal(p, gateway.Attested) == nil
	options, err := planner.Plan(d, "")
	if err != nil && len(options.Options) == 0 {
		return "", err
	}
	plans, parts, planned := options.Each(), v.Each(), p.GetSignatures()
	if len(planned) == 0 {
		planned = []*pb.Plan{p}
	}
	if len(plans) != len(parts) || len(plans) != len(planned) {
		return "", fmt.Errorf("%w: the gateway plans for %d signatures, and the file has %d", client.ErrUnreadable, len(planned), len(parts))
	}
	chosen := make([]gateway.Representation, len(plans))
	for i := range plans {
		plans[i].Chosen = gateway.Representation(planned[i].GetChosen().String())
		if part := plans[i].Description; plans[i].Chosen == gateway.Native && !hasNative(part) && (sendsFile || part.Need == formats.NeedNone) {
			chosen[i] = gateway.Native // an entry of the log's own for the format, which Rekor v1 has with the file, and no planner here
			continue
		}
		if chosen[i], _, err = planner.Choose(plans[i], want, parts[i]); err != nil {
			return "", err
		}
	}
	return gateway.Weakest(chosen...), nil
}
