// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// The binary forms. Each value has exactly one, and what is not exactly that is an error.
//
//	digests     any number of: algorithm (1 byte), value (as long as the algorithm's are)
//	signatures  any number of: representation, way, evidence (1 byte each), number of signers
//	            (2 bytes, big endian), signers (32 bytes each)
//	tokens      any number of: length (4 bytes, big endian), token
//
// A code is a value's place in its list here, from 1. Codes are stored: lists only grow at their end.
var (
	algorithms = []digestForm{
		{formats.SHA256, 32}, {formats.SHA384, 48}, {formats.SHA512, 64}, {formats.BLAKE2b512, 64},
	}
	representations = []gateway.Representation{gateway.Native, gateway.Projected, gateway.Attested}
	ways            = []gateway.Way{gateway.Direct, gateway.Batched}
	evidences       = []formats.Evidence{formats.EvidenceBytes, formats.EvidenceDigest}
)

type digestForm struct {
	name formats.DigestAlgorithm
	size int // of the value, in bytes
}

var errTruncated = errors.New("ends too early")

func appendDigest(b []byte, d formats.Digest) ([]byte, error) {
	for i, a := range algorithms {
		if a.name == d.Algorithm {
			if len(d.Value) != a.size {
				return nil, fmt.Errorf("%s digest of %d bytes", d.Algorithm, len(d.Value))
			}
			return append(append(b, byte(i+1)), d.Value...), nil
		}
	}
	return nil, fmt.Errorf("no code for digest algorithm %q", d.Algorithm)
}

func encodeDigests(digests []formats.Digest) ([]byte, error) {
	b := []byte{}
	for _, d := range digests {
		var err error
		if b, err = appendDigest(b, d); err != nil {
			return nil, fmt.Errorf("encoding digests: %w", err)
		}
	}
	return b, nil
}

func decodeDigests(b []byte) ([]formats.Digest, error) {
	var digests []formats.Digest
	for len(b) > 0 {
		a, err := decodeCode(algorithms, b[0])
		if err == nil && len(b) < 1+a.size {
			err = errTruncated
		}
		if err != nil {
			return nil, fmt.Errorf("decoding digests: %w", err)
		}
		value := append([]byte(nil), b[1:1+a.size]...)
		digests = append(digests, formats.Digest{Algorithm: a.name, Value: value})
		b = b[1+a.size:]
	}
	return digests, nil
}

func encodeSignatures(signatures []gateway.RecordedSignature) ([]byte, error) {
	b := []byte{}
	for _, s := range signatures {
		representation, err1 := encodeCode(representations, s.Representation)
		way, err2 := encodeCode(ways, s.Way)
		evidence, err3 := encodeCode(evidences, s.Evidence)
		err := errors.Join(err1, err2, err3)
		if err == nil && len(s.Signers) > math.MaxUint16 {
			err = fmt.Errorf("%d signers", len(s.Signers))
		}
		if err != nil {
			return nil, fmt.Errorf("encoding signatures: %w", err)
		}
		b = append(b, representation, way, evidence)
		b = binary.BigEndian.AppendUint16(b, uint16(len(s.Signers)))
		for _, signer := range s.Signers {
			b = append(b, signer[:]...)
		}
	}
	return b, nil
}

func decodeSignatures(b []byte) ([]gateway.RecordedSignature, error) {
	var signatures []gateway.RecordedSignature
	for len(b) > 0 {
		var s gateway.RecordedSignature
		var err error
		if s, b, err = decodeSignature(b); err != nil {
			return nil, fmt.Errorf("decoding signatures: %w", err)
		}
		signatures = append(signatures, s)
	}
	return signatures, nil
}

// decodeSignature reads one signature and returns what follows it.
func decodeSignature(b []byte) (s gateway.RecordedSignature, rest []byte, err error) {
	const head = 5
	if len(b) < head {
		return s, nil, errTruncated
	}
	var err1, err2, err3 error
	s.Representation, err1 = decodeCode(representations, b[0])
	s.Way, err2 = decodeCode(ways, b[1])
	s.Evidence, err3 = decodeCode(evidences, b[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return s, nil, err
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	rest = b[head:]
	if len(rest) < n*sha256.Size {
		return s, nil, errTruncated
	}
	for range n {
		s.Signers = append(s.Signers, [sha256.Size]byte(rest))
		rest = rest[sha256.Size:]
	}
	return s, rest, nil
}

// EncodeTokens returns the binary form of timestamp tokens; nil when there are none.
func EncodeTokens(tokens [][]byte) ([]byte, error) {
	var b []byte
	for _, t := range tokens {
		if uint64(len(t)) > math.MaxUint32 {
			return nil, fmt.Errorf("encoding tokens: %d bytes", len(t))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return b, nil
}

// DecodeTokens is the inverse of EncodeTokens.
func DecodeTokens(b []byte) ([][]byte, error) {
	const head = 4
	var tokens [][]byte
	for len(b) > 0 {
		if len(b) < head || uint64(len(b)-head) < uint64(binary.BigEndian.Uint32(b)) {
			return nil, fmt.Errorf("decoding tokens: %w: %w", ErrUndecodable, errTruncated)
		}
		end := head + int(binary.BigEndian.Uint32(b))
		tokens = append(tokens, append([]byte{}, b[head:end]...))
		b = b[end:]
	}
	return tokens, nil
}

func encodeCode[T comparable](list []T, value T) (byte, error) {
	for i, v := range list {
		if v == value {
			return byte(i + 1), nil
		}
	}
	return 0, fmt.Errorf("no code for %v", value)
}

func decodeCode[T any](list []T, code byte) (T, error) {
	if code == 0 || int(code) > len(list) {
		var none T
		return none, fmt.Errorf("unknown code %d", code)
	}
	return list[code-1], nil
}
