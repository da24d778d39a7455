// SPDX-License-Identifier: Apache-2.0

// Package ssh reads SSHSIG signatures, as made by "ssh-keygen -Y sign" and specified in
// OpenSSH's PROTOCOL.sshsig.
//
// A signature carries its own public key, which proves only that somebody signed: the key
// must be among those given, as public key lines or in an allowed_signers file (ssh-keygen(1),
// "ALLOWED SIGNERS"). SSHSIG states no time, so validity is judged at Policy.Now. The
// principals of these files and of certificates are e-mail addresses as a rule, and
// never leave this package.
package ssh

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	name = "ssh"

	hintWork = "send the signer's .pub file or allowed_signers line alone"
)

type format struct{}

// New returns the SSHSIG plugin.
func New() formats.Format { return format{} }

func (format) Name() string { return name }

// Detect looks for the armor's first line, or for the magic of the bare blob.
func (format) Detect(signature []byte) bool {
	return bytes.HasPrefix(signature, []byte(armorBegin)) || bytes.HasPrefix(signature, []byte(magic+"\x00"))
}

// Parse reads an armored signature or the blob inside; each key is one or more public key
// lines or allowed_signers lines.
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	parsed, err := parseSubmission(m, signature, keys, p)
	if err != nil {
		return nil, err
	}
	return parsed, nil
}

func parseSubmission(m *formats.Meter, raw []byte, submitted [][]byte, p formats.Policy) (*parsedSignature, error) {
	if err := formats.CheckSizes(raw, submitted); err != nil {
		return nil, err
	}
	if err := m.ChargeBytes(passes * len(raw)); err != nil {
		return nil, err
	}
	if err := m.ChargeParses(4); err != nil { // key, signature, certificate and its authority's key
		return nil, err
	}
	blob, err := decodeArmor(raw)
	if err != nil {
		return nil, err
	}
	sig, err := parseBlob(blob)
	if err != nil {
		return nil, err
	}
	if err := checkNamespace(sig.namespace, p); err != nil {
		return nil, err
	}
	trust, err := findSigner(m, sig, submitted, p)
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(sig.key)
	if err != nil {
		return nil, err
	}
	if err := p.CheckSigner(signer.SPKI); err != nil {
		return nil, err
	}
	return &parsedSignature{signature: sig, trust: trust, signer: signer, withoutWhole: p.WithoutWhole}, nil
}

// passes is how often the bytes of a signature file are looked at: split into lines, decoded, copied.
const passes = 6

func checkNamespace(namespace string, p formats.Policy) error {
	accepted := p.SSHNamespaces
	if accepted == nil {
		accepted = []string{"file"}
	}
	if namespace != "" && slices.Contains(accepted, namespace) {
		return nil
	}
	return formats.NewError(formats.ReasonNamespaceRefused,
		fmt.Sprintf("the signature was made for the namespace %.40q, which is not accepted", namespace),
		"sign with: ssh-keygen -Y sign -n file -f KEY FILE; other namespaces only the gateway's operator accepts (policy.ssh_namespaces): "+
			"then say so to rekor-gateway with --ssh-namespace")
}

// newSigner describes the signing key; of a certificate that is the key within, of a
// security key the point that the authenticator signs with.
func newSigner(key xssh.PublicKey) (formats.Signer, error) {
	pub, err := cryptoKey(key)
	if err != nil {
		return formats.Signer{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return formats.Signer{}, formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key cannot be encoded", "")
	}
	return formats.Signer{SPKI: spki, Fingerprint: xssh.FingerprintSHA256(key), Algorithm: formats.KeyName(pub)}, nil
}
