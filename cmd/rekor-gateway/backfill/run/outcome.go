// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// The states of a signature in a report.
const (
	stateLogged  = "LOGGED"  // by this run, and its receipt is kept
	stateDone    = "DONE"    // its receipt was there, and is good
	stateRefused = "REFUSED" // for the reason given
	statePending = "PENDING" // accepted, and no receipt is kept yet
	stateWaiting = "WAITING" // accepted, and waited for: never in a report
	stateUnsent  = "UNSENT"  // not accepted yet: the run ended before
)

// outcome is what became of one signature. Its JSON form is a line of the report.
type outcome struct {
	item  backfill.Item
	list  *backfill.Checked // nil: it is over no list, or that was not compared
	delay string            // why the log does not take it, where the gateway says so

	Name           string         `json:"name"`
	State          string         `json:"state"`
	Reason         formats.Reason `json:"reason"`
	Message        string         `json:"message"`
	Hint           string         `json:"hint"`
	SubmissionID   string         `json:"submissionId"`
	Artifact       string         `json:"artifact"`   // the file that is signed, or its URL; "" where the signature has it in itself, or a digest is named
	Decompress     bool           `json:"decompress"` // the signature is over what is inside of the artifact
	Receipt        string         `json:"receipt"`    // its file
	Signers        []string       `json:"signers"`
	Representation string         `json:"representation"`
	Way            string         `json:"way"`
	Listed         []listedFault  `json:"listed"`       // of a signed list: its files that are not here or could not be compared, the first of them
	ListedFaults   int            `json:"listedFaults"` // how many there are
}

// listedFault says what is with a file that a signed list names. It is nothing against the list's signature.
type listedFault struct {
	Name    string         `json:"name"`
	Reason  formats.Reason `json:"reason"`
	Message string         `json:"message"`
}

// noteList says what is with the files of the list, if it is over one.
func (o *outcome) noteList() {
	if o.list == nil {
		return
	}
	o.Listed, o.ListedFaults = nil, o.list.Count
	for _, l := range o.list.Faults {
		o.Listed = append(o.Listed, listedFault{nameText(l.Name), l.Problem.Reason, validText(l.Problem.Message)})
	}
}

// note takes over the gateway's name for what it has accepted. What else it says, only a receipt proves.
func (o *outcome) note(s *pb.Submission) {
	o.SubmissionID = s.GetId()
	o.noteDelay(s)
}

// maxDelay bounds what is kept of a gateway's words, in bytes.
const maxDelay = 300

// noteDelay takes over why the log does not take it now.
func (o *outcome) noteDelay(s *pb.Submission) {
	o.delay = ""
	if all := s.GetDelays(); len(all) > 0 {
		text := fmt.Sprintf("log %s: %s", all[0].GetLog(), all[0].GetProblem().GetMessage())
		o.delay = validText(text[:min(len(text), maxDelay)])
	}
}

// noteSigners takes over who signed, as it was verified here.
func (o *outcome) noteSigners(ids [][sha256.Size]byte) {
	o.Signers = nil
	for _, id := range ids {
		o.Signers = append(o.Signers, formats.Digest{Algorithm: formats.SHA256, Value: id[:]}.String())
	}
}

// noteReceipt takes over what a receipt says that was verified.
func (o *outcome) noteReceipt(r *receiptpb.Receipt) {
	o.SubmissionID, o.Representation, o.Way = r.GetSubmissionId(), r.GetRepresentation().String(), receiptpb.RecordedSignature_DIRECT.String()
	if all := r.GetRecorded(); len(all) > 0 { // the first version of receipts had one way
		o.Way = evidence.NameWay(all[0].GetWay()) // the signatures of a file go one way
	}
	o.Signers = nil
	for _, s := range r.GetSigners() {
		o.Signers = append(o.Signers, formats.SignerID(s.GetSpki()).String())
	}
}

