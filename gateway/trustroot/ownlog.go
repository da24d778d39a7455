// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// OwnLog is a gateway's own log, for ever: a log with another key is another one, with another origin.
type OwnLog struct {
	Origin string `json:"origin"` // the checkpoints' origin line, and the name in Key
	// Key signs the checkpoints: an Ed25519 verifier key of signed notes, "NAME+HASH+BASE64" (https://c2sp.org/signed-note).
	Key string `json:"key"`
	// AnchorKeys sign the records of its checkpoints in other logs, with ECDSA P-256. Each counts for ranges of their indexes.
	AnchorKeys []GatewayKey `json:"anchorKeys"`
}

// Verifier checks the log's signature on checkpoints.
func (l OwnLog) Verifier() (note.Verifier, error) {
	v, err := note.NewVerifier(l.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the own log's key: %w", err)
	}
	return v, nil
}

// AnchorKey returns the anchor key with that SPKI (DER).
func (l OwnLog) AnchorKey(spki []byte) (GatewayKey, bool) { return findKey(l.AnchorKeys, spki) }

// SPKI returns the key that signs the checkpoints, DER. The error is that of a Key which is not in its one canonical form.
func (l OwnLog) SPKI() ([]byte, error) {
	if _, err := l.Verifier(); err != nil {
		return nil, err
	}
	const parts, algorithmSize = 3, 1
	typed, err := base64.StdEncoding.DecodeString(strings.SplitN(l.Key, "+", parts)[parts-1])
	if err != nil || len(typed) != algorithmSize+ed25519.PublicKeySize {
		return nil, fmt.Errorf("reading the own log's key: it is not Ed25519")
	}
	key := ed25519.PublicKey(typed[algorithmSize:])
	if canonical, err := note.NewEd25519VerifierKey(l.Origin, key); err != nil || canonical != l.Key {
		return nil, fmt.Errorf("reading the own log's key: it is another log's, or not in canonical form")
	}
	return x509.MarshalPKIXPublicKey(key)
}

// clone returns l with lists of its own.
func (l OwnLog) clone() OwnLog {
	l.AnchorKeys = cloneKeys(l.AnchorKeys)
	return l
}

// checkOwnLogs refuses keys that serve for two purposes, and logs that are there twice.
func (g *Gateway) checkOwnLogs() error {
	for i, l := range g.ownLogs {
		if slices.ContainsFunc(g.ownLogs[:i], func(other OwnLog) bool { return other.Origin == l.Origin }) {
			return fmt.Errorf("reading gateway trust: own log %.80q is there twice", l.Origin)
		}
		if err := g.checkOwnLog(l); err != nil {
			return fmt.Errorf("reading gateway trust: own log %.80q: %w", l.Origin, err)
		}
	}
	return nil
}

func (g *Gateway) checkOwnLog(l OwnLog) error {
	spki, err := l.SPKI()
	if err != nil {
		return err
	}
	if _, both := g.Key(spki); both {
		return fmt.Errorf("its key signs statements too")
	}
	for i, k := range l.AnchorKeys {
		_, twice := findKey(l.AnchorKeys[:i], k.SPKI)
		_, both := g.Key(k.SPKI)
		switch {
		case twice:
			return fmt.Errorf("anchor key %d is there twice", i+1)
		case both:
			return fmt.Errorf("anchor key %d signs statements too", i+1)
		}
		if err := g.checkAnchorKey(k); err != nil {
			return fmt.Errorf("anchor key %d: %w", i+1, err)
		}
	}
	return nil
}

// checkAnchorKey refuses a key that is not ECDSA P-256, or counts in a log that is the gateway's own.
func (g *Gateway) checkAnchorKey(k GatewayKey) error {
	if err := k.checkKey(); err != nil {
		return err
	}
	pub, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		return fmt.Errorf("reading spki: %w", err)
	}
	if key, ok := pub.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return fmt.Errorf("it is not ECDSA P-256")
	}
	for _, r := range k.Logs {
		if _, own := g.OwnLog(r.Origin); own {
			return fmt.Errorf("log %.80q is an own log, which anchors nothing", r.Origin)
		}
	}
	return nil
}

// OwnLogs returns the gateway's own logs in the file's order; the slice is the caller's.
func (g *Gateway) OwnLogs() []OwnLog { return slices.Clone(g.ownLogs) }

// OwnLog returns the own log called origin.
func (g *Gateway) OwnLog(origin string) (OwnLog, bool) {
	for _, l := range g.ownLogs {
		if l.Origin == origin {
			return l, true
		}
	}
	return OwnLog{}, false
}

// WithOwnLog returns g with an own log of that origin and key (as OwnLog has it), still without anchor keys. Where there is one it
// stays, and another key is an error.
func (g *Gateway) WithOwnLog(origin, key string) (*Gateway, error) {
	if l, there := g.OwnLog(origin); there {
		if l.Key != key {
			return nil, fmt.Errorf("adding own log %.80q to the gateway trust: it is there with another key; a log with another key needs another origin", origin)
		}
		return g, nil
	}
	return newGateway(g.keys, append(g.OwnLogs(), OwnLog{Origin: origin, Key: key}))
}

// WithAnchorKey returns g with spki trusted to anchor the own log called origin, from the given index of each log on. As WithKey.
func (g *Gateway) WithAnchorKey(origin string, spki []byte, from map[string]int64) (*Gateway, error) {
	return g.changeOwnLog(origin, func(keys []GatewayKey) ([]GatewayKey, error) { return addKey(keys, spki, from), nil })
}

// AnchorFromStart returns g with spki trusted to anchor the own log called origin from the first index on of a log that it has a range
// in. As FromStart.
func (g *Gateway) AnchorFromStart(origin string, spki []byte, log string) (*Gateway, error) {
	own, _ := g.OwnLog(origin)
	keys := cloneKeys(own.AnchorKeys)
	if !startKey(keys, spki, log) {
		return g, nil
	}
	return g.changeOwnLog(origin, func([]GatewayKey) ([]GatewayKey, error) { return keys, nil })
}

// RetireAnchorKey returns g with spki trusted to anchor the own log called origin up to the given last index of each log. As Retire.
func (g *Gateway) RetireAnchorKey(origin string, spki []byte, last map[string]int64) (*Gateway, error) {
	return g.changeOwnLog(origin, func(keys []GatewayKey) ([]GatewayKey, error) { return keys, retireKey(keys, spki, last) })
}

// changeOwnLog returns g with other anchor keys for the own log called origin.
func (g *Gateway) changeOwnLog(origin string, change func([]GatewayKey) ([]GatewayKey, error)) (*Gateway, error) {
	logs := g.OwnLogs()
	at := slices.IndexFunc(logs, func(l OwnLog) bool { return l.Origin == origin })
	if at < 0 {
		return nil, fmt.Errorf("changing anchor keys: own log %.80q is not in the gateway trust", origin)
	}
	keys, err := change(cloneKeys(logs[at].AnchorKeys))
	if err != nil {
		return nil, err
	}
	logs[at].AnchorKeys = keys
	return newGateway(g.keys, logs)
}

func findKey(keys []GatewayKey, spki []byte) (GatewayKey, bool) {
	at := slices.IndexFunc(keys, func(k GatewayKey) bool { return bytes.Equal(k.SPKI, spki) })
	if at < 0 {
		return GatewayKey{}, false
	}
	return keys[at], true
}
