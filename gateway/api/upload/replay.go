// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"io"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// readReplay keeps the start of an artifact, so that the parts after it can be read first: a little in memory, more in
// a spool file, at most MaxReplay bytes. whole is true when that is all of it. While the spool has no room for as much,
// only the little is kept: an artifact that is the last part needs no more.
func (r *Reader) readReplay(artifact io.Reader, held *gateway.Held) (start io.ReadCloser, whole bool, err error) {
	little, err := readHeld(artifact, ReplayMemory, held)
	if err != nil {
		return nil, false, err
	}
	if len(little) <= ReplayMemory || !r.spool.hasRoom(r.cfg.replay()) {
		return keptReader{bytes.NewReader(little)}, len(little) <= ReplayMemory, nil
	}
	spooled, err := r.spool.copyIn(io.MultiReader(bytes.NewReader(little), io.LimitReader(artifact, r.cfg.replay()-int64(len(little)))))
	held.Shrink(int64(cap(little)))
	if err != nil {
		return nil, false, err
	}
	return spooled, spooled.size < r.cfg.replay(), nil
}

// keptReader is a bytes.Reader that Spool.TakeIn knows for one.
type keptReader struct{ *bytes.Reader }

// Close implements io.Closer.
func (keptReader) Close() error { return nil }
