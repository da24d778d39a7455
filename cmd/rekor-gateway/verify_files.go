// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// receiptSuffix is what a receipt's name has more than its file's.
const receiptSuffix = backfill.ReceiptSuffix

// target is a receipt to verify, or a signature file with a proof in it, and the file it is for: "" when the signature contains it.
type target struct{ artifact, receipt string }

// findTargets returns what the arguments and the flags name.
func (f *verifyFlags) findTargets(files []string) ([]target, error) {
	if f.artifact != "" {
		files = append(files, f.artifact)
	}
	switch {
	case len(files) == 0 && f.receipt+f.signature == "":
		return nil, withHint(errors.New("neither a file nor a receipt is named"), "name the signed file; its receipt is looked for beside it, or named with --receipt FILE")
	case len(files) == 0:
		return []target{{"", cmp.Or(f.receipt, f.signature)}}, nil
	case len(files) > 1 && f.signature+f.embed != "":
		return nil, withHint(errors.New("one signature file is named, and several files"), "verify them one by one")
	case len(files) > 1 && f.receipt != "":
		return nil, withHint(errors.New("one receipt is named, and several files"), "verify them one by one, or leave --receipt out: each file's receipt is looked for beside it")
	case len(files) > 1 && f.exportCosign+f.exportProof != "":
		return nil, withHint(errors.New("the files of several receipts do not go into one folder"), "export them one by one")
	case f.receipt+f.signature != "":
		return []target{{files[0], cmp.Or(f.receipt, f.signature)}}, nil
	}
	targets := make([]target, len(files))
	for i, file := range files {
		targets[i] = target{file, file + receiptSuffix}
	}
	return targets, nil
}

// readReceipt reads the receipt of t, or a proof in its place, and names in t where that was found.
func (v *verifier) readReceipt(t *target) (loaded, error) {
	read := input.ReadFile
	if v.receipt+v.signature == "" {
		read = input.ReadFound
	}
	raw, err := read(t.receipt, maxSubmission)
	switch {
	case v.isAbsent(t, err) && v.signature == "":
		return v.findEmbedded(t, err)
	case err != nil:
		return loaded{}, err
	case v.signature != "" && v.receipt == "", receipt.MayHaveProof(raw):
		return readEmbedded(t.receipt, raw)
	case receipt.IsProofText(raw):
		return v.readProof(raw)
	case v.signature != "":
		return loaded{}, withHint(errors.New("the receipt has the signature in it, and another is named"), "leave --signature out")
	}
	r, err := v.readWhole(*t, raw)
	return loaded{Receipt: r}, err
}

// readWhole reads a receipt. A submission, as the HTTP API answers it, has its receipt in it.
func (v *verifier) readWhole(t target, raw []byte) (*receiptpb.Receipt, error) {
	inner, err := unwrapSubmission(t.receipt, raw)
	if err != nil {
		return nil, err
	}
	if inner != nil {
		v.notes.Say("note: %s is a submission; the receipt in it is verified", t.receipt)
		raw = inner
	}
	return receipt.Unmarshal(raw)
}

// maxSubmission bounds a file that has a receipt in it, in bytes.
const maxSubmission = receipt.MaxSize + 1<<20

func explainNoReceipt(t target, err error) error {
	if strings.HasSuffix(t.artifact, receiptSuffix) {
		return fail(fault.ReasonFile, err, "name the signed file, and not its receipt; or name both: verify FILE --receipt %s", t.artifact)
	}
	if inner := findInner(t.artifact); inner != "" {
		return fail(fault.ReasonFile, err, "decompress it, and verify %s: the receipt beside it is for the file inside", inner)
	}
	return fail(fault.ReasonFile, err, "the receipt is looked for beside the file; name it with --receipt FILE, or with --signature FILE a signature file that has the proof in it")
}

// findInner returns the name of what is inside of a compressed file, where that has a receipt beside it, or "".
func findInner(artifact string) string {
	for _, c := range []struct{ compressed, inner string }{{".gz", ""}, {".xz", ""}, {".tgz", ".tar"}, {".txz", ".tar"}} {
		stem, ok := strings.CutSuffix(artifact, c.compressed)
		if ok && isThere(stem+c.inner+receiptSuffix) {
			return stem + c.inner
		}
	}
	return ""
}

// isThere reports whether there is something called path, be it a link to nothing.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// unwrapSubmission returns the receipt in a submission, or nil when raw is none. What is in it is for
// receipt.Unmarshal to check.
func unwrapSubmission(name string, raw []byte) ([]byte, error) {
	type submission struct {
		ID        string          `json:"id"`
		State     string          `json:"state"`
		MediaType string          `json:"mediaType"`
		Receipt   json.RawMessage `json:"receipt"`
	}
	var outer struct {
		submission
		Submission *submission `json:"submission"`
	}
	if json.Unmarshal(raw, &outer) != nil {
		return nil, nil
	}
	s := outer.submission
	if outer.Submission != nil {
		s = *outer.Submission
	}
	switch {
	case s.MediaType != "" || s.ID == "" || s.State == "":
		return nil, nil
	case len(s.Receipt) == 0 || string(s.Receipt) == "null":
		return nil, fail(problem.ReasonNotLogged, fmt.Errorf("%s is a submission in the state %.20s, with no receipt in it", name, s.State),
			"get the receipt once it is logged: rekor-gateway get %.80s --receipt FILE", s.ID)
	}
	return s.Receipt, nil
}

// openSignedFile opens the signed file. It returns nil for none, and for one that is the signature itself with
// its content inside.
func openSignedFile(path string, r *receiptpb.Receipt) (io.ReadCloser, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if !r.GetArtifact().GetEmbedded() {
		return file, nil
	}
	signature := r.GetSignature().GetContent()
	head, err := io.ReadAll(io.LimitReader(file, int64(len(signature))+embeddedRoom))
	if err == nil && sameSignature(head, signature) {
		return nil, file.Close()
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), file.Close())
	}
	return file, nil
}
