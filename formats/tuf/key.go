// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// key is a key as a root or a delegation lists it. It is read no further until a signature
// names it: repositories list keys of kinds that nobody signs with yet.
type key struct {
	id      string
	keyType string
	scheme  string
	public  string
	object  object
	ready   atomic.Pointer[readyKey] // nil until it is asked for
}

// readyKey is what verifying takes of a key. It is worked out once: a root that is remembered has its keys asked for with each file below it.
type readyKey struct {
	*publicKey
	id    string // as the specification computes it
	named bool   // the key has that id
	units int64  // what computing it took
}

// publicKey is a key that can verify.
type publicKey struct {
	spki   []byte
	public crypto.PublicKey
	scheme scheme
}

// scheme is how a key signs: a formats.Scheme, or "" for Ed25519, which signs no digest.
type scheme struct {
	projection formats.Scheme
	hash       formats.DigestAlgorithm
	curve      elliptic.Curve // for ECDSA
}

// findScheme knows the schemes of the TUF specification, section 4.2, and the ones that its reference
// implementation's signing library adds to them.
func findScheme(name string) (scheme, bool) {
	switch name {
	case "ed25519":
		return scheme{}, true
	case "ecdsa-sha2-nistp256":
		return scheme{formats.ECDSA, formats.SHA256, elliptic.P256()}, true
	case "ecdsa-sha2-nistp384":
		return scheme{formats.ECDSA, formats.SHA384, elliptic.P384()}, true
	case "ecdsa-sha2-nistp521":
		return scheme{formats.ECDSA, formats.SHA512, elliptic.P521()}, true
	}
	family, hash, _ := strings.Cut(name, "-sha")
	algorithm := formats.DigestAlgorithm("sha" + hash)
	known := algorithm == formats.SHA256 || algorithm == formats.SHA384 || algorithm == formats.SHA512
	switch family {
	case "rsassa-pss":
		return scheme{projection: formats.RSAPSS, hash: algorithm}, known
	case "rsa-pkcs1v15":
		return scheme{projection: formats.RSAPKCS1v15, hash: algorithm}, known
	}
	return scheme{}, false
}

func decodeKeys(parent object) (map[string]*key, error) {
	list, err := parent.readObject("keys")
	if err != nil {
		return nil, err
	}
	keys := make(map[string]*key, len(list.members))
	for id := range list.members {
		if err := checkKeyID(list, id); err != nil {
			return nil, err
		}
		o, err := list.readObject(id)
		if err != nil {
			return nil, err
		}
		if keys[id], err = decodeKey(o, id); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func decodeKey(o object, id string) (*key, error) {
	if err := o.checkNames("keytype", "scheme", "keyval"); err != nil {
		return nil, err
	}
	keyType, err := o.readText("keytype")
	if err != nil {
		return nil, err
	}
	scheme, err := o.readText("scheme")
	if err != nil {
		return nil, err
	}
	value, err := o.readObject("keyval")
	if err != nil {
		return nil, err
	}
	if err := value.checkNames("public", "private"); err != nil {
		return nil, err
	}
	if !value.hasMember("public") { // a kind of key that keeps its material elsewhere
		return &key{id: id, keyType: keyType, scheme: scheme, object: o}, nil
	}
	public, err := value.readText("public")
	return &key{id: id, keyType: keyType, scheme: scheme, public: public, object: o}, err
}

// errUnsupportedKey is the error of load for a kind of key that is not implemented.
var errUnsupportedKey = errors.New("unsupported kind of key")

// prepare makes k ready to verify. It charges the same each time. The error is loadPublicKey's or m's.
func (k *key) prepare(m *formats.Meter) (*readyKey, error) {
	if r := k.ready.Load(); r != nil {
		return r, m.ChargePart(r.units)
	}
	public, err := k.loadPublicKey(m)
	if err != nil {
		return nil, err
	}
	r, part := &readyKey{publicKey: public}, m.Part()
	if r.id, r.named, err = k.computeID(part); err != nil {
		return nil, err
	}
	r.units = m.EndPart(part)
	k.ready.Store(r)
	return r, nil
}

// loadPublicKey reads k. The error is errUnsupportedKey or a refusal.
func (k *key) loadPublicKey(m *formats.Meter) (*publicKey, error) {
	s, ok := findScheme(k.scheme)
	if !ok {
		return nil, errUnsupportedKey
	}
	public, err := k.parsePublicKey()
	if errors.Is(err, errUnsupportedKey) {
		return nil, err
	}
	if err != nil {
		if kerr := k.findUnsupported(m); kerr != nil {
			return nil, kerr
		}
	}
	if err != nil || !s.fitsKey(public) {
		return nil, formats.WrapError(err, formats.ReasonMalformedKey,
			"the root lists a key that does not fit its keytype and scheme: "+k.shortID(), "list the key in the form the TUF specification gives")
	}
	if r, ok := public.(*rsa.PublicKey); ok {
		if err := checkRSA(r); err != nil {
			return nil, err
		}
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedKey, "a key of the root has no PKIX form: "+k.shortID(), "")
	}
	return &publicKey{spki: slices.Clip(spki), public: public, scheme: s}, nil
}

// findUnsupported blames a key in PEM that is well-formed and that nothing here verifies with.
func (k *key) findUnsupported(m *formats.Meter) error {
	_, err := keyfile.Read(m, []byte(k.public))
	switch formats.ReasonOf(err) {
	case formats.ReasonUnsupportedAlgorithm, formats.ReasonTooMuchWork, "":
		return err
	}
	return nil
}

func (k *key) shortID() string { return k.id[:min(len(k.id), 16)] }

// Sizes of RSA keys: smaller ones are broken, larger ones cost a verifier too much.
const (
	minRSABits = 2048
	maxRSABits = 8192

	maxExponentBits = 31 // that crypto/rsa verifies with
)

func checkRSA(k *rsa.PublicKey) error {
	if err := keyfile.CheckExponent(big.NewInt(int64(k.E)), maxExponentBits); err != nil {
		return err
	}
	switch bits := k.N.BitLen(); {
	case bits < minRSABits:
		return formats.NewError(formats.ReasonWeakAlgorithm, "an RSA key of the role is shorter than 2048 bits",
			"rotate it to ECDSA P-256 or a longer RSA key")
	case bits > maxRSABits:
		return formats.NewError(formats.ReasonUnsupportedAlgorithm, "an RSA key of the role is longer than 8192 bits",
			"rotate it to ECDSA P-256")
	}
	return nil
}

// parsePublicKey reads the key material. go-tuf does it for PEM; its reading of Ed25519 keys does not
// check their length, and it knows neither the bare points of go-tuf before version 2 nor
// the key types of larger curves.
func (k *key) parsePublicKey() (crypto.PublicKey, error) {
	switch k.keyType {
	case "ed25519":
		raw, err := hex.DecodeString(k.public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("not 32 bytes in hexadecimal")
		}
		return ed25519.PublicKey(raw), nil
	case "ecdsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521":
		if s, ok := findScheme(k.scheme); ok && s.curve != nil && strings.HasPrefix(k.public, "04") {
			return parsePoint(s.curve, k.public)
		}
		return parsePEM(metadata.KeyTypeECDSA_SHA2_P256, k.public)
	case "rsa":
		return parsePEM(metadata.KeyTypeRSASSA_PSS_SHA256, k.public)
	}
	return nil, errUnsupportedKey
}

func parsePoint(curve elliptic.Curve, public string) (crypto.PublicKey, error) {
	raw, err := hex.DecodeString(public)
	if err != nil {
		return nil, errors.New("not hexadecimal")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, raw)
}

func parsePEM(keyType, public string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(public))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one PEM block")
	}
	k := metadata.Key{Type: keyType, Value: metadata.KeyVal{PublicKey: public}}
	return k.ToPublicKey()
}

