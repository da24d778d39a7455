// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package server

import "errors"

// freeBytes cannot tell on this system.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }

// shareDisk cannot tell on this system.
func shareDisk(string, string) bool { return false }
