// SPDX-License-Identifier: Apache-2.0

// Package foreign recognises bytes that another signature protocol signs. A signature made
// for that protocol must not become "this key signed this artifact".
//
// It is a deny-list: a protocol that is not on it is not recognised, and nothing here says that an
// artifact was signed on purpose. Each kind is recognised by what honest files do not have by accident:
// a label of its protocol together with the structure that follows it, or lengths that fit the artifact's
// size exactly. The weakest one, an OpenPGP trailer of version 4, is in one of 2^55 random files, but for minisign's: one in
// 1,500 random files of 68 bytes, and fewer of each other size.
//
// Some protocols sign bytes without any structure: the digest that OpenPGP's and minisign's Ed25519
// signatures are over, the exchange hash of an SSH host, the text of a C2SP note that is no checkpoint. They
// look like any file and are not on the list.
package foreign

import "github.com/rekor-gateway/rekor-gateway/formats"

// CheckPrefix starts the name of every check that Finish returns.
const CheckPrefix = "not-"

// kind is what one protocol signs. To add one: a recogniser that accepts real files, a row in kinds, bytes that
// the protocol's own tool signed in testdata, a row in docs/formats.md.
type kind struct {
	check     string // that states it was excluded
	is        string // what the artifact is, after "the artifact is"
	hint      string
	recognise func(*window) bool
	// excludes reports whether an artifact that was not recognised is certainly none; nil is always.
	excludes func(*window) bool
}

const (
	hintOriginal = "send the signature in its own format, over the file that it is for"
	hintSignFile = "sign the file itself; the key's signatures for this protocol are not about files"
)

// kinds is in alphabetical order of the checks, which is the order they are stated in.
var kinds = []kind{
	{"not-checkpoint", "the text of a log's checkpoint or of a cosignature", hintSignFile, isCheckpoint, nil},
	{"not-cms-attributes", "the signed attributes of a CMS signature", "send the CMS signature itself: format=pkcs7", isAttributes, nil},
	{"not-cose", "what a COSE signature signs", hintOriginal, isCOSE, nil},
	{"not-dsse", "what a DSSE envelope's signature signs", hintOriginal, isDSSE, nil},
	{"not-jws", "the signing input of a JSON Web Signature", hintOriginal, isJWS, excludesJWS},
	{"not-minisign", "what minisign signs for a trusted comment: a signature and the comment", "send the .minisig file itself: format=minisign", isMinisign, excludesMinisign},
	{"not-openpgp", "what an OpenPGP signature signs: a file and the signature's trailer", "send the OpenPGP signature itself: format=pgp", isOpenPGP, nil},
	{"not-openpgp-v3", "what an OpenPGP signature of version 3 signs: a file and the signature's trailer", "send the OpenPGP signature itself: format=pgp", isOpenPGPv3, excludesOpenPGPv3},
	{"not-sigsum", "what a Sigsum log's submitter signs", hintOriginal, isSigsum, nil},
	{"not-ssh-certificate", "an SSH certificate", hintSignFile, isSSHCertificate, excludesSecurityKey},
	{"not-ssh-userauth", "a log-in to an SSH server", hintSignFile, isUserAuth, excludesSecurityKey},
	{"not-sshsig", "what an SSH signature signs", "send the SSH signature itself: format=ssh", isSSHSIG, excludesSecurityKey},
	{"not-tls", "what a TLS handshake signs", hintSignFile, isTLS, nil},
	{"not-tsp", "a time-stamp authority's TSTInfo", hintSignFile, isTSTInfo, nil},
	{"not-tuf", "the signed part of TUF metadata", "send the metadata itself: format=tuf", isTUF, excludesTUF},
	{"not-x509", "the signed part of a certificate, CRL, OCSP response or certificate request", hintSignFile, isPKIX, nil},
}

// Sniffer looks at what is written to it. It keeps about 128 KiB of it until Finish.
type Sniffer struct{ window *window }

// Write never fails.
func (s *Sniffer) Write(p []byte) (int, error) {
	if s.window == nil {
		s.window = newWindow()
	}
	s.window.write(p)
	return len(p), nil
}

// Finish returns a refusal with ReasonProtocolConfusion when all that was written is what another protocol signs,
// else the checks that exclude it, in alphabetical order. The list depends on the artifact: a check is left out
// where the artifact may be that kind after all. The Sniffer is as new then.
func (s *Sniffer) Finish() (checks []string, err error) {
	w := s.window
	if w == nil {
		w = newWindow()
	}
	s.window = nil
	defer w.release()
	w.straighten()
	if k := w.recognise(); k != nil {
		return nil, formats.NewError(formats.ReasonProtocolConfusion, "the artifact is "+k.is+", not a file", k.hint)
	}
	for _, k := range kinds {
		if k.excludes == nil || k.excludes(w) {
			checks = append(checks, k.check)
		}
	}
	return checks, nil
}

func (w *window) recognise() *kind {
	for i := range kinds {
		if kinds[i].recognise(w) {
			return &kinds[i]
		}
	}
	return nil
}
