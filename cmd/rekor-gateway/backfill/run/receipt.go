// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// HintOtherReceipt is the advice on a receipt that is not for what was sent.
const HintOtherReceipt = "do not rely on this receipt: the gateway answers wrongly, so ask its operator"

// checkReceipt verifies r over the candidate's artifact, or the digest that is named in its place, and that it is for all of the candidate's signatures. What
// is by a log or a key that came into use since the trust files were read, is verified with them as they are now.
func (b *runner) checkReceipt(ctx context.Context, c *candidate, r *receiptpb.Receipt) error {
	trust := b.trust.get()
	err := b.checkReceiptBy(ctx, c, r, trust)
	if !lacksTrust(err) {
		return err
	}
	load := func() (receiptTrust, error) { return b.flags.loadTrust(ctx, b.remote, output.NewNotes(io.Discard)) }
	if newer := b.trust.renew(trust, load); newer != nil {
		return b.checkReceiptBy(ctx, c, r, newer)
	}
	return err
}

// checkReceiptBy is checkReceipt with that trust.
func (b *runner) checkReceiptBy(ctx context.Context, c *candidate, r *receiptpb.Receipt, trust *receiptTrust) error {
	o := receipt.Options{
		Registry: all.Formats(), TrustedRoot: trust.root, GatewayTrust: trust.gateway,
		Historical: formats.AllowAll(true), SSHNamespaces: b.flags.Namespaces, Now: time.Now(),
		Memory: trust.memory, Given: true, Silent: true,
	}
	if c.verified != nil && len(c.verified.Keys) > 0 {
		o.ExpectedKeys = c.verified.Keys
	} else {
		o.ExpectedSigners = c.listSigners()
	}
	if c.checked != nil && c.checked.Fits(r, trust.gateway) {
		o.Checked = c.checked
	} else {
		artifact, closer, err := c.openSigned(ctx)
		if err != nil {
			return err
		}
		defer closer.Close() //nolint:errcheck // only read
		o.Artifact, o.Digest = artifact.Reader(), artifact.Digest()
	}
	if _, err := receipt.Verify(ctx, r, o); err != nil {
		return explainNamedDigest(c.item, err)
	}
	if n := c.countSignatures(); n > max(len(r.GetRecorded()), 1) {
		return formats.NewError(receipt.ReasonEntriesMissing, fmt.Sprintf("the receipt has fewer signatures than the %d that were sent", n), HintOtherReceipt)
	}
	same, err := c.isSame(ctx, b.judge, r.GetSignature().GetFormat(), r.GetSignature().GetContent(), r.GetSignature().GetKeys())
	if err == nil && !same {
		err = formats.NewError(receipt.ReasonClaimMismatch, "the receipt is for another signature than the one that was sent", HintOtherReceipt)
	}
	return err
}

// explainNamedDigest says what to do about a receipt that it takes the file to verify, where only a digest of that is named.
func explainNamedDigest(item backfill.Item, err error) error {
	if !lacksFile(item, err) {
		return err
	}
	return fault.WithHint(err, "name the file in the manifest, in place of its digest")
}

func lacksFile(item backfill.Item, err error) bool {
	return item.Digest != "" && formats.ReasonOf(err) == receipt.ReasonMissingArtifact
}

// found is a receipt that is there, or where it is to be.
type found struct {
	path    string
	receipt *receiptpb.Receipt // nil: none is there
	stamp   fileStamp          // of the file that it was read from: by the time that it is verified, another may be there
	written bool               // by this run
	free    time.Time          // nothing was in path yet, later than that; zero where nobody has looked
}

// isFree reports whether nothing was there a moment ago.
func (f found) isFree() bool { return !f.free.IsZero() && time.Since(f.free) < goodTime }

// findKept is findReceipt that does not look where the folder has shown that there is none.
func (b *runner) findKept(ctx context.Context, c *candidate, p place) (found, error) {
	now := time.Now()
	if path := p.choose(true); !b.flags.Force && p.wasBare(c.item) && isMissing(path) {
		return found{path: path, free: now}, nil
	}
	return b.findReceipt(ctx, c, p)
}

