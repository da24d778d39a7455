// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var (
	errMessage = problem.Malformed("a message is no protobuf of this service", "see proto/rekorgateway/v1/gateway.proto")
	errFields  = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("a message has more than %d fields", MaxMessageFields), "send the signer's key alone")
)

// decodeMessage decodes raw into m, and counts what that takes in held.
func decodeMessage(raw []byte, m proto.Message, held *gateway.Held) error {
	if _, err := countFields(raw, m.ProtoReflect().Descriptor(), MaxMessageFields); err != nil {
		return err
	}
	if err := held.Grow(int64(len(raw))); err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, m); err != nil {
		return errMessage
	}
	return nil
}

// countFields returns how many of the fields that are left it takes off: those of raw, a message described by
// of, at all depths. It keeps small messages from becoming large ones when they are decoded.
func countFields(raw []byte, of protoreflect.MessageDescriptor, left int) (int, error) {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return 0, errMessage
		}
		raw = raw[n:]
		size := protowire.ConsumeFieldValue(number, kind, raw)
		if size < 0 {
			return 0, errMessage
		}
		if left--; left < 0 {
			return 0, errFields
		}
		field := of.Fields().ByNumber(number)
		if kind == protowire.BytesType && field != nil && field.Message() != nil {
			inner, _ := protowire.ConsumeBytes(raw)
			var err error
			if left, err = countFields(inner, field.Message(), left); err != nil {
				return 0, err
			}
		}
		raw = raw[size:]
	}
	return left, nil
}
