// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// GatewayMediaType is that of a gateway trust file.
const GatewayMediaType = "application/vnd.rekor-gateway.trust.v1+json"

// Gateway says which keys a gateway signs statements with, for which log entries each of
// them counts, and which logs are the gateway's own. It is immutable and safe for concurrent use. As a file it is JSON:
//
//	{
//	  "mediaType": "application/vnd.rekor-gateway.trust.v1+json",
//	  "keys": [
//	    {
//	      "spki": "<base64 of the SubjectPublicKeyInfo, DER>",
//	      "logs": [{"origin": "log.example", "from": 0, "to": 4711}]
//	    }
//	  ],
//	  "ownLogs": [
//	    {
//	      "origin": "gateway.example/own",
//	      "key": "gateway.example/own+<key hash>+<base64 of the key>",
//	      "anchorKeys": [<as keys>]
//	    }
//	  ]
//	}
//
// There is no "ownLogs" where there are none. In an own log a statement's key counts by that log's origin and indexes.
//
// Log indexes stand in for time, which a Rekor v2 does not tell: a key stolen after it was
// retired can sign nothing that lands below its last index. "to" is the last index that
// counts, and is left out while the key is in use.
type Gateway struct {
	keys    []GatewayKey // never nil, and so their logs
	ownLogs []OwnLog     // their anchor keys likewise
	ids     [][sha256.Size]byte
}

// GatewayKey is one key and where it counts.
type GatewayKey struct {
	SPKI []byte     `json:"spki"` // DER
	Logs []LogRange `json:"logs"`
}

// LogRange is a range of indexes in one log, both ends included.
type LogRange struct {
	Origin string `json:"origin"`
	From   int64  `json:"from"`
	To     *int64 `json:"to,omitempty"` // nil: no end
}

type gatewayFile struct {
	MediaType string       `json:"mediaType"`
	Keys      []GatewayKey `json:"keys"`
	OwnLogs   []OwnLog     `json:"ownLogs,omitempty"`
}

// LoadGateway reads the gateway trust file at path.
func LoadGateway(path string) (*Gateway, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading gateway trust: %w", err)
	}
	return ParseGateway(b)
}

// ParseGateway reads a gateway trust file. An unknown field, a member, key or log that is there twice,
// an empty range and a key for two purposes are errors.
func ParseGateway(b []byte) (*Gateway, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("reading gateway trust: over %d bytes", MaxSize)
	}
	if err := checkMembers(b); err != nil {
		return nil, fmt.Errorf("reading gateway trust: %w", err)
	}
	var f gatewayFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("reading gateway trust: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading gateway trust: data after its end")
	}
	if f.MediaType != GatewayMediaType {
		return nil, fmt.Errorf("reading gateway trust: media type %.80q is not %q", f.MediaType, GatewayMediaType)
	}
	return newGateway(f.Keys, f.OwnLogs)
}

// NewGateway returns the trust in keys, without own logs. Errors as ParseGateway's.
func NewGateway(keys ...GatewayKey) (*Gateway, error) { return newGateway(keys, nil) }

func newGateway(keys []GatewayKey, logs []OwnLog) (*Gateway, error) {
	g := &Gateway{keys: cloneKeys(keys)}
	for i, k := range g.keys {
		if _, twice := findKey(g.keys[:i], k.SPKI); twice {
			return nil, fmt.Errorf("reading gateway trust: key %d is there twice", i+1)
		}
		if err := k.checkKey(); err != nil {
			return nil, fmt.Errorf("reading gateway trust: key %d: %w", i+1, err)
		}
	}
	for _, l := range logs {
		g.ownLogs = append(g.ownLogs, l.clone())
	}
	if err := g.checkOwnLogs(); err != nil {
		return nil, err
	}
	g.ids = g.listIDs()
	return g, nil
}

// cloneKeys returns keys with lists of ranges of their own, which are never nil.
func cloneKeys(keys []GatewayKey) []GatewayKey {
	out := append([]GatewayKey{}, keys...)
	for i := range out {
		out[i].Logs = append([]LogRange{}, out[i].Logs...)
	}
	return out
}

func (k GatewayKey) checkKey() error {
	if _, err := x509.ParsePKIXPublicKey(k.SPKI); err != nil {
		return fmt.Errorf("reading spki: %w", err)
	}
	seen := map[string]bool{}
	for _, l := range k.Logs {
		switch {
		case l.Origin == "":
			return fmt.Errorf("a log has no origin")
		case seen[l.Origin]:
			return fmt.Errorf("log %.80q is there twice", l.Origin)
		case l.From < 0 || l.To != nil && *l.To < l.From:
			return fmt.Errorf("the index range in log %.80q is empty", l.Origin)
		}
		seen[l.Origin] = true
	}
	return nil
}

