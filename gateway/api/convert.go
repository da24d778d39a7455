// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// readHeader returns the header of a gRPC message as every way in gives it.
func readHeader(h *pb.SubmissionHeader) upload.Header {
	out := upload.Header{
		Signature: h.GetSignature(), Keys: h.GetKeys(), Format: h.GetFormat(), Digest: h.GetDigest(),
		SignedDigest: h.GetSignedDigest(), Labels: h.GetLabels(), Decompress: h.GetDecompress(), PublishCertificate: h.GetPublishCertificate(),
		Signatures: h.GetSignatures(), Priority: h.GetPriority(),
	}
	if r := h.GetRepresentation(); r != receiptpb.Receipt_REPRESENTATION_UNSPECIFIED {
		out.Representation = r.String()
	}
	if w := h.GetWay(); w != receiptpb.RecordedSignature_WAY_UNSPECIFIED {
		out.Way = w.String()
	}
	return out
}

// convertHeader returns the caller's request.
func convertHeader(h upload.Header, by gateway.Caller) (gateway.Request, error) {
	r := gateway.Request{
		Tenant: by.Tenant, Caller: by.Name, Signature: h.Signature, Keys: h.Keys, Format: h.Format,
		Representation: gateway.Representation(h.Representation), Labels: h.Labels, PublishCertificate: h.PublishCertificate,
	}
	var err error
	if r.KnownOnly, err = parseSignatures(h.Signatures); err != nil {
		return r, err
	}
	if r.Priority, err = parsePriority(h.Priority, by.Priority); err != nil {
		return r, err
	}
	if r.Way, err = parseWay(h.Way); err != nil {
		return r, err
	}
	if h.Decompress != "" {
		if r.Decompress, err = container.ParseKind(h.Decompress); err != nil {
			return r, err
		}
	}
	if r.Digest, err = parseOptionalDigest(h.Digest); err != nil {
		return r, err
	}
	r.SignedDigest, err = parseOptionalDigest(h.SignedDigest)
	return r, err
}

// parseSignatures reports whether only the signatures by the keys that were sent have to verify.
func parseSignatures(which string) (knownOnly bool, err error) {
	switch which {
	case "", "all":
		return false, nil
	case "known":
		return true, nil
	}
	return false, problem.Malformed("signatures is "+problem.QuoteName(which), "use all, or known for those by the keys that are sent")
}

// parseWay reads a way; "" is left to the policy.
func parseWay(name string) (gateway.Way, error) {
	switch w := gateway.Way(name); w {
	case "", gateway.Direct, gateway.Batched:
		return w, nil
	}
	return "", problem.Malformed("way is "+problem.QuoteName(name), "use DIRECT or BATCHED, or leave it out")
}

// parsePriority reads a priority that is highest where it is not said, and never higher.
func parsePriority(name string, highest gateway.Priority) (gateway.Priority, error) {
	p, ok := gateway.ParsePriority(name)
	switch {
	case !ok:
		return 0, problem.Malformed("priority is "+problem.QuoteName(name), "use interactive, or backfill for what may wait")
	case name == "":
		return highest, nil
	case p > highest:
		return 0, formats.NewError(problem.ReasonForbidden, "this caller's submissions are "+highest.String(),
			"leave priority out; the gateway's operator can raise it: priority, in callers of its configuration")
	}
	return p, nil
}

// convertSubmission converts sub. Its receipt is put in when it is Logged and wanted; until then, when it will be.
func convertSubmission(ctx context.Context, s Service, sub gateway.Submission, withReceipt bool) (*pb.Submission, error) {
	out := &pb.Submission{
		Id: sub.ID, State: convertState(sub.State), Format: sub.Format, Representation: convertRepresentation(sub.Representation()),
		CreateTime: timestamppb.New(sub.CreatedAt), Labels: sub.Labels, Priority: sub.Priority.String(),
	}
	for _, d := range sub.Digests {
		out.ArtifactDigests = append(out.ArtifactDigests, d.String())
	}
	for _, id := range sub.Signers() {
		out.Signers = append(out.Signers, "sha256:"+hex.EncodeToString(id[:]))
	}
	for _, r := range sub.Signatures {
		out.Signatures = append(out.Signatures, convertRecorded(r))
	}
	for _, e := range sub.Entries {
		out.Entries = append(out.Entries, convertEntry(e))
	}
	if withReceipt && !sub.State.Settled() {
		addEstimate(out, s.Estimate(ctx, sub))
	}
	if sub.State != gateway.Logged || !withReceipt {
		return out, nil
	}
	var err error
	out.Receipt, err = s.Receipt(ctx, sub)
	return out, err
}

// convertForGRPC converts sub with its receipt also as the JSON that HTTP answers, unless that is to be omitted.
func convertForGRPC(ctx context.Context, s Service, sub gateway.Submission, omitJSON bool) (*pb.Submission, error) {
	out, err := convertSubmission(ctx, s, sub, true)
	if err != nil || omitJSON || out.GetReceipt() == nil {
		return out, err
	}
	raw, err := receipt.Marshal(out.GetReceipt())
	if err != nil {
		return nil, err
	}
	text := string(raw)
	out.ReceiptJson = &text
	return out, nil
}

