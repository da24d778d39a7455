// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// maxKeyring bounds a key file on this machine, in bytes. Distributions' keyrings have tens of millions.
const maxKeyring = 256 << 20

// readKeyFiles reads key files. Of one that is larger than formats take it only what serves signature is returned: the keys
// that it names, and those that these rest on.
func readKeyFiles(ctx context.Context, paths []string, format string, signature []byte) ([][]byte, error) {
	var keys [][]byte
	for _, path := range paths {
		raw, err := readFile(path, maxKeyring)
		if err != nil {
			return nil, err
		}
		if len(raw) <= formats.MaxKeySize {
			keys = append(keys, raw)
			continue
		}
		selected, err := selectKeys(ctx, path, raw, format, signature)
		if err != nil {
			return nil, err
		}
		keys = append(keys, selected)
	}
	return keys, nil
}

func selectKeys(ctx context.Context, path string, raw []byte, format string, signature []byte) ([]byte, error) {
	f, err := findFormat(format, signature)
	if err != nil {
		return nil, err
	}
	preparer, ok := f.(formats.KeyPreparer)
	if !ok {
		return nil, withHint(fmt.Errorf("%s is larger than %d bytes", path, formats.MaxKeySize), "is it the right file?")
	}
	prepared, err := preparer.PrepareKeys(ctx, [][]byte{raw})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var selected []byte
	for _, file := range prepared.Select(signature) {
		selected = append(selected, file...)
	}
	if len(selected) == 0 {
		return nil, formats.NewError(formats.ReasonKeyMismatch, fmt.Sprintf("none of the keys in %s made the signature", path),
			"send the signer's key: gpg --verify SIGNATURE names it")
	}
	return selected, nil
}

func findFormat(name string, signature []byte) (formats.Format, error) {
	if name != "" {
		return all.Formats().Get(name)
	}
	return all.Formats().Detect(signature)
}
