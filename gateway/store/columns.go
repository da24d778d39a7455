// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Columns are those fields of a submission that need encoding.
type Columns struct {
	Digests string // JSON array of "sha256:HEX"
	Signers []byte // 32 bytes each, in order
	Labels  string // JSON object
	Receipt []byte // protobuf; nil when there is none
}

// EncodeColumns encodes f's Digests, Signers, Labels and Receipt.
func EncodeColumns(f *gateway.SubmissionFields) (Columns, error) {
	digests := make([]string, len(f.Digests))
	for i, d := range f.Digests {
		digests[i] = d.String()
	}
	c := Columns{Signers: []byte{}, Labels: "{}"}
	for _, s := range f.Signers {
		c.Signers = append(c.Signers, s[:]...)
	}
	encoded, err := json.Marshal(digests)
	if err != nil {
		return Columns{}, fmt.Errorf("encoding digests: %w", err)
	}
	c.Digests = string(encoded)
	if len(f.Labels) > 0 {
		if encoded, err = json.Marshal(f.Labels); err != nil {
			return Columns{}, fmt.Errorf("encoding labels: %w", err)
		}
		c.Labels = string(encoded)
	}
	if f.Receipt != nil {
		if c.Receipt, err = marshal(f.Receipt); err != nil {
			return Columns{}, fmt.Errorf("encoding receipt: %w", err)
		}
	}
	return c, nil
}

// Decode sets the fields of f that c encodes. Empty ones become nil.
func (c Columns) Decode(f *gateway.SubmissionFields) error {
	var digests []string
	if err := json.Unmarshal([]byte(c.Digests), &digests); err != nil {
		return fmt.Errorf("decoding digests: %w", err)
	}
	f.Digests, f.Signers, f.Labels, f.Receipt = nil, nil, nil, nil
	for _, s := range digests {
		d, err := formats.ParseDigest(s)
		if err != nil {
			return fmt.Errorf("decoding digests: %w", err)
		}
		f.Digests = append(f.Digests, d)
	}
	if len(c.Signers)%32 != 0 {
		return fmt.Errorf("decoding signers: %d bytes", len(c.Signers))
	}
	for s := c.Signers; len(s) > 0; s = s[32:] {
		f.Signers = append(f.Signers, [32]byte(s))
	}
	return c.decodeRest(f)
}

func (c Columns) decodeRest(f *gateway.SubmissionFields) error {
	if c.Labels != "{}" {
		if err := json.Unmarshal([]byte(c.Labels), &f.Labels); err != nil {
			return fmt.Errorf("decoding labels: %w", err)
		}
	}
	if c.Receipt != nil {
		f.Receipt = new(receiptpb.Receipt)
		if err := proto.Unmarshal(c.Receipt, f.Receipt); err != nil {
			return fmt.Errorf("decoding receipt: %w", err)
		}
	}
	return nil
}

// EncodeInclusion encodes what is kept of an inclusion. An inclusion without a log entry
// is refused: it would prove nothing.
func EncodeInclusion(i *gateway.Inclusion) ([]byte, error) {
	if i.Entry == nil {
		return nil, errors.New("encoding inclusion: no log entry")
	}
	b, err := marshal(i.Entry)
	if err != nil {
		return nil, fmt.Errorf("encoding inclusion: %w", err)
	}
	return b, nil
}

// DecodeInclusion reads what EncodeInclusion wrote; nil gives nil.
func DecodeInclusion(b []byte) (*gateway.Inclusion, error) {
	if b == nil {
		return nil, nil
	}
	i := &gateway.Inclusion{Entry: new(rekorpb.TransparencyLogEntry)}
	if err := proto.Unmarshal(b, i.Entry); err != nil {
		return nil, fmt.Errorf("decoding inclusion: %w", err)
	}
	return i, nil
}

// marshal never returns nil for an empty message, which would be stored as NULL.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, m)
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

// TreeSize converts a log's size for a signed 64-bit column. No log comes near the bound,
// so a larger size is refused, not wrapped around.
func TreeSize(size uint64) (int64, error) {
	if size > math.MaxInt64 {
		return 0, fmt.Errorf("tree size %d is out of range", size)
	}
	return int64(size), nil
}

// CheckOutcome refuses an outcome that does not say exactly one thing.
func CheckOutcome(o gateway.Outcome) error {
	said := 0
	for _, b := range []bool{o.Inclusion != nil, o.Fail, !o.RetryAt.IsZero()} {
		if b {
			said++
		}
	}
	if said != 1 {
		return fmt.Errorf("outcome of entry %d says %d things, not one of inclusion, failure and retry", o.EntryID, said)
	}
	return nil
}
