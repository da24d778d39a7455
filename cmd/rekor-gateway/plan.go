// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func newPlan(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show how a signature could be recorded, before anything is sent",
		Long: `plan reads a signature and says which representations are possible for it, which one
would be chosen, and what to do about those that are not possible. It works offline, for a
log of Rekor v2, or of the kind that --log-kind names, and a gateway with an attestation key; with a server, the gateway is asked, by whose credential is
given. With a gateway's configuration it plans as that gateway would for one of its callers, and for the logs that his policy records in.`,
		Example: `  rekor-gateway plan --signature app.tar.gz.asc --key release.asc
  rekor-gateway plan --signature app.tar.gz.asc --key release.asc --config config.yaml --caller backfill`,
		Args: noArguments,
	}
	var sig signatureFlags
	sig.addFlags(c)
	var n connection
	n.addFlags(c)
	var held heldTo
	c.Flags().StringVar(&held.config, "config", "", "plan as the gateway of this configuration `FILE`, without asking it")
	c.Flags().StringVar(&held.caller, "caller", "", "for the caller of this `NAME` in it")
	c.Flags().StringVar(&held.kind, "log-kind", "", "for a log of this `KIND`, "+config.KindRekorV2+" (the default) or "+config.KindRekorV1+", without a gateway")
	c.RunE = func(c *cobra.Command, _ []string) error {
		plan, err := sig.makePlan(c.Context(), n, held)
		if err != nil {
			return err
		}
		return g.showPlan(c.OutOrStdout(), plan)
	}
	return c
}

// showPlan prints the plan, and fails when nothing is possible.
func (g *globals) showPlan(w io.Writer, plan *pb.Plan) error {
	var impossible error
	if plan.GetChosen() == receiptpb.Receipt_REPRESENTATION_UNSPECIFIED {
		impossible = fail(formats.ReasonRepresentationRefused, errors.New("this signature cannot be recorded"), "do what the plan says of the representation you want")
	}
	if !g.isJSON() {
		return errors.Join(printPlan(w, plan), impossible)
	}
	if impossible != nil {
		return withResult(impossible, plan)
	}
	return output.Message(w, plan)
}

// heldTo names a configuration, and whose policy in it applies; or the kind of log that is planned for.
type heldTo struct{ config, caller, kind string }

// check refuses what does not go together.
func (h heldTo) check(server string) error {
	switch {
	case h.caller != "" && h.config == "":
		return errors.New("--caller goes with --config: which configuration has the caller?")
	case h.config != "" && server != "":
		return errors.New("--config plans without a gateway, and --server asks one: leave one of them out")
	case h.kind != "" && (h.config != "" || server != ""):
		return errors.New("--log-kind is for a plan without a gateway: with --config or --server the logs are the gateway's")
	case h.kind != "" && h.kind != config.KindRekorV1 && h.kind != config.KindRekorV2:
		return fmt.Errorf("--log-kind: %q is not one of %s, %s", h.kind, config.KindRekorV2, config.KindRekorV1)
	}
	return nil
}

func (f *signatureFlags) makePlan(ctx context.Context, n connection, held heldTo) (*pb.Plan, error) {
	if err := held.check(n.server); err != nil {
		return nil, err
	}
	signature, keys, err := f.readInputs(ctx)
	if err != nil {
		return nil, err
	}
	if n.server == "" {
		return f.planOffline(ctx, signature, keys, held)
	}
	remote, err := n.open(patience, nil)
	if err != nil {
		return nil, err
	}
	defer remote.Close() //nolint:errcheck // nothing is under way
	return remote.Plan(ctx, &pb.SubmissionHeader{Signature: signature, Keys: keys, Format: f.format, Signatures: f.which})
}