func (o outcome) in(state string) outcome {
	o.State = state
	o.Name, o.Decompress = nameText(o.item.Name), o.item.Decompress
	o.noteList()
	o.Artifact, o.Receipt, o.Message = nameText(o.item.Artifact), nameText(o.Receipt), validText(o.Message)
	return o
}

// nameText is for names of files, which may be any bytes: names that differ do so in a report, too. What JSON cannot have is quoted as in Go, and so is what looks so.
func nameText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.Quote(s)
}

// validText is for messages, which have names in them.
func validText(s string) string { return strings.ToValidUTF8(s, string(unicode.ReplacementChar)) }

// logged is for a receipt that came, verifies, and is in path.
func (o outcome) logged(path string, r *receiptpb.Receipt) outcome {
	o.Receipt = path
	o.noteReceipt(r)
	return o.in(stateLogged)
}

// done is for a receipt that was there. r is nil where it did not have to be verified.
func (o outcome) done(path string, r *receiptpb.Receipt) outcome {
	o.Receipt = path
	if r != nil {
		o.noteReceipt(r)
	}
	return o.in(stateDone)
}

// readHead takes from a receipt that was verified before what a report says of it.
func (o *outcome) readHead(path string) {
	var head struct {
		SubmissionID   string `json:"submissionId"`
		Representation string `json:"representation"`
		Signers        []struct {
			SPKI []byte `json:"spki"`
		} `json:"signers"`
		Recorded []struct {
			Way string `json:"way"`
		} `json:"recorded"`
	}
	raw, err := input.ReadFound(path, receipt.MaxSize)
	if err != nil || jsonv2.Unmarshal(raw, &head) != nil {
		return
	}
	o.SubmissionID, o.Representation, o.Way = head.SubmissionID, head.Representation, receiptpb.RecordedSignature_DIRECT.String()
	if len(head.Recorded) > 0 {
		o.Way = head.Recorded[0].Way
	}
	for _, s := range head.Signers {
		o.Signers = append(o.Signers, formats.SignerID(s.SPKI).String())
	}
}

func (o outcome) explain(err error) outcome {
	f := fault.Describe(err)
	o.Reason, o.Message, o.Hint = f.Reason, f.Message, f.Hint
	return o
}

func (o outcome) refuse(err error) outcome { return o.explain(err).in(stateRefused) }

// wait is for what the log has not taken for too long.
func (o outcome) wait() outcome {
	err := errNotLogged
	if o.delay != "" {
		err = fmt.Errorf("%w: %s", err, o.delay)
	}
	return o.explain(fault.Fail(problem.ReasonNotLogged, err, "nothing is lost: run the same command again later")).in(statePending)
}

// end is for what failed before the gateway had accepted it: the run's end is not the signature's fault.
func (o outcome) end(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return o.explain(context.Cause(ctx)).in(stateUnsent)
	}
	return o.refuse(err)
}

// endAccepted is for what failed after, for a reason that is neither the signature's nor its receipt's: the gateway has it, or the next run
// sends it again.
func (o outcome) endAccepted(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return o.explain(err).in(statePending)
}

// endKept is for what failed while its receipt was being kept, and is to be mended here.
func (o outcome) endKept(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return o.endAccepted(ctx, err)
	}
	return o.refuse(err)
}

// counts are how many signatures are in each state. They are safe for concurrent use.
type counts struct {
	logged, done, refused, pending, unsent, planned atomic.Int64
	waiting                                         atomic.Int64 // accepted, and waited for: in no state yet
}

func (c *counts) of(state string) *atomic.Int64 {
	switch state {
	case stateLogged:
		return &c.logged
	case stateDone:
		return &c.done
	case stateRefused:
		return &c.refused
	case statePending:
		return &c.pending
	}
	return &c.unsent
}

func (c *counts) total() int64 {
	return c.logged.Load() + c.done.Load() + c.refused.Load() + c.pending.Load() + c.unsent.Load() + c.planned.Load()
}

// sizeOf returns a file's size, or 0 where that is not known.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
