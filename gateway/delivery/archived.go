// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// keptBytes bounds what is kept for one who waits. What is larger, as with large keys, is read from the store in the end.
const keptBytes = 8 << 10

// archived is what is cold of a submission, kept for one who waits for its receipt, in one piece: thousands wait. A nil one
// is not kept.
type archived struct {
	receipt []byte
	entries []gateway.ArchivedEntry
}

// keepArchived takes over what is in a: of that, nothing is held any more, such as the message that it came with.
func keepArchived(a *gateway.Archived) *archived {
	if a == nil || a.Receipt == nil || len(a.Entries) == 0 {
		return nil
	}
	from := *a
	*a = gateway.Archived{}
	size := proto.Size(from.Receipt)
	for _, e := range from.Entries {
		size += len(e.Body)
	}
	if size > keptBytes {
		return nil
	}
	receipt, err := proto.Marshal(from.Receipt)
	if err != nil {
		return nil
	}
	kept := &archived{receipt: receipt, entries: make([]gateway.ArchivedEntry, len(from.Entries))}
	for i, e := range from.Entries {
		kept.entries[i].Body = bytes.Clone(e.Body)
	}
	return kept
}

// addInclusions adds what p, which sub is with now, has of its entries.
func (a *archived) addInclusions(sub *gateway.Submission, p gateway.Progress) {
	if a == nil || len(p.Entries) != len(a.entries) || len(sub.Entries) != len(a.entries) {
		return
	}
	for i, e := range p.Entries {
		if e.Inclusion != nil && (e.LeafHash == sub.Entries[i].LeafHash || e.Inclusion.Kind == gateway.KindOwnRecord) { // which is the same in another own log
			a.entries[i].Inclusion = e.Inclusion
		}
	}
}

// readAll returns what Reader.Archived does of sub, or nil where it does not have all of it.
func (a *archived) readAll(sub *gateway.Submission) *gateway.Archived {
	if a == nil || len(sub.Entries) != len(a.entries) {
		return nil
	}
	for i, e := range sub.Entries {
		kept := a.entries[i].Inclusion
		if e.State != gateway.Logged || e.LogIndex == nil || kept == nil || kept.Index != *e.LogIndex {
			return nil
		}
	}
	receipt := new(receiptpb.Receipt)
	if err := proto.Unmarshal(a.receipt, receipt); err != nil {
		return nil
	}
	return &gateway.Archived{Receipt: receipt, Entries: a.entries}
}
