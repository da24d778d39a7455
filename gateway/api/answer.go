// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// maxBuilding bounds the answers that are made at once, on however many processors: one with a large receipt takes many times its size
// while it is made.
const maxBuilding = 4

// builder bounds what answers take in memory.
type builder struct{ places chan struct{} }

func newBuilder() *builder {
	return &builder{places: make(chan struct{}, min(maxBuilding, runtime.GOMAXPROCS(0)))}
}

// build waits until make may run. What it returns counts as sizeOf says for the request of ctx, which takes its
// time to send it.
func build[T any](ctx context.Context, b *builder, make func() (T, error), sizeOf func(T) int) (T, error) {
	var none T
	select {
	case b.places <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-b.places }()
	out, err := make()
	if err != nil {
		return none, err
	}
	if err := gateway.HeldFrom(ctx).Grow(int64(sizeOf(out))); err != nil {
		return none, err
	}
	return out, nil
}

// buildJSON makes a message and returns its JSON.
func buildJSON[T proto.Message](ctx context.Context, b *builder, make func() (T, error)) ([]byte, error) {
	return build(ctx, b, func() ([]byte, error) {
		m, err := make()
		if err != nil {
			return nil, err
		}
		return marshalJSON(m)
	}, func(body []byte) int { return cap(body) })
}

// buildMessage makes a message for gRPC. upload.Call counts what becomes of it.
func buildMessage[T proto.Message](ctx context.Context, b *builder, make func() (T, error)) (T, error) {
	return build(ctx, b, make, func(m T) int { return proto.Size(m) })
}

// marshalJSON is protobuf's JSON, zero values and empty lists included, without the white space it varies on purpose.
func marshalJSON(m proto.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(raw))
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
