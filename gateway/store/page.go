// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// PageSize returns how many submissions a page holds when a caller asks for n.
func PageSize(n int) int {
	if n <= 0 {
		return gateway.DefaultPageSize
	}
	return min(n, gateway.MaxPageSize)
}

const (
	tokenSumSize = 12
	tokenSize    = tokenSumSize + 8
)

// PageToken returns the token of the page that follows the submission whose place in the order of
// storing is after: a checksum over tenant, filter and place, then the place. The checksum tells
// foreign and damaged tokens apart, it is no secret: a token gives no rights, since every query
// names its tenant anyway.
func PageToken(tenant string, p gateway.ListParams, after int64) string {
	place := binary.BigEndian.AppendUint64(nil, uint64(after))
	return base64.RawURLEncoding.EncodeToString(append(tokenSum(tenant, p, place), place...))
}

// ParsePageToken reads a token of PageToken. The error is gateway.ErrBadPageToken when it is
// damaged, or made for another tenant or filter (the page size may differ), or by a release that
// listed in another order.
func ParsePageToken(tenant string, p gateway.ListParams) (after int64, err error) {
	if len(p.PageToken) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return 0, gateway.ErrBadPageToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.PageToken)
	if err != nil || len(raw) != tokenSize {
		return 0, gateway.ErrBadPageToken
	}
	place := raw[tokenSumSize:]
	if !bytes.Equal(raw[:tokenSumSize], tokenSum(tenant, p, place)) {
		return 0, gateway.ErrBadPageToken
	}
	return int64(binary.BigEndian.Uint64(place)), nil
}

// ofAudit stands where a list of submissions has its filter.
var ofAudit = gateway.ListParams{State: "of the audit trail"}

// AuditToken is PageToken for the audit trail.
func AuditToken(tenant string, after int64) string { return PageToken(tenant, ofAudit, after) }

// ParseAuditToken reads a token of AuditToken; "" is before the newest record.
func ParseAuditToken(tenant, token string) (after int64, err error) {
	if token == "" {
		return math.MaxInt64, nil
	}
	p := ofAudit
	p.PageToken = token
	return ParsePageToken(tenant, p)
}

func tokenSum(tenant string, p gateway.ListParams, place []byte) []byte {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	part([]byte("rekor-gateway page v2"))
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
	part(place)
	return h.Sum(nil)[:tokenSumSize]
}
