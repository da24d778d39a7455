// SPDX-License-Identifier: Apache-2.0

package gateway

import "io"

// Spool keeps bytes on disk, under one bound for all who use it. It is safe for concurrent use.
type Spool interface {
	// TakeIn reads src to its end and returns what it read, to be closed by the caller. What is all
	// here already, in memory or spooled, is not copied. Errors: ErrDiskLow, ErrNotStored, that the
	// spool is full, or src's own.
	TakeIn(src io.Reader) (io.ReadCloser, error)
}