func addEstimate(out *pb.Submission, e gateway.Estimate) {
	if !e.At.IsZero() {
		out.Eta = timestamppb.New(e.At)
	}
	for _, d := range e.Delays {
		out.Delays = append(out.Delays, &pb.Delay{Log: d.Log, Problem: &pb.Problem{Reason: d.Problem, Message: problem.LogMessage(d.Problem)}})
	}
}

func convertRecorded(r gateway.RecordedSignature) *pb.SubmittedSignature {
	out := &pb.SubmittedSignature{Representation: convertRepresentation(r.Representation), Way: convertWay(r.Way)}
	for _, id := range r.Signers {
		out.Signers = append(out.Signers, "sha256:"+hex.EncodeToString(id[:]))
	}
	return out
}

func convertEntry(e gateway.Entry) *pb.Entry {
	out := &pb.Entry{Log: e.Log, State: convertState(e.State), LeafHash: hex.EncodeToString(e.LeafHash[:]), Attempts: int32(min(e.Attempts, 1<<30))}
	if e.LogIndex != nil {
		index := int64(*e.LogIndex)
		out.LogIndex = &index
	} else if e.Problem != "" {
		out.Problem = &pb.Problem{Reason: e.Problem, Message: problem.EntryMessage(e.Problem)}
	}
	return out
}

func convertState(s gateway.State) pb.Submission_State {
	return pb.Submission_State(pb.Submission_State_value[string(s)])
}

func convertRepresentation(r gateway.Representation) receiptpb.Receipt_Representation {
	return receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)])
}

func convertWay(w gateway.Way) receiptpb.RecordedSignature_Way {
	return receiptpb.RecordedSignature_Way(receiptpb.RecordedSignature_Way_value[string(w)])
}

// ConvertPlan converts a plan; the command line prints the same.
func ConvertPlan(p gateway.Plan) *pb.Plan {
	d := p.Description
	out := &pb.Plan{
		Format: d.Format, Variant: d.Variant, Algorithm: d.Algorithm, Need: d.Need.String(),
		Digests: algorithmNames(d.Digests), SignedDigests: algorithmNames(d.SignedDigests), Chosen: convertRepresentation(p.Chosen), Way: convertWay(p.Way), Notes: d.Notes,
	}
	for _, s := range d.Signers {
		out.Signers = append(out.Signers, formats.SignerID(s.SPKI).String())
	}
	for _, part := range p.Parts {
		out.Signatures = append(out.Signatures, ConvertPlan(part))
	}
	for _, u := range d.Unchecked {
		out.Unchecked = append(out.Unchecked, u.Issuer)
	}
	for _, o := range p.Options {
		if o.MaxBytes > 0 && o.Representation == p.Chosen {
			out.Notes = append(slices.Clip(out.Notes), noteInline(p, o))
		}
		if o.Whole && d.Whole.Embedded && o.Representation == p.Chosen {
			out.Notes = append(slices.Clip(out.Notes), noteEmbedded(o))
		}
		option := &pb.PlanOption{Representation: convertRepresentation(o.Representation), Possible: o.Refusal == nil, Entries: int32(o.Entries)}
		if o.Refusal != nil {
			option.Problem = convertProblem(o.Refusal)
		}
		out.Options = append(out.Options, option)
	}
	return out
}

// noteInline says of an option for which the artifact is sent to the log what becomes of one that is too large, or not sent.
func noteInline(p gateway.Plan, chosen gateway.Option) string {
	published := ""
	if p.Description.Format == "pgp" {
		published = "; the key's user ID, a name and an e-mail address as a rule, becomes public for ever"
	}
	note := fmt.Sprintf("%s is possible where the file itself is sent (submit --send-bytes), of at most %s: it goes to the log with the entry%s", chosen.Representation, humanize.IBytes(uint64(chosen.MaxBytes)), published)
	for _, o := range p.Options {
		if o.Representation != chosen.Representation && o.Refusal == nil {
			return note + fmt.Sprintf("; a larger one, or a digest alone, is recorded as %s: ask the log's and the gateway's operators for more (inline_max)", o.Representation)
		}
	}
	return note + "; a larger one, or a digest alone, cannot be recorded: ask the log's and the gateway's operators for more (inline_max)"
}

// noteEmbedded says of an option for which what is signed is sent to the log that it becomes public.
func noteEmbedded(chosen gateway.Option) string {
	return fmt.Sprintf("%s: the log has the metadata and its root themselves, which become public for ever", chosen.Representation)
}

func algorithmNames(as []formats.DigestAlgorithm) []string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = string(a)
	}
	return out
}

// convertProblem returns err as callers see it.
func convertProblem(err error) *pb.Problem {
	p := problem.FromError(err)
	return &pb.Problem{Reason: string(p.Reason), Message: p.Message, Hint: p.Hint}
}
