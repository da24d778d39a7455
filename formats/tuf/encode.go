// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// pieceSize is the weight of what is given to the library at once: it takes some milliseconds for that and
// cannot be stopped.
const pieceSize = 1 << 12

// encodeCanonical returns v, as decodeJSON made it, as canonical JSON. The library encodes; large objects and
// arrays are given to it in pieces, between which the meter is asked. Errors are m's or the library's.
func encodeCanonical(m *formats.Meter, v any) ([]byte, error) {
	weight := weighValue(v, pieceSize)
	if weight >= pieceSize {
		switch v := v.(type) {
		case map[string]any:
			return encodeObject(m, v)
		case []any:
			return encodeArray(m, v)
		}
	}
	return encodePiece(m, v, weight)
}

// weighValue returns the number of values in v, long texts for more than one. It stops counting at limit.
func weighValue(v any, limit int) int {
	const long = 64
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / long
	case map[string]any:
		for name, member := range v {
			if n >= limit {
				break
			}
			n += len(name)/long + weighValue(member, limit-n)
		}
	case []any:
		for _, element := range v {
			if n >= limit {
				break
			}
			n += weighValue(element, limit-n)
		}
	}
	return n
}

func encodePiece(m *formats.Meter, v any, weight int) ([]byte, error) {
	if err := m.ChargeElements(costValue * weight); err != nil {
		return nil, err
	}
	out, err := cjson.EncodeCanonical(v)
	if err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return out, m.ChargeBytes(costOctet * len(out))
}

func encodeObject(m *formats.Meter, o map[string]any) ([]byte, error) {
	var parts [][]byte
	piece, weight := map[string]any{}, 0
	cut := func() error {
		out, err := encodePiece(m, piece, weight)
		if err == nil && len(piece) > 0 {
			parts = append(parts, out[1:len(out)-1])
			piece, weight = map[string]any{}, 0
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		n := weighValue(o[name], pieceSize)
		if n >= pieceSize {
			if err := cut(); err != nil {
				return nil, err
			}
			member, err := encodeMember(m, name, o[name])
			if err != nil {
				return nil, err
			}
			parts = append(parts, member)
			continue
		}
		piece[name] = o[name]
		if weight += n; weight >= pieceSize {
			if err := cut(); err != nil {
				return nil, err
			}
		}
	}
	if err := cut(); err != nil {
		return nil, err
	}
	return joinPieces(m, "{}", parts)
}

// encodeMember is for a member too large for a piece.
func encodeMember(m *formats.Meter, name string, v any) ([]byte, error) {
	label, err := encodePiece(m, name, 1)
	if err != nil {
		return nil, err
	}
	value, err := encodeCanonical(m, v)
	if err != nil {
		return nil, err
	}
	return slices.Concat(label, []byte{':'}, value), m.ChargeBytes(len(value))
}

func encodeArray(m *formats.Meter, a []any) ([]byte, error) {
	var parts [][]byte
	for len(a) > 0 {
		n, weight := 0, 0
		for n < len(a) && weight < pieceSize {
			next := weighValue(a[n], pieceSize)
			if n > 0 && next >= pieceSize {
				break
			}
			weight += next
			n++
		}
		if n == 1 && weight >= pieceSize {
			out, err := encodeCanonical(m, a[0])
			if err != nil {
				return nil, err
			}
			parts, a = append(parts, out), a[1:]
			continue
		}
		out, err := encodePiece(m, a[:n], weight)
		if err != nil {
			return nil, err
		}
		parts, a = append(parts, out[1:len(out)-1]), a[n:]
	}
	return joinPieces(m, "[]", parts)
}

// joinPieces puts what the pieces hold between brackets.
func joinPieces(m *formats.Meter, brackets string, parts [][]byte) ([]byte, error) {
	inner := bytes.Join(parts, []byte{','})
	return slices.Concat([]byte(brackets[:1]), inner, []byte(brackets[1:])), m.ChargeBytes(2 * len(inner))
}
