// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// LogKey is a log to put into a new trusted root.
type LogKey struct {
	Origin string // a host name; the log's checkpoints must have it as their origin line
	SPKI   []byte // Ed25519 or ECDSA P-256, DER
	Start  time.Time
	End    time.Time // zero while in use
}

// New returns a trusted root of the given logs alone, in the form that cosign v3 and
// sigstore-go accept.
func New(logs ...LogKey) (*Root, error) {
	m := &trustrootpb.TrustedRoot{MediaType: MediaType}
	for _, k := range logs {
		t, err := k.toMessage()
		if err != nil {
			return nil, fmt.Errorf("making trusted root: log %.80q: %w", k.Origin, err)
		}
		m.Tlogs = append(m.Tlogs, t)
	}
	return fromMessage(m)
}

func (k LogKey) toMessage() (*trustrootpb.TransparencyLogInstance, error) {
	base := "https://" + k.Origin
	if host, err := originOf(base); err != nil || host != k.Origin {
		return nil, fmt.Errorf("the origin is not a host name")
	}
	l, err := newLog(k.Origin, k.SPKI)
	if err != nil {
		return nil, err
	}
	validFor := &commonpb.TimeRange{Start: timestamppb.New(k.Start)}
	if !k.End.IsZero() {
		validFor.End = timestamppb.New(k.End)
	}
	return &trustrootpb.TransparencyLogInstance{
		BaseUrl:       base,
		HashAlgorithm: commonpb.HashAlgorithm_SHA2_256,
		PublicKey:     &commonpb.PublicKey{RawBytes: k.SPKI, KeyDetails: keyDetails(k.SPKI), ValidFor: validFor},
		LogId:         &commonpb.LogId{KeyId: l.ID},
	}, nil
}

// Write stores the trusted root at path, readable by all, replacing what is there at once:
// a reader sees the old file or the new one.
func (r *Root) Write(path string) error {
	b, err := r.Marshal()
	if err != nil {
		return err
	}
	return replaceFile(path, b)
}

func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".trust-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone once renamed
	_, err = f.Write(b)
	for _, step := range []func() error{
		func() error { return f.Chmod(0o644) },
		f.Sync,
	} {
		if err == nil {
			err = step()
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}
