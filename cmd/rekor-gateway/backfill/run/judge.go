// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// judge reads and verifies signatures on this machine.
type judge struct {
	flags    *Options
	stock    *keyStock
	ways     *wayFinder
	fetched  *semaphore.Weighted // held for the size of what is fetched, which nobody knows before
	keyrings chan struct{}       // held while there is a large key file that a manifest names
	settled  *settledFiles       // nil: nothing is remembered of what is read
}

func newJudge(f *Options, stock *keyStock) *judge {
	return &judge{flags: f, stock: stock, ways: f.newWayFinder(nil), fetched: semaphore.NewWeighted(maxHeld), keyrings: make(chan struct{}, 1)}
}

// candidate is a signature that was read, and may be sent once it verifies.
type candidate struct {
	item       backfill.Item
	ways       *wayFinder
	content    []byte // the signature file
	signature  *source
	artifact   *source             // nil: none, or only a digest
	keyStamps  string              // of the item's own key files as they were read, as itemStamps has them
	kind       container.Kind      // of the container around what was signed; "" is none
	parsed     formats.Parsed      // nil while sent says all that is asked of it
	described  formats.Description // parsed's
	verified   *formats.Verified   // nil before verify
	began      time.Time           // when reading it began
	sent       *sentSignature      // nil: this was not sent before
	checked    *receipt.Checked    // what was found good of it, nil: it is read and verified again
	submission client.Submission
	release    func() // nil: nothing is held
}