// findReceipt looks for the receipt of c. A file with something else in it is only replaced by force.
func (b *runner) findReceipt(ctx context.Context, c *candidate, p place) (found, error) {
	firstIsFree := false
	var shared error // why the signature's own name is another's
	for _, path := range []string{p.own, p.first} {
		if path == "" {
			continue
		}
		r, stamp, err := readKept(p.root, path, b.judge.settled)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			firstIsFree = path == p.first
			continue
		case formats.ReasonOf(err) == backfill.ReasonFile: // it cannot be read
			return found{}, err
		case formats.ReasonOf(err) == backfill.ReasonOutsideRoot && !b.flags.Force:
			return found{}, err
		case formats.ReasonOf(err) != "":
			if b.flags.Force {
				return found{path: path}, nil
			}
			return found{}, refuseOverwriteHere(path, "is no receipt")
		case err != nil:
			return found{}, err
		}
		same, err := c.isSame(ctx, b.judge, r.GetSignature().GetFormat(), r.GetSignature().GetContent(), r.GetSignature().GetKeys())
		switch {
		case err != nil:
			return found{}, err
		case same:
			return found{path: path, receipt: r, stamp: stamp}, nil
		case path == p.own && hasQuery(c.item): // this one's may have the first name
			shared = fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s exists and has the receipt of another signature in it", path),
				"receipts have the names of host and path alone: name URLs that differ in what follows the ? only in manifests of their own, with a --receipts FOLDER each; if the signature was replaced, move the receipt away")
		case path == p.own && !b.flags.Force:
			return found{}, refuseOverwriteHere(path, "has the receipt of another signature in it")
		case path == p.own:
			return found{path: path}, nil
		}
	}
	path := p.choose(firstIsFree)
	if path == p.own && shared != nil {
		return found{}, shared
	}
	return found{path: path}, nil
}

// hasQuery reports whether the signature is fetched from a URL whose name others share, so that another signature's receipt under it is not replaced, by force
// least of all.
func hasQuery(item backfill.Item) bool {
	return client.IsURL(item.Signature) && strings.Contains(item.Signature, "?")
}

// refuseOverwriteHere is refuseOverwrite for one of many.
func refuseOverwriteHere(path, why string) error {
	return fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s exists and %s", path, why), "see what it is, and move it away; or replace all such files with --force")
}

// openKept opens the file that a receipt is in, which no link leads to out of root, unless that is "". What is no file is no receipt, and is not opened: at a
// pipe one would wait for ever.
func openKept(root, path string) (*os.File, fs.FileInfo, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) { // another run may write it from now on
		return nil, nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if root != "" {
		file, info, err := backfill.OpenBelow(root, path)
		if err == nil || formats.ReasonOf(err) == backfill.ReasonOutsideRoot {
			return file, info, err
		}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP), err == nil && !info.Mode().IsRegular():
		return nil, nil, formats.NewError(receipt.ReasonMalformedReceipt, path+" is no regular file", "see what it is, and move it away")
	case err != nil:
		return nil, nil, err
	}
	return backfill.Open(path)
}

// isTornFile reports whether path has a part of a receipt in it, which is as good as none.
func isTornFile(path string) bool {
	raw, err := input.ReadFound(path, receipt.MaxSize)
	return err == nil && isTorn(raw)
}

// readKept reads a receipt. One of which a power failure has left a part is as if there were none.
func readKept(root, path string, settled *settledFiles) (*receiptpb.Receipt, fileStamp, error) {
	raw, info, err := readStamped(root, path, settled)
	if err != nil {
		return nil, fileStamp{}, err
	}
	r, err := receipt.Unmarshal(raw)
	if err != nil && len(raw) <= receipt.MaxSize && isTorn(raw) { // what is larger was never a receipt's file
		err = fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return r, stampOf(info), err
}

// readStamped returns what is in a receipt's file, and what the file was before that was read.
func readStamped(root, path string, settled *settledFiles) ([]byte, fs.FileInfo, error) {
	file, info, err := openKept(root, path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	settled.sync(file, info)
	raw, err := io.ReadAll(io.LimitReader(file, receipt.MaxSize+1)) // Unmarshal refuses one that is larger
	return raw, info, err
}

// receiptHead is how a receipt begins that this program has written.
var receiptHead = []byte("{\n  \"mediaType\": \"" + receipt.MediaType)

// isTorn reports whether a file is one of which its file system has kept only a part.
func isTorn(raw []byte) bool {
	written := bytes.TrimRight(raw, "\x00")
	if len(written) == 0 {
		return true
	}
	return bytes.HasPrefix(written, receiptHead[:min(len(written), len(receiptHead))]) && !json.Valid(written)
}
