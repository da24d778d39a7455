// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"io"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// readHeld reads src to its end, or one byte past limit, and counts what it allocates in held before it
// does so. What it returns takes its capacity of held.
func readHeld(src io.Reader, limit int64, held *gateway.Held) ([]byte, error) {
	var buf []byte
	for int64(len(buf)) <= limit {
		if len(buf) == cap(buf) {
			var err error
			if buf, err = growHeld(buf, min(max(512, 2*cap(buf)), int(limit)+1), held); err != nil {
				return nil, err
			}
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// growHeld returns a copy of buf with a capacity of size. Both are counted until the old one is dropped.
func growHeld(buf []byte, size int, held *gateway.Held) ([]byte, error) {
	if err := held.Grow(int64(size)); err != nil {
		return nil, err
	}
	grown := make([]byte, len(buf), size)
	copy(grown, buf)
	held.Shrink(int64(cap(buf)))
	return grown, nil
}
