// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package formatstest

import "time"

var start = time.Now()

// processTime returns what stands for it here.
func processTime() time.Duration { return time.Since(start) }
