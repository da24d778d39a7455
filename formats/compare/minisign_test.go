// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"

	gominisign "github.com/jedisct1/go-minisign"
	rekorminisign "github.com/sigstore/rekor/pkg/pki/minisign"
)

// firstKey is the key file of tools that take one.
func (s submission) firstKey() []byte {
	if len(s.keys) == 0 {
		return nil
	}
	return s.keys[0]
}

func minisignVerify(dir string, s submission) verdict {
	if len(s.keys) > 1 {
		return notApplicable("takes one key")
	}
	sig, artifact, key := put(dir, "sig", s.signature), put(dir, "artifact", s.artifact), put(dir, "key.pub", s.firstKey())
	if s.signify {
		return judged(run(dir, nil, "signify-openbsd", "-V", "-q", "-p", key, "-x", sig, "-m", artifact))
	}
	return judged(run(dir, nil, "minisign", "-V", "-q", "-p", key, "-x", sig, "-m", artifact))
}

func goMinisignVerify(_ string, s submission) verdict {
	if s.signify {
		return notApplicable("no signify")
	}
	key, err := gominisign.DecodePublicKey(string(s.firstKey()))
	if err != nil {
		return refuse(err)
	}
	sig, err := gominisign.DecodeSignature(string(s.signature))
	if err != nil {
		return refuse(err)
	}
	_, err = key.Verify(s.artifact, sig)
	return judged(err)
}

func rekorMinisign(_ string, s submission) verdict {
	if len(s.keys) > 1 {
		return notApplicable("takes one key")
	}
	sig, err := rekorminisign.NewSignature(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	key, err := rekorminisign.NewPublicKey(bytes.NewReader(s.firstKey()))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}
