// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"hash"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// digester hashes what is written to it by every algorithm a receipt names.
type digester struct {
	hashes map[formats.DigestAlgorithm]hash.Hash
}

// newDigester refuses algorithms it does not know and more than one digest of a kind.
func newDigester(claimed []*receiptpb.Digest) (*digester, error) {
	d := &digester{hashes: map[formats.DigestAlgorithm]hash.Hash{}}
	for _, c := range claimed {
		a := formats.DigestAlgorithm(c.GetAlgorithm())
		if a.Hash() == 0 || d.hashes[a] != nil {
			return nil, malformed(fmt.Sprintf("has an unknown or repeated digest, %.20q", c.GetAlgorithm()))
		}
		d.hashes[a] = a.New()
	}
	return d, nil
}

func (d *digester) Write(p []byte) (int, error) {
	for _, h := range d.hashes {
		h.Write(p)
	}
	return len(p), nil
}

// sum returns nil for an algorithm that was not asked for.
func (d *digester) sum(a formats.DigestAlgorithm) []byte {
	if d == nil || d.hashes[a] == nil {
		return nil
	}
	return d.hashes[a].Sum(nil)
}
