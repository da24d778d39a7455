// SPDX-License-Identifier: Apache-2.0

// Package tuf verifies metadata of The Update Framework, version 1 of the specification
// (https://theupdateframework.github.io/specification/latest/).
//
// The signature is a metadata file. The keys are root files: the root that names the
// signers, or a chain of consecutive roots that ends with it; for a root, the one before it,
// or the root itself when there is none. For metadata of a delegated role, the targets
// metadata that delegates to it comes as a key too, after those it is itself delegated by.
//
// The artifact is what the submission is about: a target that the metadata lists, when one is
// given, else the metadata document itself. A target's length and hashes are checked
// against the metadata; the document's own bytes or digest may be given as well.
//
// Everything is verified in Parse, since the document carries what is signed.
package tuf

import (
	"bytes"
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	name = "tuf"

	hintWork = "send only the roots and delegating metadata that name the signers; split metadata that is very large"
)

type format struct{}

// New returns the TUF metadata format.
func New() formats.Format { return format{} }

func (format) Name() string { return name }

// detectSize is how much of a file Detect reads: the member "signatures" may come after a
// long "signed", but one of the two begins the file.
const detectSize = 64 << 10

// Detect reports whether the bytes begin as a JSON object with the members signed and
// signatures, the second of which may lie beyond what is read.
func (format) Detect(signature []byte) bool {
	prefix := signature[:min(len(signature), detectSize)]
	if !bytes.HasPrefix(bytes.TrimLeft(prefix, " \t\r\n"), []byte("{")) {
		return false
	}
	has := findMembers(prefix)
	return has.signed && has.signatures || !has.all && len(prefix) < len(signature) &&
		(has.signed || has.signatures && bytes.Contains(prefix, []byte(`"keyid"`)))
}

// outline says which members the outermost object has, and whether it was read to its end.
type outline struct{ signed, signatures, all bool }

// findMembers reads data up to the end of the outermost object or the first error: a number too large to be one is an error, too.
func findMembers(data []byte) (o outline) {
	dec := newTokens(data)
	for {
		t, err := dec.ReadToken()
		if err == nil && t.Kind() == jsontext.KindNumber {
			_, err = t.Float()
		}
		if err != nil {
			return o
		}
		switch dec.StackDepth() {
		case 0:
			o.all = true
			return o
		case 1:
			if in, count := dec.StackIndex(1); in == jsontext.KindBeginObject && count%2 == 1 { // a name, whose value is next
				o.add(t.String())
			}
		}
	}
}

func (o *outline) add(name string) {
	o.signed = o.signed || name == "signed"
	o.signatures = o.signatures || name == "signatures"
}

// Parse verifies the metadata in signature with the roots in keys. Reasons that are TUF's own:
// THRESHOLD_NOT_MET, ROLE_NOT_AUTHORIZED, METADATA_EXPIRED; KEY_NOT_VALID for a root that does
// not sign itself, KEY_NOT_TRUSTED for one that is neither pinned nor follows from a pinned one.
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := formats.CheckSizes(signature, keys); err != nil {
		return nil, err
	}
	d, err := decodeDocument(m, signature, formats.ReasonMalformedSignature)
	if err != nil {
		return nil, err
	}
	t, err := newTrust(m, m.ForKeys(p, name), p.CandidateKeys(name, keys), d)
	if formats.ReasonOf(err) != formats.ReasonKeyNotTrusted { // roots that do not follow from each other are a verdict
		err = p.ExplainKeys(name, err)
	}
	if err != nil {
		return nil, err
	}
	s, err := verifySubmission(m, d, t, p)
	if err != nil {
		return nil, err
	}
	return s, nil
}
