// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"

	rekorpkcs7 "github.com/sigstore/rekor/pkg/pki/pkcs7"
	"go.mozilla.org/pkcs7"
)

// opensslCMSVerify asks "openssl cms" without a chain of trust, which rekor-gateway asks for only
// when roots are configured. Given keys, the signer must be one of them. What was signed as text
// verifies without -binary only, and rarely the other way round.
func opensslCMSVerify(dir string, s submission) verdict {
	args := opensslCMSArgs(dir, s)
	if run(dir, nil, "openssl", append(args, "-binary")...) == nil {
		return accept()
	}
	return judged(run(dir, nil, "openssl", args...))
}

func opensslCMSArgs(dir string, s submission) []string {
	form := "SMIME"
	switch {
	case bytes.HasPrefix(s.signature, []byte("-----BEGIN")):
		form = "PEM"
	case len(s.signature) == 0 || s.signature[0] == 0x30:
		form = "DER"
	}
	args := []string{"cms", "-verify", "-noverify", "-inform", form, "-in", put(dir, "sig", s.signature), "-out", "/dev/null"}
	if s.artifact != nil {
		args = append(args, "-content", put(dir, "artifact", s.artifact))
	}
	if len(s.keys) > 0 {
		args = append(args, "-nointern", "-certfile", put(dir, "keys.pem", bytes.Join(s.keys, nil)))
	}
	return args
}

// mozillaVerify asks go.mozilla.org/pkcs7, which has no notion of PEM or of keys beside
// the signature: both are prepared for it as programs do.
func mozillaVerify(_ string, s submission) verdict {
	raw := s.signature
	if block, _ := pem.Decode(raw); block != nil {
		raw = block.Bytes
	}
	if bytes.Contains(raw[:min(len(raw), 64)], []byte("MIME-Version")) {
		return notApplicable("no S/MIME")
	}
	p7, err := pkcs7.Parse(raw)
	if err != nil {
		return refuse(err)
	}
	if len(p7.Content) == 0 {
		p7.Content = s.artifact
	}
	for _, k := range s.keys {
		for block, rest := pem.Decode(k); block != nil; block, rest = pem.Decode(rest) {
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				p7.Certificates = append(p7.Certificates, c)
			}
		}
	}
	return judged(p7.Verify())
}

// rekorPKCS7: Rekor takes the signature itself as the key file, and nothing else.
func rekorPKCS7(_ string, s submission) verdict {
	if bytes.Contains(s.signature[:min(len(s.signature), 64)], []byte("MIME-Version")) {
		return notApplicable("no S/MIME")
	}
	sig, err := rekorpkcs7.NewSignature(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	key, err := rekorpkcs7.NewPublicKey(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}
