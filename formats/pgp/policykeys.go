// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"context"
	"math"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var _ formats.KeyChecker = format{}

// CheckKeys implements formats.KeyChecker. A keyring may hold old keys that no signature is taken by.
func (format) CheckKeys(ctx context.Context, file []byte) error {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return err
	}
	m = m.Unlimited()
	if err := refuseSecretKeys(m, [][]byte{file}); err != nil {
		return formats.NewFileFault(file, 0, err)
	}
	if isBinaryKey(file) {
		if err := checkPackets(m, file); err != nil {
			return &formats.FileFault{Err: err}
		}
		return nil
	}
	for at := max(0, bytes.Index(file, armorBegin(armorPublic))); ; {
		block := file[at:]
		next := bytes.Index(block[min(1, len(block)):], armorBegin(armorPublic)) + 1
		if next > 0 {
			block = block[:next]
		}
		if err := checkPackets(m, block); err != nil {
			return formats.NewFileFault(file, at, err)
		}
		if next == 0 {
			return nil
		}
		at += next
	}
}

// checkPackets reads keys as findCertificates does for an issuer.
func checkPackets(m *formats.Meter, file []byte) error {
	keys := 0
	b := builder{meter: m}
	w := walker{meter: m, left: math.MaxInt, visit: func(p rawPacket) error {
		if p.tag == tagPublicKey {
			keys++
		}
		return b.addPacket(p)
	}}
	if err := w.walkFile(file); err != nil {
		return err
	}
	if keys == 0 {
		return errMalformedKey("there is no public key")
	}
	return nil
}
