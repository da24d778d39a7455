// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"crypto/sha256"
	"fmt"
	"hash"
)

// partsOfBlobs are all parts of what waits to be sent, in order.
const partsOfBlobs = `
SELECT b.id, b.sha256, p.data FROM blob b JOIN blob_part p ON p.blob = b.id WHERE b.attached = 1 AND b.doomed = 0 ORDER BY p.blob, p.part`

// checkBlobs hashes all artifacts that wait to be sent. It is ErrDamaged where one is not what was spooled.
func (t *tx) checkBlobs() error {
	var now, want string
	var sum hash.Hash
	compare := func() error {
		if sum != nil && string(sum.Sum(nil)) != want {
			return fmt.Errorf("%w: artifact %x has another digest", ErrDamaged, now)
		}
		return nil
	}
	err := t.eachRow(partsOfBlobs, nil, func(scan func(...any) error) error {
		var id, digest, data []byte
		if err := scan(&id, &digest, &data); err != nil {
			return err
		}
		if sum == nil || string(id) != now {
			if err := compare(); err != nil {
				return err
			}
			now, want, sum = string(id), string(digest), sha256.New()
		}
		sum.Write(data)
		return nil
	})
	if err != nil {
		return err
	}
	return compare()
}