// Keys returns the keys in the file's order; the slice is the caller's.
func (g *Gateway) Keys() []GatewayKey { return slices.Clone(g.keys) }

// Key returns the key with that SPKI (DER).
func (g *Gateway) Key(spki []byte) (GatewayKey, bool) { return findKey(g.keys, spki) }

// IDs returns the SHA-256 of the SPKI of each key, those of the own logs included: signers that no submission may have. The slice must not be changed.
func (g *Gateway) IDs() [][sha256.Size]byte { return g.ids }

func (g *Gateway) listIDs() [][sha256.Size]byte {
	var out [][sha256.Size]byte
	for _, k := range g.keys {
		out = append(out, sha256.Sum256(k.SPKI))
	}
	for _, l := range g.ownLogs {
		if spki, err := l.SPKI(); err == nil { // checked when it was read
			out = append(out, sha256.Sum256(spki))
		}
		for _, k := range l.AnchorKeys {
			out = append(out, sha256.Sum256(k.SPKI))
		}
	}
	return out
}

// Covers reports whether k counts for the entry at index of the log called origin.
func (k GatewayKey) Covers(origin string, index int64) bool {
	for _, l := range k.Logs {
		if l.Origin == origin {
			return index >= l.From && (l.To == nil || index <= *l.To)
		}
	}
	return false
}

// WithKey returns g with spki trusted from the given index of each log on. A key that is
// there already gets the logs it does not have yet; what is there stays.
func (g *Gateway) WithKey(spki []byte, from map[string]int64) (*Gateway, error) {
	return newGateway(addKey(cloneKeys(g.keys), spki, from), g.ownLogs)
}

// FromStart returns g with spki trusted from the first index on of a log that it has a range in: its indexes have begun again.
// It returns g itself where nothing changes.
func (g *Gateway) FromStart(spki []byte, origin string) (*Gateway, error) {
	keys := cloneKeys(g.keys)
	if !startKey(keys, spki, origin) {
		return g, nil
	}
	return newGateway(keys, g.ownLogs)
}

// Retire returns g with spki trusted up to the given last index of each log. A log that is
// not named, and an end already there, stay as they are.
func (g *Gateway) Retire(spki []byte, last map[string]int64) (*Gateway, error) {
	keys := cloneKeys(g.keys)
	if err := retireKey(keys, spki, last); err != nil {
		return nil, err
	}
	return newGateway(keys, g.ownLogs)
}

// addKey returns keys with spki, from those indexes on in the logs that it has no range in.
func addKey(keys []GatewayKey, spki []byte, from map[string]int64) []GatewayKey {
	at := slices.IndexFunc(keys, func(k GatewayKey) bool { return bytes.Equal(k.SPKI, spki) })
	if at < 0 {
		at = len(keys)
		keys = append(keys, GatewayKey{SPKI: spki})
	}
	for _, origin := range slices.Sorted(maps.Keys(from)) {
		has := func(l LogRange) bool { return l.Origin == origin }
		if !slices.ContainsFunc(keys[at].Logs, has) {
			keys[at].Logs = append(keys[at].Logs, LogRange{Origin: origin, From: from[origin]})
		}
	}
	return keys
}

// startKey has spki count from the first index on of a log that it has a range in, and reports whether that is new.
func startKey(keys []GatewayKey, spki []byte, origin string) bool {
	for _, k := range keys {
		at := slices.IndexFunc(k.Logs, func(l LogRange) bool { return l.Origin == origin && l.From > 0 })
		if at >= 0 && bytes.Equal(k.SPKI, spki) {
			k.Logs[at].From = 0
			return true
		}
	}
	return false
}

// retireKey ends the ranges of spki that have no end yet.
func retireKey(keys []GatewayKey, spki []byte, last map[string]int64) error {
	for _, k := range keys {
		if !bytes.Equal(k.SPKI, spki) {
			continue
		}
		for j, l := range k.Logs {
			if end, ok := last[l.Origin]; ok && l.To == nil {
				k.Logs[j].To = &end
			}
		}
		return nil
	}
	return fmt.Errorf("retiring gateway key: it is not in the gateway trust")
}

// Marshal returns the file's content.
func (g *Gateway) Marshal() ([]byte, error) {
	b, err := json.Marshal(gatewayFile{MediaType: GatewayMediaType, Keys: g.keys, OwnLogs: g.ownLogs})
	if err != nil {
		return nil, fmt.Errorf("encoding gateway trust: %w", err)
	}
	return indentJSON(b)
}

// Write stores the file at path, readable by all, replacing what is there at once.
func (g *Gateway) Write(path string) error {
	b, err := g.Marshal()
	if err != nil {
		return err
	}
	return replaceFile(path, b)
}