// planOffline returns the plan for a log also when nothing is possible; its options say why.
func (f *signatureFlags) planOffline(ctx context.Context, signature []byte, keys [][]byte, held heldTo) (*pb.Plan, error) {
	planner := evidence.PlannerOf(gateway.Direct)
	if held.kind == config.KindRekorV1 {
		planner.Logs = []planning.Acceptor{rekorv1.Acceptor{InlineMax: int64(config.DefaultInlineMax)}}
	}
	var policy formats.Policy
	if held.config != "" {
		var err error
		if policy, err = held.readPolicy(ctx, &planner); err != nil {
			return nil, err
		}
	}
	policy.Now, policy.KnownOnly = time.Now(), f.which == "known"
	parsed, err := all.Formats().Parse(ctx, f.format, signature, keys, policy)
	if err != nil {
		return nil, err
	}
	plan, err := planner.Plan(parsed.Describe(), "")
	if err != nil && len(plan.Options) == 0 {
		return nil, err
	}
	plan.SetWay(gateway.Direct)
	return api.ConvertPlan(plan), nil
}

// readPolicy returns what signatures are held to, and has planner plan as the gateway would.
func (h heldTo) readPolicy(ctx context.Context, planner *planning.Planner) (formats.Policy, error) {
	cfg, err := config.Load(h.config)
	if err != nil {
		return formats.Policy{}, err
	}
	policy, err := server.ReadPolicy(ctx, cfg, h.caller)
	if err != nil {
		return formats.Policy{}, blameConfig(err)
	}
	caller, err := cfg.FindCaller(h.caller)
	if err != nil {
		return formats.Policy{}, err
	}
	planner.Logs = listAcceptors(cfg, cfg.PolicyFor(caller))
	planner.Attests, planner.Allowed = cfg.Attestation.Key != "", policy.Representations
	return policy.Signatures, nil
}

// listAcceptors returns what the logs that a policy records in take.
func listAcceptors(cfg *config.Config, p config.Policy) (logs []planning.Acceptor) {
	recorded := cfg.ResolvedLogs(p.Logs).List
	for _, l := range cfg.Logs {
		switch {
		case !slices.Contains(recorded, l.ID):
		case l.IsRekorV1():
			logs = append(logs, rekorv1.Acceptor{InlineMax: l.InlineBytes()})
		default:
			logs = append(logs, rekorv2.Acceptor{})
		}
	}
	return logs
}

func printPlan(w io.Writer, p *pb.Plan) error {
	output.Line(w, "format     %s (%s)", p.GetFormat(), p.GetVariant())
	output.Line(w, "algorithm  %s", p.GetAlgorithm())
	for _, s := range p.GetSigners() {
		output.Line(w, "signer     %s", s)
	}
	output.Line(w, "needs      %s\n", describeNeeds(p))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range p.GetOptions() {
		name := o.GetRepresentation().String()
		switch {
		case o.GetRepresentation() == p.GetChosen():
			output.Line(t, "%s\tchosen\t%s", name, formatCount(o.GetEntries(), "log entry", "log entries"))
		case o.GetPossible():
			output.Line(t, "%s\tpossible\t%s", name, formatCount(o.GetEntries(), "log entry", "log entries"))
		default:
			output.Line(t, "%s\tnot possible\t%s: %s", name, o.GetProblem().GetReason(), o.GetProblem().GetMessage())
			if hint := o.GetProblem().GetHint(); hint != "" {
				output.Line(t, "\t\thint: %s", hint)
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, part := range p.GetSignatures() {
		output.Line(w, "signature %d of %d: %s by %s, as %s", i+1, len(p.GetSignatures()), part.GetAlgorithm(), strings.Join(part.GetSigners(), ", "), part.GetChosen())
	}
	if left := p.GetUnchecked(); len(left) > 0 {
		output.Line(w, "not checked: signatures that say to be by %s", strings.Join(left, ", "))
	}
	for _, n := range p.GetNotes() {
		output.Line(w, "note: %s", n)
	}
	return nil
}

func describeNeeds(p *pb.Plan) string {
	switch p.GetNeed() {
	case "digest":
		return "the artifact's digest: " + strings.Join(p.GetDigests(), " or ")
	case "none":
		return "nothing else: the artifact is inside"
	}
	if d := p.GetSignedDigests(); len(d) > 0 && p.GetChosen() == receiptpb.Receipt_PROJECTED { // what is attested takes the artifact
		return "the artifact, or the " + strings.Join(d, " or ") + " digest of what is really signed (rekor-gateway submit computes it)"
	}
	return "the artifact"
}

func formatCount(n int32, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
