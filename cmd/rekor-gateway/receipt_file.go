// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkReceiptPath refuses to begin when the receipt could not be kept: the file that it would go to has something
// else in it than a receipt.
func checkReceiptPath(path string, force bool) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fail(fault.ReasonFile, fmt.Errorf("the receipt cannot be kept: %w", err), "make the folder, or name another file with --receipt")
	}
	if force {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // none yet, or a device
		return nil
	}
	raw, err := input.ReadFile(path, receipt.MaxSize)
	if err == nil {
		_, err = receipt.Unmarshal(raw)
	}
	if err != nil {
		return refuseOverwrite(path, "is no receipt")
	}
	return nil
}

func refuseOverwrite(path, why string) error {
	return fail(fault.ReasonFileExists, fmt.Errorf("%s exists and %s", path, why), "name another file with --receipt, or replace it with --force")
}

// writeReceipt keeps r in the file path. A file with something else in it is replaced only by force.
func writeReceipt(path string, r *receiptpb.Receipt, force bool) error {
	raw, err := receipt.Marshal(r)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 -- receipts are public
	switch {
	case errors.Is(err, fs.ErrExist):
		return writeOver(path, raw, force)
	case err != nil:
		return fmt.Errorf("writing the receipt: %w", err)
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path) // half a receipt is none
		return fmt.Errorf("writing the receipt: %w", err)
	}
	return nil
}

// writeOver is for a path where something is already.
func writeOver(path string, raw []byte, force bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	if !info.Mode().IsRegular() { // a device or a pipe takes what it is given
		if err := os.WriteFile(path, raw, 0o644); err != nil { // #nosec G306 -- receipts are public
			return fmt.Errorf("writing the receipt: %w", err)
		}
		return nil
	}
	if isSameReceipt(path, raw) {
		return nil
	}
	if !force {
		return refuseOverwrite(path, "has another receipt in it")
	}
	return replaceFile(path, raw, receiptMode)
}

// isSameReceipt reports whether path has the receipt raw in it, whatever its spaces.
func isSameReceipt(path string, raw []byte) bool {
	old, err := input.ReadFile(path, receipt.MaxSize)
	if err != nil {
		return false
	}
	if bytes.Equal(old, raw) {
		return true
	}
	there, err := receipt.Unmarshal(old)
	if err != nil {
		return false
	}
	here, err := receipt.Unmarshal(raw)
	return err == nil && proto.Equal(there, here)
}

// receiptMode is that of receipts, which are public.
const receiptMode = 0o644

// replaceFile replaces path at once: a reader never sees half of it.
func replaceFile(path string, raw []byte, mode fs.FileMode) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".receipt-*")
	if err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	_, err = part.Write(raw)
	err = errors.Join(err, part.Chmod(mode), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return nil
}
