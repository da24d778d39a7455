// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// checkProofs checks that every entry is in a trusted log, or in a gateway's own that is anchored in one.
func (v *verification) checkProofs() error {
	for i := range v.report.logged {
		e := &v.report.logged[i]
		check := v.checkLogged
		if e.entry.GetOwn() != nil {
			check = v.checkOwnRecord
		}
		if err := check(e); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) checkLogged(e *logEntry) error {
	t := logged(e.entry)
	l, c, err := v.proveInLog(t, anchorMemory{})
	if err != nil {
		return err
	}
	e.origin, e.index = l.Origin, t.GetInclusionProof().GetLogIndex()
	v.report.Entries = append(v.report.Entries, Entry{Origin: l.Origin, Index: e.index, TreeSize: c.Size, Anchors: []Anchored{}})
	v.report.proven("entry: index %d in log %s", e.index, l.Origin)
	v.reportLog("entry", l, c)
	return nil
}

// proveInLog checks that an entry is in a trusted log, and returns that with the checkpoint. The entry is that of the anchor which known is of, if it is of one.
func (v *verification) proveInLog(t *rekorpb.TransparencyLogEntry, known anchorMemory) (trustroot.Log, checkpoint.Checkpoint, error) {
	l, c, err := openCheckpoint(v.options.TrustedRoot, v.options.Memory, t.GetInclusionProof().GetCheckpoint().GetEnvelope())
	if err != nil {
		return l, c, err
	}
	if err := checkClaimed(t, l, c); err != nil {
		return l, c, err
	}
	if l.IsRekorV1() {
		if err := v.options.Memory.verifyPromise(l, promiseOf(t)); err != nil {
			return l, c, wrap(err, ReasonProofInvalid, "the log's promise of the entry, its time and its index is not as the log signed it", hintAgain)
		}
	}
	if err := known.verifyOnce(func() error { return followProof(t, c) }, "inclusion", binary.BigEndian.AppendUint64(nil, c.Size), c.Hash); err != nil {
		return l, c, wrap(err, ReasonProofInvalid, "the inclusion proof does not lead from the entry to the checkpoint", hintAgain)
	}
	if l.Start.After(v.options.Now) {
		return l, c, refuse(ReasonUnknownLog, fmt.Sprintf("the key of log %s is not in use yet", l.Origin), "check this machine's clock")
	}
	return l, c, nil
}

// reportLog adds what the checkpoint of the log proves of an entry.
func (v *verification) reportLog(what string, l trustroot.Log, c checkpoint.Checkpoint) {
	v.report.proven("proof: the %s is in the log's tree of %d entries, whose checkpoint the log signed (key id %08x)", what, c.Size, l.KeyHash)
	if known := v.earliest(); !l.End.IsZero() && l.End.Before(v.options.Now) && (known == nil || known.T.After(l.End)) {
		v.report.unproven("time: log %s was retired on %s; nothing verified says that the checkpoint is older",
			l.Origin, l.End.UTC().Format("2006-01-02"))
	}
}

// openCheckpoint verifies a checkpoint (C2SP tlog-checkpoint) with a key that the trusted
// root has for its origin, unless the memory knows it. Other signatures on it are not looked at.
func openCheckpoint(root *trustroot.Root, known *Memory, envelope string) (trustroot.Log, checkpoint.Checkpoint, error) {
	origin, _, _ := strings.Cut(envelope, "\n")
	logs := root.LogsOf(origin)
	if len(logs) == 0 {
		return refuseLog(root)
	}
	opened, err := known.openLog(envelope, logs)
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return refuseLog(root)
	}
	if err != nil {
		return refuseCheckpoint(err)
	}
	at := slices.IndexFunc(logs, func(l trustroot.Log) bool { return l.KeyHash == opened.keyHash })
	if at < 0 {
		return refuseLog(root)
	}
	return logs[at], opened.Checkpoint, nil
}

// openedCheckpoint is a checkpoint that a log's key has signed.
type openedCheckpoint struct {
	checkpoint.Checkpoint
	keyHash uint32 // of that key, in signed notes
}

// openBy verifies a checkpoint with the keys of logs, all of the origin in its first line. It goes by its text and these keys alone.
func openBy(envelope string, logs []trustroot.Log) (openedCheckpoint, error) {
	verifiers := make([]note.Verifier, len(logs))
	for i, l := range logs {
		verifiers[i] = l.Verifier
	}
	n, err := note.Open([]byte(envelope), note.VerifierList(verifiers...))
	if err != nil {
		return openedCheckpoint{}, err
	}
	c := openedCheckpoint{keyHash: n.Sigs[0].Hash}
	if _, err := c.Unmarshal([]byte(n.Text)); err != nil {
		return openedCheckpoint{}, err
	}
	if origin, _, _ := strings.Cut(envelope, "\n"); c.Origin != origin || len(c.Hash) != rfc6962.DefaultHasher.Size() {
		return openedCheckpoint{}, fmt.Errorf("origin or root hash is malformed")
	}
	return c, nil
}

func refuseLog(root *trustroot.Root) (trustroot.Log, checkpoint.Checkpoint, error) {
	var known []string
	for _, l := range root.Logs() {
		known = append(known, l.Origin)
	}
	return trustroot.Log{}, checkpoint.Checkpoint{}, refuse(ReasonUnknownLog,
		"the entry is in a log, or signed with a log's key, that is not in the trusted root",
		"give the trusted root that names this log; this one names: "+strings.Join(known, ", "))
}

func refuseCheckpoint(err error) (trustroot.Log, checkpoint.Checkpoint, error) {
	return trustroot.Log{}, checkpoint.Checkpoint{}, wrap(err, ReasonCheckpointInvalid,
		"the checkpoint is not as the log signed it", hintAgain)
}

// checkClaimed checks that nothing in the entry contradicts a verified checkpoint or goes unproven, apart from the inclusion proof and the promise.
func checkClaimed(t *rekorpb.TransparencyLogEntry, l trustroot.Log, c checkpoint.Checkpoint) error {
	p := t.GetInclusionProof()
	problem := ""
	switch {
	case p.GetLogIndex() < 0 || t.GetLogIndex() < p.GetLogIndex() || t.GetLogIndex() != p.GetLogIndex() && !l.IsRekorV1():
		problem = "two different indexes"
	case p.GetTreeSize() < 0 || uint64(p.GetTreeSize()) != c.Size || !bytes.Equal(p.GetRootHash(), c.Hash):
		problem = "a proof for another tree than the checkpoint's"
	case !bytes.Equal(t.GetLogId().GetKeyId(), l.ID):
		problem = "another log's id"
	case !l.IsRekorV1() && (t.GetIntegratedTime() != 0 || t.GetInclusionPromise() != nil):
		problem = "a time or promise that nothing proves"
	}
	if problem != "" {
		return refuse(ReasonProofInvalid, "the log entry has "+problem, hintAgain)
	}
	return nil
}

// followProof checks the RFC 6962 inclusion proof against a verified checkpoint. The index is not negative.
func followProof(t *rekorpb.TransparencyLogEntry, c checkpoint.Checkpoint) error {
	p := t.GetInclusionProof()
	leaf := rfc6962.DefaultHasher.HashLeaf(t.GetCanonicalizedBody())
	return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.GetLogIndex()), c.Size, leaf, p.GetHashes(), c.Hash) // #nosec G115 -- see above
}
