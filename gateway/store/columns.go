// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Columns are those hot fields of a submission that need encoding.
type Columns struct {
	Digests    []byte // binary, see codec.go; empty when there are none
	Signatures []byte // the same
	Labels     string // JSON object
}

// EncodeColumns encodes f's Digests, Signatures and Labels.
func EncodeColumns(f *gateway.SubmissionFields) (Columns, error) {
	c := Columns{Labels: "{}"}
	var err error
	if c.Digests, err = encodeDigests(f.Digests); err != nil {
		return Columns{}, err
	}
	if c.Signatures, err = encodeSignatures(f.Signatures); err != nil {
		return Columns{}, err
	}
	if len(f.Labels) > 0 {
		encoded, err := json.Marshal(f.Labels)
		if err != nil {
			return Columns{}, fmt.Errorf("encoding labels: %w", err)
		}
		c.Labels = string(encoded)
	}
	return c, nil
}

// Decode sets the fields of f that c encodes. Empty ones become nil.
func (c Columns) Decode(f *gateway.SubmissionFields) (err error) {
	f.Labels = nil
	if f.Digests, err = decodeDigests(c.Digests); err != nil {
		return err
	}
	if f.Signatures, err = decodeSignatures(c.Signatures); err != nil {
		return err
	}
	if c.Labels != "{}" {
		if err := json.Unmarshal([]byte(c.Labels), &f.Labels); err != nil {
			return fmt.Errorf("decoding labels: %w", err)
		}
	}
	return nil
}

// EncodeReceipt returns r as protobuf; nil when r is nil, and not otherwise.
func EncodeReceipt(r *receiptpb.Receipt) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, r)
	if err != nil {
		return nil, fmt.Errorf("encoding receipt: %w", err)
	}
	return b, nil
}

// ErrUndecodable: what was read is not what was stored. It says nothing of the connection, or of what else is read.
var ErrUndecodable = errors.New("stored bytes are damaged")

// DecodeReceipt is the inverse of EncodeReceipt, or ErrUndecodable.
func DecodeReceipt(b []byte) (*receiptpb.Receipt, error) {
	if b == nil {
		return nil, nil
	}
	r := new(receiptpb.Receipt)
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("decoding receipt: %w: %w", ErrUndecodable, err)
	}
	return r, nil
}

// Millis is how times are stored: milliseconds since 1970, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the inverse of Millis, in UTC.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// TreeSize converts a log's size, or an index in it, for a signed 64-bit column. No log comes near
// the bound, so a larger one is refused, not wrapped around.
func TreeSize(size uint64) (int64, error) {
	if size > math.MaxInt64 {
		return 0, fmt.Errorf("tree size %d is out of range", size)
	}
	return int64(size), nil
}