// readCandidate reads the signature of item and finds its signer. The caller closes what it returns.
func (j *judge) readCandidate(ctx context.Context, item backfill.Item) (*candidate, error) {
	c := &candidate{item: item, ways: j.ways, began: time.Now()}
	if err := j.fillCandidate(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// readSent reads again what was sent before. What it has found then holds as long as the signature file has the same in it.
func (j *judge) readSent(ctx context.Context, item backfill.Item, sent *sentSignature) (_ *candidate, err error) {
	c := &candidate{item: item, ways: j.ways}
	if err = j.readSignature(ctx, c); err == nil {
		if sent != nil && sent.content == sha256.Sum256(c.content) {
			c.sent, c.keyStamps = sent, sent.keyStamps
		} else {
			err = j.parseCandidate(ctx, c)
		}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (j *judge) fillCandidate(ctx context.Context, c *candidate) error {
	if err := j.readSignature(ctx, c); err != nil {
		return err
	}
	return j.parseCandidate(ctx, c)
}

// openSource is openSource of a file that may be remembered.
func (j *judge) openSource(ctx context.Context, root, name string, limit int64) (*source, error) {
	s, err := openSource(ctx, root, name, limit)
	if err == nil {
		s.settled = j.settled
	}
	return s, err
}

func (j *judge) readSignature(ctx context.Context, c *candidate) (err error) {
	if c.item.Decompress {
		if c.kind, err = findKind(c.item.Artifact); err != nil {
			return err
		}
	}
	if c.signature, err = j.openSource(ctx, c.item.Root, c.item.Signature, formats.MaxSignatureSize); err != nil {
		return err
	}
	if c.signature.seen = c.item.IsFresh(); c.signature.seen && c.item.Read != nil && c.signature.adopt(c.item.Read) {
		c.content = c.item.Read.Content
		return nil
	}
	c.content, err = c.signature.readAll(formats.MaxSignatureSize)
	return err
}

func (j *judge) parseCandidate(ctx context.Context, c *candidate) error {
	keys, err := j.readItemKeys(ctx, c)
	if err != nil {
		return err
	}
	if err := j.holdFetched(ctx, c, keys); err != nil {
		return err
	}
	if c.submission.Header, err = j.flags.buildHeader(c.item, c.content, keys); err != nil {
		return err
	}
	if c.parsed, err = j.parse(ctx, c.item.Format, c.content, keys); err != nil {
		return err
	}
	c.described = c.parsed.Describe()
	c.submission.Header.Format = c.described.Format // so that the gateway need not find that out again
	return nil
}

// holdFetched waits until there is room for a signature and keys that were fetched, and what is made of them. Whoever waits has one of few slots, so
// that little more than that is held.
func (j *judge) holdFetched(ctx context.Context, c *candidate, keys [][]byte) error {
	if !isFetched(c.item) || c.release != nil {
		return nil
	}
	size := int64(len(c.content))
	for _, k := range keys {
		size += int64(len(k))
	}
	size = min(heldPerByte*size, maxHeld)
	if err := j.fetched.Acquire(ctx, size); err != nil {
		return err
	}
	c.release = func() { j.fetched.Release(size) }
	return nil
}

// findKind returns what a compressed file is compressed with.
func findKind(name string) (container.Kind, error) {
	switch path.Ext(name) {
	case ".gz", ".tgz":
		return container.ParseKind("gzip")
	case ".xz", ".txz":
		return container.ParseKind("xz")
	}
	return container.ParseKind(path.Ext(name))
}

// parse reads a signature by the keys that a manifest names for it, or else by those of --key: what a folder has of keys beside its
// signatures leads on from those, and is not trusted by itself.
func (j *judge) parse(ctx context.Context, format string, signature []byte, keys [][]byte) (formats.Parsed, error) {
	p := j.flags.policy()
	if len(keys) == 0 || j.flags.Manifest == "" {
		p = j.stock.hold(p)
	}
	parsed, err := all.Formats().Parse(ctx, format, signature, keys, p)
	return parsed, explainMissingKey(err)
}

// readItemKeys reads the keys that a manifest names for one signature.
func (j *judge) readItemKeys(ctx context.Context, c *candidate) (keys [][]byte, err error) {
	c.keyStamps = ""
	for _, name := range c.item.Keys {
		s, err := j.openSource(ctx, c.item.Root, name, input.MaxKeyring)
		if err != nil {
			return nil, err
		}
		raw, err := j.readKeys(ctx, c, s)
		c.keyStamps += string(s.first.encode([]byte(name)))
		s.close()
		if err != nil {
			return nil, err
		}
		keys = append(keys, raw)
	}
	return keys, nil
}

// readKeys reads one of them, of a large one what the signature may be by.
func (j *judge) readKeys(ctx context.Context, c *candidate, s *source) ([]byte, error) {
	if s.size() > formats.MaxKeySize {
		select {
		case j.keyrings <- struct{}{}:
			defer func() { <-j.keyrings }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	raw, err := s.readAll(input.MaxKeyring)
	if err != nil || len(raw) <= formats.MaxKeySize {
		return raw, err
	}
	if raw, err = all.Formats().SelectKeys(ctx, c.item.Format, c.content, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return raw, nil
}

// checkHistorical refuses what only a historical policy takes, unless that is asked for.
func (j *judge) checkHistorical(d formats.Description) error {
	missing := d.UsedExceptions() &^ j.flags.Historical
	if missing == 0 {
		return nil
	}
	for _, part := range d.Each() {
		for _, f := range part.Findings {
			if missing.Has(f.Exception) {
				return formats.NewError(f.Reason, f.Message, hintHistorical(missing))
			}
		}
	}
	return nil
}

// hintHistorical says what to do about a signature that needs exceptions.
func hintHistorical(missing formats.Exceptions) string {
	hint := "once the gateway's operator lets such signatures pass, run it with --historical " + missing.String()
	if missing.Has(formats.ExceptionExpiredKey) {
		return "the key may have been extended since your copy was made: get it again; or else, " + hint
	}
	return hint
}

// verify verifies the signature, in one pass over the artifact, and chooses what is sent.
func (c *candidate) verify(ctx context.Context) error {
	h := c.submission.Header
	if err := c.verifySigned(ctx); err != nil {
		return err
	}
	if c.item.Digest != "" {
		h.Digest = c.item.Digest
		if len(c.verified.Keys) > 0 {
			h.Keys = c.verified.Keys
		}
		return nil
	}
	way := func() gateway.Way { return c.ways.find(ctx, h) }
	if evidence.Choose(ctx, h, c.parsed, c.verified, c.artifact != nil, way) && c.artifact != nil {
		h.Decompress = string(c.kind)
		c.submission.Artifact = c.openArtifact
	}
	return nil
}

func (c *candidate) openArtifact() (io.ReadCloser, error) { return c.artifact.open() }

func (c *candidate) verifySigned(ctx context.Context) error {
	artifact, closer, err := c.openSigned(ctx)
	if err != nil {
		return err
	}
	defer closer.Close() //nolint:errcheck // only read
	if artifact.IsZero() && c.described.Need != formats.NeedNone {
		return formats.NewError(formats.ReasonMissingArtifact, "the signed file is not known", "name it, or its digest, in a manifest: beside a signature that is fetched nothing is looked for")
	}
	c.verified, err = c.parsed.Verify(ctx, artifact)
	return err
}

// openSigned opens what was signed: the artifact, or what is inside of it. It is the digest where only that is named, and zero where the
// signature has its content in it.
func (c *candidate) openSigned(ctx context.Context) (formats.Artifact, io.Closer, error) {
	if c.item.Digest != "" {
		digest, err := formats.ParseDigest(c.item.Digest)
		return formats.FromDigest(digest), io.NopCloser(nil), err
	}
	reader, closer, err := c.openBytes(ctx)
	if err != nil || reader == nil {
		return formats.Artifact{}, closer, err
	}
	return formats.FromReader(reader), closer, nil
}

// openBytes opens the artifact, or what is inside of it. The reader is nil where the signature has its content in it.
func (c *candidate) openBytes(ctx context.Context) (_ io.Reader, _ io.Closer, err error) {
	if c.item.Artifact == "" {
		return nil, io.NopCloser(nil), nil
	}
	if c.artifact == nil {
		if c.artifact, err = openSource(ctx, c.item.Root, c.item.Artifact, client.ArtifactLimits.MaxBytes); err != nil {
			return nil, nil, err
		}
		c.artifact.settled, c.artifact.seen = c.signature.settled, c.item.IsFresh()
	}
	file, err := c.artifact.open()
	if err != nil {
		return nil, nil, err
	}
	if c.kind == "" {
		return file, file, nil
	}
	return container.NewReader(c.kind, file, evidence.MaxUnpacked), file, nil
}

// isSame reports whether another signature file holds the same signatures over the artifact.
func (c *candidate) isSame(ctx context.Context, j *judge, format string, content []byte, keys [][]byte) (bool, error) {
	if bytes.Equal(content, c.content) {
		return true, nil
	}
	if c.parsed == nil {
		if err := j.parseCandidate(ctx, c); err != nil {
			return false, err
		}
	}
	other, err := all.Formats().Parse(ctx, format, content, keys, j.flags.policy())
	if err != nil || other.Describe().Format != c.described.Format {
		return false, nil
	}
	if c.verified == nil {
		if err := c.verify(ctx); err != nil {
			return false, err
		}
	}
	artifact, closer, err := c.openSigned(ctx)
	if err != nil {
		return false, err
	}
	defer closer.Close() //nolint:errcheck // only read
	verified, err := other.Verify(ctx, artifact)
	return err == nil && bytes.Equal(verified.Canonical, c.verified.Canonical), nil
}

func (c *candidate) close() {
	c.signature.close()
	c.artifact.close()
	if c.release != nil {
		c.release()
		c.release = nil
	}
}

// stamps returns those of what was read.
func (c *candidate) stamps() (s itemStamps) {
	s.signature, s.keys = c.signature.first, c.keyStamps
	if c.artifact != nil {
		s.artifact = c.artifact.first
	}
	return s
}

// isUnchanged reports whether signature, keys and artifact still are what was read.
func (c *candidate) isUnchanged(s itemStamps) bool {
	if !c.signature.known || c.signature.first != s.signature || c.keyStamps != s.keys {
		return false
	}
	return c.item.Artifact == "" || c.artifact != nil && c.artifact.known && c.artifact.first == s.artifact
}
