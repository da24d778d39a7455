// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"context"
	"math"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var _ formats.KeyPreparer = format{}

// preparedKeys is a keyring with an index of its keys, primary or not, by key id.
type preparedKeys struct {
	certificates [][]rawPacket
	byID         map[uint64][]int // positions in certificates
}

// PrepareKeys implements formats.KeyPreparer.
func (format) PrepareKeys(ctx context.Context, files [][]byte) (formats.PreparedKeys, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	m = m.Unlimited()
	if err := refuseSecretKeys(m, files); err != nil {
		return nil, err
	}
	k := &preparedKeys{byID: map[uint64][]int{}}
	w := walker{meter: m, left: math.MaxInt, visit: k.addPacket}
	for _, file := range files {
		if err := w.walkFile(file); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *preparedKeys) addPacket(p rawPacket) error {
	if p.tag == tagPublicKey {
		k.certificates = append(k.certificates, nil)
	}
	last := len(k.certificates) - 1
	if last < 0 {
		return errMalformedKey("a key file does not start with a public key")
	}
	if p.tag == tagPublicKey || p.tag == tagPublicSubkey {
		if _, id, err := fingerprintOf(p.body); err == nil {
			k.byID[id] = append(k.byID[id], last)
		}
	}
	k.certificates[last] = append(k.certificates[last], p)
	return nil
}

// Select implements formats.PreparedKeys.
func (k *preparedKeys) Select(signature []byte) [][]byte {
	m, err := formats.StartWork(context.Background(), hintWork)
	if err != nil {
		return nil
	}
	packets, _, err := unwrapSignature(signature)
	if err != nil {
		return nil
	}
	bodies, err := splitSignatures(m, packets)
	if err != nil {
		return nil
	}
	return k.selectFor(m, bodies)
}

// selectFor returns the certificates that hold a key which one of the signatures names, and those of the revokers that these
// name. A signature that cannot be walked, or takes too much work, names nobody.
func (k *preparedKeys) selectFor(m *formats.Meter, bodies [][]byte) (files [][]byte) {
	var taken []int
	take := func(id uint64) {
		for _, at := range k.byID[id] {
			if !slices.Contains(taken, at) {
				taken = append(taken, at)
				files = append(files, encodePackets(k.certificates[at]))
			}
		}
	}
	for _, body := range bodies {
		ids, err := (&clock{meter: m}).listIssuers(body)
		if err != nil {
			return nil
		}
		for _, id := range ids[:min(len(ids), maxNames)] {
			take(id)
		}
	}
	for _, at := range slices.Clone(taken) {
		for _, id := range listRevokersOf(k.certificates[at]) {
			take(id)
		}
	}
	return files
}

// maxNames bounds the issuers that one signature may name: its key by id and fingerprint, protected or not.
const maxNames = 4

// listRevokersOf returns the key ids of the revokers that signatures of the certificate name.
func listRevokersOf(packets []rawPacket) (ids []uint64) {
	for _, p := range packets {
		if p.tag != tagSignature {
			continue
		}
		l, ok := splitSignature(p.body)
		if !ok {
			continue
		}
		for _, fingerprint := range listRevokers(l.hashed) {
			id, _ := keyIDOf(fingerprint)
			ids = append(ids, id)
		}
	}
	return ids
}

func encodePackets(packets []rawPacket) (out []byte) {
	for _, p := range packets {
		out = appendPacket(out, p.tag, p.body)
	}
	return out
}
