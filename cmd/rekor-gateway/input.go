// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signatureFlags name a signature and its keys, for plan and submit.
type signatureFlags struct {
	signature string
	keys      []string
	format    string
}

func (f *signatureFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.signature, "signature", "", "signature `FILE`")
	c.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` with the signer's public key or certificate (repeatable)")
	c.Flags().StringVar(&f.format, "format", "", "signature format; found from the signature when not given")
	requireFlags(c, "signature")
	completeFlag(c, "format", formatNames()...)
}

// readInputs reads the files, no larger than the formats take them.
func (f *signatureFlags) readInputs() (signature []byte, keys [][]byte, err error) {
	if signature, err = readFile(f.signature, formats.MaxSignatureSize); err != nil {
		return nil, nil, err
	}
	keys, err = readFiles(f.keys, formats.MaxKeySize)
	return signature, keys, err
}

func readFiles(paths []string, limit int64) ([][]byte, error) {
	var all [][]byte
	for _, p := range paths {
		raw, err := readFile(p, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, raw)
	}
	return all, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, withHint(fmt.Errorf("%s is larger than %d bytes", path, limit), "is it the right file?")
	}
	return raw, nil
}
