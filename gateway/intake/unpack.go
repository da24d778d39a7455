// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on decompression: one xz container takes up to 64 MiB of memory while it is read. Those on
// what comes out, in size and ratio, are package container's and Config's. docs/formats.md names all.
const (
	maxUnpacking   = 4 // xz containers read at once
	unpackPatience = 10 * time.Second
	unpackDeadline = 5 * time.Minute // from when the container is all here

	// What comes out beyond freeRatio times what was sent is charged to the request's account, in
	// units for each byte. That is what dense xz costs; gzip costs less. Honest archives stay below.
	freeRatio = 32
	unpackFee = 6
)

// unpacker bounds the time, memory and work that decompression takes.
type unpacker struct {
	spool    gateway.Spool
	places   chan struct{}
	patience time.Duration // to wait for a place
	deadline time.Duration
	max      int64 // bytes that may come out
}

func newUnpacker(spool gateway.Spool, maxOut int64) *unpacker {
	return &unpacker{
		spool: spool, places: make(chan struct{}, maxUnpacking), patience: unpackPatience, deadline: unpackDeadline, max: maxOut,
	}
}

// errTooSlow is the cause of a context whose container took too long.
var errTooSlow = formats.NewError(container.ReasonContainerTooSlow, "decompressing the container takes too long", "send the file itself")

// unpack calls verify with what is inside of the container that src gives, and returns the container's
// digest. The container is taken in whole before it gets a place, so that a client who is slow holds
// none.
func (u *unpacker) unpack(ctx context.Context, k container.Kind, src io.Reader, verify func(context.Context, formats.Artifact) error) (formats.Digest, error) {
	packed, err := u.spool.TakeIn(src)
	if err != nil {
		return formats.Digest{}, err
	}
	defer packed.Close() //nolint:errcheck // only read
	done, err := u.takePlace(ctx, k)
	if err != nil {
		return formats.Digest{}, err
	}
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, u.deadline, errTooSlow)
	defer cancel()
	meter, err := formats.StartWork(ctx, "send the file itself, not its container")
	if err != nil {
		return formats.Digest{}, err
	}
	in := &timedReader{ctx: ctx, src: packed}
	inner := container.NewReader(k, in, u.max)
	err = verify(ctx, formats.FromReader(&unpackedReader{in: in, inner: inner, meter: meter}))
	if err != nil && errors.Is(context.Cause(ctx), errTooSlow) {
		return formats.Digest{}, errTooSlow
	}
	return inner.Digest(), err
}

// takePlace waits for a place to decompress in, counts what that takes in the gateway.Held of ctx, and returns what gives
// both back. Gzip takes next to nothing. The wait ends in gateway.ErrBusy; memory is not waited for
// (gateway.ErrMemoryFull).
func (u *unpacker) takePlace(ctx context.Context, k container.Kind) (done func(), err error) {
	if k == container.Gzip {
		return func() {}, nil
	}
	patience := time.NewTimer(u.patience)
	defer patience.Stop()
	select {
	case u.places <- struct{}{}:
		held := gateway.HeldFrom(ctx).Part()
		if err := held.Grow(xzMemory); err != nil {
			<-u.places
			return nil, err
		}
		return func() { held.Close(); <-u.places }, nil
	case <-patience.C:
		return nil, gateway.ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// timedReader reads a container as long as its context lasts, and counts what it gave.
type timedReader struct {
	ctx   context.Context // of one unpack
	src   io.Reader
	taken int64
}

func (r *timedReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, fmt.Errorf("reading the container: %w", context.Cause(r.ctx))
	}
	n, err := r.src.Read(p)
	r.taken += int64(n)
	return n, err
}

// unpackedReader reads what is inside of a container, as long as the container's context lasts and the
// account has units for it.
type unpackedReader struct {
	in      *timedReader
	inner   io.Reader
	meter   *formats.Meter
	out     int64
	charged int64 // bytes
}

func (r *unpackedReader) Read(p []byte) (int, error) {
	if r.in.ctx.Err() != nil {
		return 0, fmt.Errorf("decompressing: %w", context.Cause(r.in.ctx))
	}
	n, err := r.inner.Read(p)
	r.out += int64(n)
	if due := r.out - freeRatio*r.in.taken - r.charged; due > 0 {
		r.charged += due
		if err := r.meter.ChargeBytes(int(unpackFee * due)); err != nil {
			return 0, err
		}
	}
	return n, err
}
