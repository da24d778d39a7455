// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// PageSize returns how many submissions a page holds when a caller asks for n.
func PageSize(n int) int {
	if n <= 0 {
		return gateway.DefaultPageSize
	}
	return min(n, gateway.MaxPageSize)
}

// Cursor is the position of a submission in the order of List, newest first: by CreatedAt,
// then by ID, both falling. A page starts after it.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

const (
	tokenSumSize = 12
	tokenHead    = tokenSumSize + 8
	maxToken     = 1024
)

// PageToken returns the token of the page after c: a checksum over tenant, filter and
// position, then the position. The checksum tells foreign and damaged tokens apart, it is
// no secret: a token gives no rights, since every query names its tenant anyway.
func PageToken(tenant string, p gateway.ListParams, c Cursor) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(Millis(c.CreatedAt)))
	position = append(position, c.ID...)
	return base64.RawURLEncoding.EncodeToString(append(tokenSum(tenant, p, position), position...))
}

// ParsePageToken reads a token of PageToken. The error is gateway.ErrBadPageToken when it
// is damaged, or made for another tenant or filter (the page size may differ).
func ParsePageToken(tenant string, p gateway.ListParams) (Cursor, error) {
	if len(p.PageToken) > maxToken {
		return Cursor{}, gateway.ErrBadPageToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.PageToken)
	if err != nil || len(raw) <= tokenHead {
		return Cursor{}, gateway.ErrBadPageToken
	}
	position := raw[tokenSumSize:]
	if !bytes.Equal(raw[:tokenSumSize], tokenSum(tenant, p, position)) {
		return Cursor{}, gateway.ErrBadPageToken
	}
	return Cursor{
		CreatedAt: FromMillis(int64(binary.BigEndian.Uint64(position))),
		ID:        string(raw[tokenHead:]),
	}, nil
}

func tokenSum(tenant string, p gateway.ListParams, position []byte) []byte {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	part([]byte("rekor-gateway page v1"))
	part([]byte(tenant))
	if p.Artifact != nil {
		part([]byte(p.Artifact.String()))
	} else {
		part(nil)
	}
	if p.Signer != nil {
		part(p.Signer[:])
	} else {
		part(nil)
	}
	part([]byte(p.State))
	part(position)
	return h.Sum(nil)[:tokenSumSize]
}
