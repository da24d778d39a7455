// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signatureFlags name a signature and its keys, for plan and submit.
type signatureFlags struct {
	signature string
	keys      []string
	format    string
	which     string // of several signatures in the file
}

func (f *signatureFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.signature, "signature", "", "signature `FILE`")
	c.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` with the signer's public key or certificate (repeatable)")
	c.Flags().StringVar(&f.format, "format", "", "signature format; found from the signature when not given")
	c.Flags().StringVar(&f.which, "signatures", "all", "which must verify where the file holds several: all, or known, which are those by the keys given")
	requireFlags(c, "signature")
	completeFlag(c, "signatures", "all", "known")
	completeFlag(c, "format", formatNames()...)
}

// readInputs reads the files, no larger than the formats take them.
func (f *signatureFlags) readInputs(ctx context.Context) (signature []byte, keys [][]byte, err error) {
	if signature, err = input.ReadFile(f.signature, formats.MaxSignatureSize); err != nil {
		return nil, nil, err
	}
	if f.which != "all" && f.which != "known" {
		return nil, nil, withHint(fmt.Errorf("--signatures is %q", f.which), "use all or known")
	}
	keys, err = readKeyFiles(ctx, f.keys, f.format, signature)
	return signature, keys, err
}
