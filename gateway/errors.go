// SPDX-License-Identifier: Apache-2.0

package gateway

import "errors"

// What the domain answers beside refusals, which are *formats.Error. They are matched with
// errors.Is; those of a Log and a Store stand with their interfaces.
var (
	// ErrClosed: the gateway is shutting down.
	ErrClosed = errors.New("gateway is shutting down")
	// ErrNotStored: a submission could not be made durable, as when the disk is full. The same may
	// be submitted again.
	ErrNotStored = errors.New("submission not stored")
	// ErrBusy: others have it store, read or decompress as much as it can. The same may be submitted again
	// later.
	ErrBusy = errors.New("too many submissions are being worked on")
	// ErrDiskLow: too little disk space is left to take submissions. What was accepted goes on.
	ErrDiskLow = errors.New("disk space is low")
	// ErrNoPolicy: who calls is not among those who may now, so that no policy is for him. That was changed while he called.
	ErrNoPolicy = errors.New("no policy for the caller")
)
