// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkOwnRecord checks that a record is in a gateway's own log that is trusted, and that the log's checkpoint is in trusted logs.
// What the record says is compared elsewhere, as that of every entry is.
func (v *verification) checkOwnRecord(e *logEntry) error {
	own := e.entry.GetOwn()
	p, c, err := openOwnProof(own, v.options.Memory)
	if err != nil {
		return err
	}
	log, err := v.findOwnLog(c)
	if err != nil {
		return err
	}
	if err := v.checkOwnSignature(log, p.Checkpoint); err != nil {
		return err
	}
	if err := checkOwnInclusion(own.GetBody(), p, c); err != nil {
		return err
	}
	e.origin, e.index, e.ownKey = c.origin, int64(p.Index), log.Key // ParseOwnProof has bounded the index
	v.report.proven("entry: record %d in the gateway's own log %s", e.index, c.origin)
	v.report.proven("proof: the record is in the own log's tree of %d records, whose checkpoint that log signed", c.size)
	entry := Entry{Origin: c.origin, Index: e.index, TreeSize: c.size}
	if entry.Anchors, err = v.checkAnchors(log, c, own.GetAnchors()); err != nil {
		return err
	}
	v.report.Entries = append(v.report.Entries, entry)
	v.reportOwnLimits(entry)
	return nil
}

// openOwnProof reads the text of a record's proof. Nothing in it is proven yet.
func openOwnProof(own *receiptpb.OwnRecord, known *Memory) (OwnProof, ownCheckpoint, error) {
	p, c, err := parseOwnProof([]byte(own.GetProof()), known)
	if err != nil {
		return OwnProof{}, ownCheckpoint{}, wrap(err, ReasonMalformedReceipt, "the proof of the own log's record is not as the gateway writes it", hintAgain)
	}
	return p, c, nil
}

// findOwnLog returns the trusted gateway's own log of the checkpoint's origin. A log of the trusted root may not have the same
// name: indexes are told apart by it.
func (v *verification) findOwnLog(c ownCheckpoint) (trustroot.OwnLog, error) {
	if v.options.GatewayTrust == nil {
		return trustroot.OwnLog{}, refuse(ReasonNoGatewayTrust, "the signature is recorded in a gateway's own log, and no gateway is trusted",
			"give the gateway's trust file (--gateway-trust FILE); nothing is known to be wrong with the receipt")
	}
	log, known := v.options.GatewayTrust.OwnLog(c.origin)
	if !known {
		return trustroot.OwnLog{}, refuse(ReasonUnknownLog, "the record is in a gateway's own log that is not in the gateway's trust file",
			"get the gateway's trust file again, from whoever runs it; this one names: "+listOwnLogs(v.options.GatewayTrust))
	}
	if len(v.options.TrustedRoot.Verifiers(c.origin)) > 0 {
		return trustroot.OwnLog{}, refuse(ReasonUnknownLog, "the gateway's own log has the name of a log of the trusted root",
			"one of the two files is wrong: ask whoever runs the gateway")
	}
	return log, nil
}

