// SPDX-License-Identifier: Apache-2.0

package logtest

import (
	"testing"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// TransparencyLogEntry returns an inclusion of the kind that Sigstore bundles hold, with its body, as a
// receipt has it.
func TransparencyLogEntry(t testing.TB, i *gateway.Inclusion, body []byte) *rekorpb.TransparencyLogEntry {
	t.Helper()
	if i == nil || i.Kind != receipt.KindTransparencyLogEntry {
		t.Fatalf("the inclusion is %+v", i)
	}
	var entry rekorpb.TransparencyLogEntry
	if err := proto.Unmarshal(i.Proof, &entry); err != nil {
		t.Fatal(err)
	}
	if uint64(entry.GetInclusionProof().GetLogIndex()) != i.Index || entry.GetCanonicalizedBody() != nil {
		t.Errorf("index %d, proof of index %d with a body of %d bytes", i.Index, entry.GetInclusionProof().GetLogIndex(), len(entry.GetCanonicalizedBody()))
	}
	entry.CanonicalizedBody = body
	return &entry
}
