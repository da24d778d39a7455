// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// jwk is a public JSON Web Key (RFC 7517, RFC 7518, RFC 8037), or a set of them. Private members have been
// looked for before.
type jwk struct {
	Type  string `json:"kty"`
	Use   string `json:"use"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
	N     string `json:"n"`
	E     string `json:"e"`
	Keys  []jwk  `json:"keys"`
}

func readJSON(m *formats.Meter, data []byte) ([]Key, error) {
	var set jwk
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errMalformedKey(err)
	}
	list := set.Keys
	if set.Type != "" {
		list = []jwk{set}
	}
	if len(list) == 0 || len(list) > maxKeys {
		return nil, errMalformedKey(fmt.Errorf("JSON with %d keys", len(list)))
	}
	var keys []Key
	for _, j := range list {
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		k, err := j.readKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (j jwk) readKey() (Key, error) {
	if j.Use != "" && j.Use != "sig" {
		return Key{}, formats.NewError(formats.ReasonKeyNotValid, "the JWK is not for signatures", "send the key that signs (use: sig)")
	}
	switch j.Type {
	case "RSA":
		n, nerr := decodeMember(j.N)
		e, eerr := decodeMember(j.E)
		if err := errors.Join(nerr, eerr); err != nil {
			return Key{}, errMalformedKey(err)
		}
		return fromRSA(new(big.Int).SetBytes(n), new(big.Int).SetBytes(e))
	case "EC":
		return j.readEC()
	case "OKP":
		x, err := decodeMember(j.X)
		if err != nil || j.Curve == "Ed25519" && len(x) != ed25519.PublicKeySize {
			return Key{}, errMalformedKey(err)
		}
		if j.Curve == "Ed25519" {
			return fromPublic(ed25519.PublicKey(x))
		}
	}
	return Key{}, formats.NewError(formats.ReasonUnsupportedAlgorithm, fmt.Sprintf("JWKs of the kind %.10q are not supported", j.Type), hintAlgorithm)
}

func (j jwk) readEC() (Key, error) {
	x, xerr := decodeMember(j.X)
	y, yerr := decodeMember(j.Y)
	if err := errors.Join(xerr, yerr); err != nil {
		return Key{}, errMalformedKey(err)
	}
	for _, c := range curves {
		if p := c.curve.Params(); p.Name == j.Curve {
			if size := (p.BitSize + 7) / 8; len(x) != size || len(y) != size {
				return Key{}, errMalformedKey(errors.New("coordinates of another length than the curve's"))
			}
			pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, bytes.Join([][]byte{{4}, x, y}, nil))
			if err != nil {
				return Key{}, errMalformedKey(err)
			}
			return fromPublic(pub)
		}
	}
	return Key{}, formats.NewError(formats.ReasonUnsupportedAlgorithm, fmt.Sprintf("the key's curve %.20q is not supported", j.Curve), hintAlgorithm)
}

func decodeMember(s string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil && len(raw) == 0 {
		err = errors.New("empty member")
	}
	return raw, err
}

// opensshKinds are the kinds of public keys that sign the same way outside of SSH.
var opensshKinds = []string{
	ssh.KeyAlgoRSA + " ", ssh.KeyAlgoECDSA256 + " ", ssh.KeyAlgoECDSA384 + " ", ssh.KeyAlgoECDSA521 + " ", ssh.KeyAlgoED25519 + " ",
}

func isOpenSSH(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	for _, kind := range opensshKinds {
		if bytes.HasPrefix(data, []byte(kind)) {
			return true
		}
	}
	return false
}

// readOpenSSH reads the lines of a .pub file.
func readOpenSSH(m *formats.Meter, data []byte) ([]Key, error) {
	var keys []Key
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		if len(keys) == maxKeys {
			return nil, formats.NewError(formats.ReasonTooLarge, "a file holds more than 64 keys", "send the signer's key alone")
		}
		k, err := readOpenSSHLine(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func readOpenSSHLine(line []byte) (Key, error) {
	fields := bytes.Fields(line)
	if !isOpenSSH(line) || len(fields) < 2 {
		return Key{}, errMalformedKey(errors.New("not a line of a .pub file"))
	}
	wire, err := base64.StdEncoding.Strict().DecodeString(string(fields[1]))
	if err != nil {
		return Key{}, errMalformedKey(err)
	}
	var rsa struct {
		Kind string
		E, N *big.Int
	}
	if ssh.Unmarshal(wire, &rsa) == nil && rsa.Kind == ssh.KeyAlgoRSA && string(fields[0]) == rsa.Kind {
		return fromRSA(rsa.N, rsa.E)
	}
	pub, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return Key{}, errMalformedKey(err)
	}
	holder, ok := pub.(ssh.CryptoPublicKey)
	if !ok || pub.Type() != string(fields[0]) {
		return Key{}, errMalformedKey(errors.New("the line's kind of key is not the key's"))
	}
	return fromPublic(holder.CryptoPublicKey())
}
