// SPDX-License-Identifier: Apache-2.0

package backfill

import "io/fs"

// checkUnchanged returns errChanged when somebody wrote to the file since before.
func checkUnchanged(file scanned, before fs.FileInfo) error {
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return errChanged
	}
	return nil
}