func listOwnLogs(g *trustroot.Gateway) string {
	var names []string
	for _, l := range g.OwnLogs() {
		names = append(names, l.Origin)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (v *verification) checkOwnSignature(log trustroot.OwnLog, checkpoint []byte) error {
	open := func() error {
		verifier, err := log.Verifier()
		if err == nil {
			_, err = note.Open(checkpoint, note.VerifierList(verifier))
		}
		return err
	}
	if err := v.options.Memory.verifyOnce(open, []byte("own log"), []byte(log.Key), checkpoint); err != nil {
		return wrap(err, ReasonCheckpointInvalid, "the own log's checkpoint is not signed with that log's key", hintAgain)
	}
	return nil
}

// maxOwnTree is the size of the largest tree in which tlog follows a proof: in a larger one it does not come to an end. No log has as many records,
// whatever it signs.
const maxOwnTree = 1 << 62

// checkOwnInclusion follows the proof. What parseOwnProof has read has neither an index nor a size of over 63 bits.
func checkOwnInclusion(body []byte, p OwnProof, c ownCheckpoint) error {
	hashes := make(tlog.RecordProof, 0, maxOwnHashes) // on the stack
	for _, h := range p.Hashes {
		hashes = append(hashes, h)
	}
	var err error
	if c.size <= maxOwnTree {
		err = tlog.CheckRecord(hashes, int64(c.size), c.root, int64(p.Index), tlog.RecordHash(body)) // #nosec G115 -- see above
	} else {
		err = fmt.Errorf("there is no tree of %d records", c.size)
	}
	if err != nil {
		return wrap(err, ReasonProofInvalid, "the inclusion proof does not lead from the record to the own log's checkpoint", hintAgain)
	}
	return nil
}

// checkAnchors checks that each anchor is a record of the checkpoint in a trusted log, by an anchor key that was in use there.
func (v *verification) checkAnchors(log trustroot.OwnLog, c ownCheckpoint, anchors []*receiptpb.Anchor) ([]Anchored, error) {
	var list []Anchored
	seen := map[Anchored]bool{}
	for i, a := range anchors {
		at, err := v.checkAnchor(log, c, a)
		if err != nil {
			return nil, err
		}
		if seen[at] {
			return nil, claim(fmt.Sprintf("has anchor %d twice", i+1))
		}
		seen[at] = true
		list = append(list, at)
	}
	return list, nil
}

func (v *verification) checkAnchor(log trustroot.OwnLog, c ownCheckpoint, a *receiptpb.Anchor) (Anchored, error) {
	id := identity(sha256.Sum256(a.GetSpki()))
	key, known := log.AnchorKey(a.GetSpki())
	if !known {
		return Anchored{}, refuse(ReasonUnknownGatewayKey, "the own log's checkpoint is anchored with "+id+", which is no anchor key of that log",
			"get the gateway's trust file again, from whoever runs it")
	}
	same := v.options.Memory.of(c, a)
	if err := same.verifyOnce(func() error { return isAnchorOf(c, a) }, "anchor"); err != nil {
		return Anchored{}, wrap(err, ReasonAnchorMismatch, "the anchor is not a record of the own log's checkpoint", hintAgain)
	}
	t := a.GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
	l, tree, err := v.proveInLog(t, same)
	if err != nil {
		return Anchored{}, err
	}
	if !key.Covers(l.Origin, t.GetLogIndex()) {
		return Anchored{}, refuse(ReasonRetiredGatewayKey, fmt.Sprintf("the anchor key was not in use at index %d of log %s", t.GetLogIndex(), l.Origin),
			"get the gateway's trust file again, from whoever runs it")
	}
	v.report.proven("anchor: that checkpoint is index %d in log %s, signed with the anchor key %s", t.GetLogIndex(), l.Origin, id)
	v.reportLog("anchor", l, tree)
	return Anchored{Origin: l.Origin, Index: t.GetLogIndex(), TreeSize: tree.Size}, nil
}

// reportOwnLimits says what an anchored record does not prove.
func (v *verification) reportOwnLimits(e Entry) {
	v.report.unproven("own log: log %s has the checkpoint's digest alone; the record stands in %s only, where monitors have to look for it",
		e.Anchors[0].Origin, e.Origin)
	v.report.unproven("own log: that it shows everybody the same records is for its monitors and witnesses to see")
}

// batched reports whether the receipt's one signature is recorded in a gateway's own log.
func (v *verification) batched() bool {
	r := v.receipt.GetRecorded()
	return len(r) == 1 && r[0].GetWay() == receiptpb.RecordedSignature_BATCHED
}

// recorder names, for the report, who has the record.
func (v *verification) recorder() string {
	if v.batched() {
		return "the gateway's own log"
	}
	return "the log"
}
