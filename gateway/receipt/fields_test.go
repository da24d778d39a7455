// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestEveryFieldIsListed: no field of a receipt is without a reason to believe it, or not to.
func TestEveryFieldIsListed(t *testing.T) {
	left := map[string]bool{}
	for path := range fields {
		left[path] = true
	}
	visitFields((&receiptpb.Receipt{}).ProtoReflect().Descriptor(), "", func(path string) {
		if fields[path] == "" {
			t.Errorf("%s is not listed", path)
		}
		delete(left, path)
	})
	for path := range left {
		t.Errorf("%s is listed and no field", path)
	}
}

// visitFields visits the path of every field below m that is listed by itself: those of this
// module's own messages are followed, except where the message as a whole is listed.
func visitFields(m protoreflect.MessageDescriptor, prefix string, visit func(path string)) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		path := prefix + string(f.Name())
		own := f.Message() != nil && f.Message().ParentFile().Package() == m.ParentFile().Package()
		if own && fields[path] == "" {
			visitFields(f.Message(), path+".", visit)
			continue
		}
		visit(path)
	}
}
