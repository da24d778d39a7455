// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
)

// Secret says what kind of private key was found, and how to get the public key.
type Secret struct {
	Kind   string // "an OpenSSH private key"
	Public string // "ssh-keygen -y -f KEY"
}

// FindSecret looks for a private key in data: as it is, in UTF-16, and behind one layer of base64. Nothing of
// data is in the result.
func FindSecret(data []byte) (Secret, bool) {
	if text, ok := decodeUTF16(data); ok {
		data = text
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if s, ok := findPlain(data); ok {
		return s, true
	}
	inner, ok := DecodeBase64(data)
	if !ok {
		return Secret{}, false
	}
	if text, ok := decodeUTF16(inner); ok {
		inner = text
	}
	return findPlain(bytes.TrimPrefix(inner, byteOrderMark))
}

func findPlain(data []byte) (Secret, bool) {
	for _, find := range []func([]byte) (Secret, bool){findMark, findPEM, findMinisign, findJSON, findBinary} {
		if s, ok := find(data); ok {
			return s, true
		}
	}
	return Secret{}, false
}

const (
	publicOpenSSL  = "openssl pkey -in KEY -pubout"
	publicOpenSSH  = "ssh-keygen -y -f KEY"
	publicPGP      = "gpg --armor --export KEYID"
	publicMinisign = "the .pub file that was made with it"
)

// mark is text that only private keys have.
type mark struct {
	text   string
	inLine bool // it need not begin a line
	secret Secret
}

var marks = []mark{
	{"PuTTY-User-Key-File-", false, Secret{"a PuTTY private key", "puttygen KEY -O public-openssh"}},
	{"SSH PRIVATE KEY FILE FORMAT", false, Secret{"an SSH 1 private key", publicOpenSSH}},
	{"openssh-key-v1\x00", false, Secret{"an OpenSSH private key", publicOpenSSH}},
	{"b3BlbnNzaC1rZXktdjE", false, Secret{"an OpenSSH private key", publicOpenSSH}},
	{"AGE-SECRET-KEY-", false, Secret{"an age identity", "the public key of the key that signed; age keys sign nothing"}},
	{"AGE-PLUGIN-", false, Secret{"an age identity", "the public key of the key that signed; age keys sign nothing"}},
	{"PRIVATE+KEY+", false, Secret{"a C2SP note signer's key", "the public key of the key that signed"}},
	{"Private-key-format:", false, Secret{"a DNSSEC private key", "the public key of the key that signed"}},
	{"(11:private-key", true, Secret{"a private key of GnuPG's agent", publicPGP}},
	{"(21:protected-private-key", true, Secret{"a private key of GnuPG's agent", publicPGP}},
	{"Key: (private-key", false, Secret{"a private key of GnuPG's agent", publicPGP}},
	{"Key: (protected-private-key", false, Secret{"a private key of GnuPG's agent", publicPGP}},
}

func findMark(data []byte) (Secret, bool) {
	for _, m := range marks {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(m.text))
			if i < 0 {
				break
			}
			if at += i; m.inLine || beginsLine(data, at) {
				return m.secret, true
			}
			at += len(m.text)
		}
	}
	if bytes.Contains(data, []byte("<RSAKeyValue>")) && bytes.Contains(data, []byte("<D>")) {
		return Secret{"an RSA private key in XML", publicOpenSSL}, true
	}
	return Secret{}, false
}

// beginsLine reports whether nothing but blanks stands before data[at] in its line.
func beginsLine(data []byte, at int) bool {
	const indent = 64 // more is no indentation
	before := bytes.TrimRight(data[max(at-indent, 0):at], " \t")
	return len(before) == 0 || before[len(before)-1] == '\n'
}

// findPEM looks for the first line of a private key in PEM, OpenPGP's armor or SSH2's format, wherever it stands, damaged
// or not. In a cleartext-signed text such a line begins with "- ", and is no key.
func findPEM(data []byte) (Secret, bool) {
	word := []byte("PRIVATE KEY")
	for at := 0; ; {
		i := bytes.Index(data[at:], word)
		if i < 0 {
			return Secret{}, false
		}
		at += i
		if label, ok := cutLabel(data[max(at-maxLabel, 0):at]); ok {
			return namePEM(label), true
		}
		at += len(word)
	}
}

// maxLabel is more than the words before "PRIVATE KEY" in any label, with the dashes.
const maxLabel = 64

// cutLabel returns the words between BEGIN and PRIVATE KEY, given what comes before the latter.
func cutLabel(before []byte) (label string, ok bool) {
	i := bytes.LastIndex(before, []byte("-BEGIN "))
	skip := len("-BEGIN ")
	if j := bytes.LastIndex(before, []byte("- BEGIN ")); j > i {
		i, skip = j, len("- BEGIN ")
	}
	if i < 0 || bytes.ContainsAny(before[i:], "\r\n\"") {
		return "", false
	}
	start := bytes.TrimRight(before[:i], "-")
	escaped := bytes.HasSuffix(start, []byte("- ")) && (len(start) == 2 || start[len(start)-3] == '\n')
	return string(bytes.TrimSpace(before[i+skip:])), !escaped
}

func namePEM(label string) Secret {
	switch label {
	case "PGP":
		return Secret{"a PGP private key", publicPGP}
	case "OPENSSH", "SSH2 ENCRYPTED", "SSH2":
		return Secret{"an SSH private key", publicOpenSSH}
	case "ENCRYPTED COSIGN", "ENCRYPTED SIGSTORE":
		return Secret{"a cosign private key", "cosign public-key --key KEY"}
	}
	return Secret{"a private key in PEM", publicOpenSSL}
}

// minisignStarts is how the base64 line of a secret key starts: minisign's with and without a password
// ("Ed", then "Sc" or zeros, then "B2"), signify's and usign's with either ("Ed", "BK").
var minisignStarts = []string{"RWRTY0Iy", "RWQAAEIy", "RWRCS"}

// Lengths of the base64 lines of public keys and signatures, whose random key ids may start so.
const (
	publicLine    = 56
	signatureLine = 100
)

func findMinisign(data []byte) (Secret, bool) {
	for _, start := range minisignStarts {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(start))
			if i < 0 {
				break
			}
			at += i
			line, _, _ := bytes.Cut(data[at:], []byte{'\n'})
			line = bytes.TrimRight(line, blanks)
			if beginsLine(data, at) && len(line) != publicLine && len(line) != signatureLine {
				return Secret{"a minisign or signify secret key", publicMinisign}, true
			}
			at += len(start)
		}
	}
	return Secret{}, false
}
