// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// container is a file that people send as a key and that is not read here, with what it is and what to do.
type container struct {
	mark, what, hint string
	convertible      bool // it holds a public key that is read in another form
}

// ErrConvertible is in the refusal of a file that holds a public key in a form that is not read here: its hint has the
// command that converts it.
var ErrConvertible = errors.New("a key in a form that is not read")

// labels of PEM blocks that are not read.
var otherLabels = []container{
	{"CERTIFICATE REQUEST", "a certificate request", "take its key out: openssl req -in FILE -noout -pubkey", true},
	{"NEW CERTIFICATE REQUEST", "a certificate request", "take its key out: openssl req -in FILE -noout -pubkey", true},
	{"TRUSTED CERTIFICATE", "a certificate with OpenSSL's trust settings", "take the certificate out: openssl x509 -in FILE -out cert.pem", true},
	{"X509 CRL", "a list of revoked certificates", hintKey, false},
	{"PGP PUBLIC KEY BLOCK", "a PGP public key", "it goes with a PGP signature; for this one send the key that made it, in PEM", false},
	{"PGP SIGNATURE", "a PGP signature", "send the signature as the signature and the public key as the key", false},
	{"SSH SIGNATURE", "an SSH signature", "send the signature as the signature and the public key as the key", false},
	{"EC PUBLIC KEY", "a key under an unusual label", "write it again: openssl pkey -pubin -in FILE -pubout, or openssl pkey -in KEY -pubout", true},
	{"DSA PUBLIC KEY", "a DSA key", hintAlgorithm, false},
}

// explainBlock says what a block is that is no PEM: OpenPGP's armor has a checksum.
func explainBlock(data []byte, err error) error {
	label, _, _ := bytes.Cut(data[len(pemBegin):], []byte("-----"))
	for _, c := range otherLabels {
		if c.mark == string(label) {
			return c.refuse()
		}
	}
	return err
}

func refuseLabel(label string) error {
	for _, c := range otherLabels {
		if c.mark == label {
			return c.refuse()
		}
	}
	return formats.NewError(formats.ReasonMalformedKey, "a PEM block is neither PUBLIC KEY nor CERTIFICATE", hintKey)
}

// otherStarts is how files begin that are neither PEM nor DER.
var otherStarts = []container{
	{"---- BEGIN SSH2 PUBLIC KEY ----", "an SSH public key in SSH2's format", "convert it: ssh-keygen -i -f FILE | ssh-keygen -e -m PKCS8 -f /dev/stdin", true},
	{"untrusted comment:", "a minisign or signify key", "it goes with a minisign or signify signature; for this one send the key that made it, in PEM", false},
	{"RW", "a minisign or signify key", "it goes with a minisign or signify signature; for this one send the key that made it, in PEM", false},
	{"sk-ssh-", "the public key of a security key", "it goes with an SSH signature: ssh-keygen -Y sign", false},
	{"sk-ecdsa-", "the public key of a security key", "it goes with an SSH signature: ssh-keygen -Y sign", false},
	{"<", "an XML or HTML document", hintKey, false},
}

func refuseOther(data []byte) error {
	for _, c := range otherStarts {
		if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(c.mark)) {
			return c.refuse()
		}
	}
	return nil
}

func (c container) refuse() error {
	if c.convertible {
		return formats.WrapError(ErrConvertible, formats.ReasonMalformedKey, "the key is "+c.what, c.hint)
	}
	return formats.NewError(formats.ReasonMalformedKey, "the key is "+c.what, c.hint)
}
