// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"hash"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// digester hashes what is written to it by every algorithm a receipt names.
type digester struct {
	hashes map[formats.DigestAlgorithm]hash.Hash
}

// newDigester refuses what checkAlgorithms does.
func newDigester(claimed []*receiptpb.Digest) (*digester, error) {
	if err := checkAlgorithms(claimed); err != nil {
		return nil, err
	}
	d := &digester{hashes: map[formats.DigestAlgorithm]hash.Hash{}}
	for _, c := range claimed {
		a := formats.DigestAlgorithm(c.GetAlgorithm())
		d.hashes[a] = a.New()
	}
	return d, nil
}

// checkAlgorithms refuses algorithms that are not known and more than one digest of a kind. It looks at no more of them than there are kinds, and one.
func checkAlgorithms(claimed []*receiptpb.Digest) error {
	for i, c := range claimed {
		repeated := slices.ContainsFunc(claimed[:i], func(other *receiptpb.Digest) bool { return other.GetAlgorithm() == c.GetAlgorithm() })
		if formats.DigestAlgorithm(c.GetAlgorithm()).Hash() == 0 || repeated {
			return malformed(fmt.Sprintf("has an unknown or repeated digest, %.20q", c.GetAlgorithm()))
		}
	}
	return nil
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