// fitsKey reports whether s is a scheme of pub's kind of key. A P-384 key under a P-256 scheme,
// which go-tuf takes, is none.
func (s scheme) fitsKey(pub crypto.PublicKey) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return s.curve != nil && k.Curve == s.curve
	case *rsa.PublicKey:
		return s.projection == formats.RSAPSS || s.projection == formats.RSAPKCS1v15
	case ed25519.PublicKey:
		return s.projection == ""
	}
	return false
}

// describeAlgorithm returns the algorithm for display: "ECDSA P-256/SHA-256", "Ed25519".
func (k *publicKey) describeAlgorithm() string {
	name := formats.KeyName(k.public)
	if k.scheme.hash == "" {
		return name
	}
	if k.scheme.projection == formats.RSAPSS {
		name += " PSS"
	}
	return name + "/" + k.scheme.hash.Hash().String()
}

// verifySignature reports whether sig is k's signature over message, and returns the projection that was checked for that.
func (k *publicKey) verifySignature(message, sig []byte) (checked formats.Projection, ok bool) {
	p := k.buildProjection(message, sig)
	var err error
	if p.Scheme == formats.Ed25519 {
		checked, err = p.CheckMessage(message)
	} else {
		checked, err = p.Check()
	}
	return checked, err == nil
}

func (k *publicKey) buildCandidate() formats.Candidate {
	c := formats.Candidate{SPKI: k.spki, Scheme: k.scheme.projection, Hash: k.scheme.hash, Remedy: remedy}
	if c.Scheme == "" {
		c.Scheme, c.Hash = formats.Ed25519, formats.SHA256
	}
	return c
}

func (k *publicKey) buildProjection(message, sig []byte) formats.Projection {
	c := k.buildCandidate()
	h := c.Hash.New()
	h.Write(message)
	return formats.Projection{
		Candidate: c,
		Digest:    formats.Digest{Algorithm: c.Hash, Value: h.Sum(nil)},
		Signature: sig,
		Recipe:    formats.Recipe{Prefix: message},
	}
}

// isProjectable reports whether Rekor v2 takes signatures by k.
func (k *publicKey) isProjectable() bool {
	return k.scheme.projection == formats.ECDSA || k.scheme.projection == formats.RSAPKCS1v15 && k.scheme.hash == formats.SHA256
}

// computeID returns the id that the TUF specification (section 4.2) gives to k, and whether k has it: the hash
// of the key as listed or of its three own members, with or without the list of hash algorithms that older tools
// put in. Clients in use do not insist on it, and nothing here rests on it: signers are told apart by their SPKI.
// Of a key with another id, which is any text, it is the hash of the three members.
func (k *key) computeID(m *formats.Meter) (id string, named bool, err error) {
	own := map[string]any{"keytype": k.keyType, "scheme": k.scheme, "keyval": map[string]any{"public": k.public}}
	older := map[string]any{"keytype": k.keyType, "scheme": k.scheme, "keyval": own["keyval"],
		"keyid_hash_algorithms": []any{"sha256", "sha512"}}
	for _, form := range []any{k.object.members, older, own} {
		canonical, err := encodeCanonical(m, form)
		if err != nil {
			return "", false, err
		}
		sum := sha256.Sum256(canonical)
		if id = hex.EncodeToString(sum[:]); id == k.id {
			return id, true, nil
		}
	}
	return id, false, nil
}
