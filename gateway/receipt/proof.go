// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"errors"
	"fmt"
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
	l, c, err := v.proveInLog(t)
	if err != nil {
		return err
	}
	e.origin, e.index = l.Origin, t.GetInclusionProof().GetLogIndex()
	v.report.Entries = append(v.report.Entries, Entry{Origin: l.Origin, Index: e.index, TreeSize: c.Size, Anchors: []Anchored{}})
	v.report.proven("entry: index %d in log %s", e.index, l.Origin)
	v.reportLog("entry", l, c)
	return nil
}

// proveInLog checks that an entry is in a trusted log, and returns that with the checkpoint.
func (v *verification) proveInLog(t *rekorpb.TransparencyLogEntry) (trustroot.Log, checkpoint.Checkpoint, error) {
	l, c, err := openCheckpoint(v.options.TrustedRoot, v.options.Memory, t.GetInclusionProof().GetCheckpoint().GetEnvelope())
	if err != nil {
		return l, c, err
	}
	if err := checkInclusion(t, l, c); err != nil {
		return l, c, err
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
	var verifiers []note.Verifier
	for _, l := range root.LogsOf(origin) {
		verifiers = append(verifiers, known.verifierOf(l.Verifier, l.SPKI))
	}
	if len(verifiers) == 0 {
		return refuseLog(root)
	}
	n, err := note.Open([]byte(envelope), note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return refuseLog(root)
	}
	if err != nil {
		return refuseCheckpoint(err)
	}
	var c checkpoint.Checkpoint
	if _, err := c.Unmarshal([]byte(n.Text)); err != nil {
		return refuseCheckpoint(err)
	}
	if c.Origin != origin || len(c.Hash) != rfc6962.DefaultHasher.Size() {
		return refuseCheckpoint(fmt.Errorf("origin or root hash is malformed"))
	}
	l, ok := root.Log(origin, n.Sigs[0].Hash)
	if !ok {
		return refuseLog(root)
	}
	return l, c, nil
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

// checkInclusion checks the RFC 6962 inclusion proof against a verified checkpoint, and that
// nothing in the entry contradicts it or goes unproven.
func checkInclusion(t *rekorpb.TransparencyLogEntry, l trustroot.Log, c checkpoint.Checkpoint) error {
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
	if l.IsRekorV1() {
		if err := l.VerifyPromise(promiseOf(t)); err != nil {
			return wrap(err, ReasonProofInvalid, "the log's promise of the entry, its time and its index is not as the log signed it", hintAgain)
		}
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(t.GetCanonicalizedBody())
	err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.GetLogIndex()), c.Size, leaf, p.GetHashes(), c.Hash)
	if err != nil {
		return wrap(err, ReasonProofInvalid, "the inclusion proof does not lead from the entry to the checkpoint",
			hintAgain)
	}
	return nil
}
