// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// header is a submission's header as every way in (gRPC, JSON, multipart) gives it.
type header struct {
	signature      []byte
	keys           [][]byte
	format         string
	digest         string
	signedDigest   string
	representation string // "NATIVE" …
	labels         map[string]string
	decompress     string // "gzip", "xz"
	publish        bool   // the certificate
}

func headerOf(h *pb.SubmissionHeader) header {
	out := header{
		signature: h.GetSignature(), keys: h.GetKeys(), format: h.GetFormat(), digest: h.GetDigest(),
		signedDigest: h.GetSignedDigest(), labels: h.GetLabels(), decompress: h.GetDecompress(), publish: h.GetPublishCertificate(),
	}
	if r := h.GetRepresentation(); r != receiptpb.Receipt_REPRESENTATION_UNSPECIFIED {
		out.representation = r.String()
	}
	return out
}

func (h header) request(tenant string) (gateway.Request, error) {
	r := gateway.Request{
		Tenant: tenant, Signature: h.signature, Keys: h.keys, Format: h.format,
		Representation: gateway.Representation(h.representation), Labels: h.labels, PublishCertificate: h.publish,
	}
	var err error
	if h.decompress != "" {
		if r.Decompress, err = container.ParseKind(h.decompress); err != nil {
			return r, err
		}
	}
	if r.Digest, err = optionalDigest(h.digest); err != nil {
		return r, err
	}
	r.SignedDigest, err = optionalDigest(h.signedDigest)
	return r, err
}

func optionalDigest(s string) (*formats.Digest, error) {
	if s == "" {
		return nil, nil
	}
	d, err := formats.ParseDigest(s)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// submission converts sub; its receipt is put in when it is Logged and wanted.
func submission(s Service, sub gateway.Submission, withReceipt bool) (*pb.Submission, error) {
	out := &pb.Submission{
		Id: sub.ID, State: state(sub.State), Format: sub.Format, Representation: representation(sub.Representation),
		CreateTime: timestamppb.New(sub.CreatedAt), Labels: sub.Labels,
	}
	for _, d := range sub.Digests {
		out.ArtifactDigests = append(out.ArtifactDigests, d.String())
	}
	for _, id := range sub.Signers {
		out.Signers = append(out.Signers, "sha256:"+hex.EncodeToString(id[:]))
	}
	for _, e := range sub.Entries {
		out.Entries = append(out.Entries, entry(e))
	}
	if sub.State != gateway.Logged || !withReceipt {
		return out, nil
	}
	var err error
	out.Receipt, err = s.Receipt(sub)
	return out, err
}

func entry(e gateway.Entry) *pb.Entry {
	out := &pb.Entry{Log: e.Log, State: state(e.State), LeafHash: hex.EncodeToString(e.LeafHash[:]), Attempts: int32(min(e.Attempts, 1<<30))}
	if e.Inclusion != nil {
		index := e.Inclusion.Entry.GetLogIndex()
		out.LogIndex = &index
	} else if e.Problem != "" {
		out.Problem = &pb.Problem{Reason: e.Problem, Message: setbacks[e.Problem]}
	}
	return out
}

// setbacks says in words why an entry is not logged yet.
var setbacks = map[string]string{
	gateway.ProblemRefused:     "the log refused the entry",
	gateway.ProblemOverloaded:  "the log is overloaded; the entry will be sent again",
	gateway.ProblemUnavailable: "the log cannot be reached; the entry will be sent again",
	gateway.ProblemBadAnswer:   "the log's answer did not verify; the entry will be looked for in the log",
	gateway.ProblemFork:        "the log contradicts itself; nothing is submitted to it",
	gateway.ProblemUnknown:     "the log did not answer; the entry will be looked for in the log",
}

func state(s gateway.State) pb.Submission_State {
	return pb.Submission_State(pb.Submission_State_value[string(s)])
}

func representation(r gateway.Representation) receiptpb.Receipt_Representation {
	return receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)])
}

// Plan converts a plan; the CLI prints the same.
func Plan(p gateway.Plan) *pb.Plan {
	d := p.Description
	out := &pb.Plan{
		Format: d.Format, Variant: d.Variant, Algorithm: d.Algorithm, Need: d.Need.String(),
		Digests: names(d.Digests), SignedDigests: names(d.SignedDigests), Chosen: representation(p.Chosen), Notes: d.Notes,
	}
	for _, s := range d.Signers {
		out.Signers = append(out.Signers, formats.SignerID(s.SPKI).String())
	}
	for _, o := range p.Options {
		option := &pb.PlanOption{Representation: representation(o.Representation), Possible: o.Refusal == nil, Entries: int32(o.Entries)}
		if o.Refusal != nil {
			option.Problem = Problem(o.Refusal)
		}
		out.Options = append(out.Options, option)
	}
	return out
}

func names(as []formats.DigestAlgorithm) []string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = string(a)
	}
	return out
}

// Problem returns err as callers see it.
func Problem(err error) *pb.Problem {
	p := problemOf(err)
	return &pb.Problem{Reason: string(p.reason), Message: p.message, Hint: p.hint}
}

func listParams(r *pb.ListSubmissionsRequest) (gateway.ListParams, error) {
	p := gateway.ListParams{PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken()}
	if p.PageSize < 0 || p.PageSize > 1000 {
		return p, malformed("the page size is not between 0 and 1000", "leave it out for 100")
	}
	if p.PageSize == 0 {
		p.PageSize = 100
	}
	if s := r.GetState(); s != pb.Submission_STATE_UNSPECIFIED {
		p.State = gateway.State(s.String())
	}
	var err error
	if p.Artifact, err = optionalDigest(r.GetArtifact()); err != nil {
		return p, err
	}
	if r.GetSigner() == "" {
		return p, nil
	}
	id, err := formats.ParseDigest(r.GetSigner())
	if err != nil || id.Algorithm != formats.SHA256 {
		return p, malformed("the signer is not sha256:HEX", "give the SHA-256 of the key's SubjectPublicKeyInfo")
	}
	p.Signer = (*[32]byte)(id.Value)
	return p, nil
}

// parseState reads a state in either case; "" is any.
func parseState(s string) (pb.Submission_State, error) {
	v, ok := pb.Submission_State_value[strings.ToUpper(s)]
	if s != "" && !ok {
		return 0, malformed("there is no such state", "use PENDING, PARTIAL, LOGGED or FAILED")
	}
	return pb.Submission_State(v), nil
}

var errNotLogged = formats.NewError(ReasonNotLogged, "the submission is not logged yet", "ask again later, or submit with wait=30s")
