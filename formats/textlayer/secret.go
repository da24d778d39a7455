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
	for _, find := range []func([]byte) (Secret, bool){findStart, findLine, findPEM, findJSON, findBinary} {
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
	publicSigner   = "the public key of the key that signed"
)

// mark is text that only private keys have.
type mark struct {
	text   string
	secret Secret
}

// startMarks begin a file.
var startMarks = []mark{
	{"(11:private-key", Secret{"a private key of GnuPG's agent", publicPGP}},
	{"(21:protected-private-key", Secret{"a private key of GnuPG's agent", publicPGP}},
	{"openssh-key-v1\x00", Secret{"an OpenSSH private key", publicOpenSSH}},
}

func findStart(data []byte) (Secret, bool) {
	data = bytes.TrimLeft(data, blanks)
	for _, m := range startMarks {
		if bytes.HasPrefix(data, []byte(m.text)) {
			return m.secret, true
		}
	}
	if bytes.HasPrefix(data, []byte("<")) && bytes.Contains(data, []byte("<RSAKeyValue>")) && bytes.Contains(data, []byte("<D>")) {
		return Secret{"an RSA private key in XML", publicOpenSSL}, true
	}
	return Secret{}, false
}

// lineMarks begin a line, by their first octet.
var lineMarks = byFirst(
	mark{"PuTTY-User-Key-File-", Secret{"a PuTTY private key", "puttygen KEY -O public-openssh"}},
	mark{"SSH PRIVATE KEY FILE FORMAT", Secret{"an SSH 1 private key", publicOpenSSH}},
	mark{"b3BlbnNzaC1rZXktdjE", Secret{"an OpenSSH private key", publicOpenSSH}},
	mark{"AGE-SECRET-KEY-", Secret{"an age identity", publicSigner + "; age keys sign nothing"}},
	mark{"AGE-PLUGIN-", Secret{"an age identity", publicSigner + "; age keys sign nothing"}},
	mark{"PRIVATE+KEY+", Secret{"a C2SP note signer's key", publicSigner}},
	mark{"Private-key-format:", Secret{"a DNSSEC private key", publicSigner}},
	mark{"Key: (private-key", Secret{"a private key of GnuPG's agent", publicPGP}},
	mark{"Key: (protected-private-key", Secret{"a private key of GnuPG's agent", publicPGP}},
	mark{minisignPlain, minisignSecret}, mark{minisignLocked, minisignSecret}, mark{signifySecret, minisignSecret},
)

// How the base64 line of a secret key starts: minisign's without and with a password ("Ed", then zeros or "Sc", then "B2"),
// signify's and usign's with either ("Ed", "BK").
const (
	minisignPlain  = "RWQAAEIy"
	minisignLocked = "RWRTY0Iy"
	signifySecret  = "RWRCS"
)

var minisignSecret = Secret{"a minisign or signify secret key", publicMinisign}

func byFirst(list ...mark) map[byte][]mark {
	out := map[byte][]mark{}
	for _, m := range list {
		out[m.text[0]] = append(out[m.text[0]], m)
	}
	return out
}

// findLine looks at how each line begins, after any blanks.
func findLine(data []byte) (Secret, bool) {
	for data = bytes.TrimLeft(data, blanks); len(data) > 0; data = bytes.TrimLeft(data, blanks) {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		line, data = bytes.TrimRight(line, blanks), rest
		for _, m := range lineMarks[line[0]] {
			if bytes.HasPrefix(line, []byte(m.text)) && (m.secret != minisignSecret || isSecretLine(line)) {
				return m.secret, true
			}
		}
	}
	return Secret{}, false
}

// Lengths of the base64 lines of minisign's and signify's public keys and signatures, whose random key ids may start as secret
// keys do.
const (
	publicLine    = 56
	signatureLine = 100
)

func isSecretLine(line []byte) bool { return len(line) != publicLine && len(line) != signatureLine }

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
