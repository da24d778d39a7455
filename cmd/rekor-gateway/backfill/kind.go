// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"context"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// kind is what a file's content says of it.
type kind int

const (
	unknown  kind = iota // no format's
	other                // known, and no signature: a public key
	detached             // a signature over something else
	holding              // a signature with its content
	either               // a signature that may hold its content
)

// identify says what content is, of which there may be more in the file. Errors are of a file that must not be sent, and, with the kind unknown, why it is no
// signature.
func (s *scanner) identify(ctx context.Context, content []byte) (kind, error) {
	f, err := s.registry.Detect(ctx, content, nil, formats.Policy{})
	text, uerr := textlayer.Unwrap(content)
	if uerr != nil {
		text = content
	}
	if err != nil {
		if isPublicKey(text) && formats.ReasonOf(err) != formats.ReasonSecretKey {
			return other, nil
		}
		return unknown, err
	}
	switch f.Name() {
	case "pgp":
		return identifyPGP(text), nil
	case "minisign":
		return identifyMinisign(text), nil
	case "pkcs7":
		return either, nil
	case "tuf":
		return holding, nil
	}
	return detached, nil
}

const (
	beginClear     = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginSignature = "-----BEGIN PGP SIGNATURE-----"
	beginMessage   = "-----BEGIN PGP MESSAGE-----"
)

func identifyPGP(text []byte) kind {
	text = bytes.TrimLeft(text, " \t\r\n")
	switch {
	case !bytes.HasPrefix(text, []byte("-----BEGIN ")), bytes.HasPrefix(text, []byte(beginSignature)):
		return detached
	case bytes.HasPrefix(text, []byte(beginClear)):
		return holding
	case bytes.HasPrefix(text, []byte(beginMessage)):
		return unknown // encrypted, as a rule
	}
	return other
}

// identifyMinisign tells signify's files that the message follows in, and its gzip files, from detached signatures.
func identifyMinisign(text []byte) kind {
	if !bytes.HasPrefix(text, []byte("untrusted comment:")) {
		return holding
	}
	if message := signifyMessage(text); len(bytes.TrimSpace(message)) > 0 && !bytes.HasPrefix(message, []byte("trusted comment")) {
		return holding
	}
	return detached
}

// signifyMessage returns what follows the two lines of a signify signature.
func signifyMessage(text []byte) []byte {
	for range 2 {
		_, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			return nil
		}
		text = rest
	}
	return text
}

// publicMarks begin files with public keys and certificates.
var publicMarks = []string{
	"-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "-----BEGIN RSA PUBLIC KEY-----",
	"---- BEGIN SSH2 PUBLIC KEY ----", "ssh-", "ecdsa-sha2-", "sk-",
}

// isPublicKey reports whether text is public keys or certificates.
func isPublicKey(text []byte) bool {
	for _, m := range publicMarks {
		if bytes.HasPrefix(text, []byte(m)) {
			return true
		}
	}
	return isKeyring(text)
}

// keyHeaders begin a public-key packet, and how long they are (RFC 9580, 4.2).
var keyHeaders = map[byte]int{0x98: 2, 0x99: 3, 0x9a: 5}

// isKeyring reports whether b begins with an OpenPGP public key: its packet's header, a version, a time and an algorithm.
func isKeyring(b []byte) bool {
	const upToAlgorithm = 6
	if len(b) < 2 {
		return false
	}
	at := keyHeaders[b[0]]
	if b[0] == 0xc6 {
		switch {
		case b[1] < 192:
			at = 2
		case b[1] < 224:
			at = 3
		case b[1] == 255:
			at = 6
		}
	}
	return at > 0 && len(b) >= at+upToAlgorithm && b[at] >= 3 && b[at] <= 6 && b[at+upToAlgorithm-1] <= 28
}

// explainSecret says of a private key that it was found here.
func explainSecret(name string, err error) *formats.Error {
	var secret *formats.SecretError
	what, public := "a private key", "the public key of the key that signed"
	if errors.As(err, &secret) {
		what, public = secret.Secret.Kind, secret.Secret.Public
	}
	return formats.WrapError(err, formats.ReasonSecretKey, show(name)+" is "+what,
		"it was only read here, and sent nowhere; take it out of what is published, and name the public key with --key: "+public)
}
