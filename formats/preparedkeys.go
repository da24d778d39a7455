// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// KeyPreparer is a Format whose key files may be far larger than what one signature needs: a keyring of a whole
// distribution.
type KeyPreparer interface {
	// PrepareKeys reads files once, so that what a signature needs of them is found without reading them again. There is no
	// bound on their size or number but ctx: they are the operator's, or the caller's own.
	PrepareKeys(ctx context.Context, files [][]byte) (PreparedKeys, error)
}

// PreparedKeys are key files that were read. They are immutable and safe for concurrent use.
type PreparedKeys interface {
	// Select returns key files that serve signature as all of them would, with the keys that it names and what these rest on.
	// It is empty when the signature names none of the keys, or cannot be read.
	Select(signature []byte) [][]byte
}

// PrepareKeys reads the key files of the named format once, out of what stands around them. It returns nil where the format
// has no use for that.
func (r *Registry) PrepareKeys(ctx context.Context, name string, files [][]byte) (PreparedKeys, error) {
	f, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	preparer, ok := f.(KeyPreparer)
	if !ok {
		return nil, nil
	}
	opened := make([][]byte, len(files))
	for i, file := range files {
		if opened[i], err = textlayer.Unwrap(file); err != nil {
			return nil, errUTF16(err, ReasonMalformedKey, "a key file is a text in UTF-16")
		}
	}
	return preparer.PrepareKeys(ctx, opened)
}

// SelectKeys returns of a key file, however large, what serves signature as all of it would. name is the signature's format,
// or "" to find it. Errors are those of Detect and PrepareKeys, ReasonTooLarge where the format has no large key files, and
// ReasonKeyMismatch when the signature names none of the keys.
func (r *Registry) SelectKeys(ctx context.Context, name string, signature, file []byte) ([]byte, error) {
	in, err := openInput(ctx, signature, nil)
	if err != nil {
		return nil, err
	}
	if name == "" {
		f, err := r.detect(ctx, in, Policy{})
		if err != nil {
			return nil, err
		}
		name = f.Name()
	}
	prepared, err := r.PrepareKeys(ctx, name, [][]byte{file})
	switch {
	case err != nil:
		return nil, err
	case prepared == nil:
		return nil, NewError(ReasonTooLarge, fmt.Sprintf("a key file of the format %s is larger than 4 MiB", name), "send the signer's key alone")
	}
	var selected []byte
	for _, part := range prepared.Select(in.signature) {
		selected = append(selected, part...)
	}
	if len(selected) == 0 {
		return nil, NewError(ReasonKeyMismatch, "none of the keys in the file made the signature", "send the signer's key, which this names: gpg --list-packets SIGNATURE")
	}
	return selected, nil
}
