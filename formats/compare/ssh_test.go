// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"cmp"

	"github.com/hiddeco/sshsig"
	rekorssh "github.com/sigstore/rekor/pkg/pki/ssh"
	xssh "golang.org/x/crypto/ssh"
)

const principal = "release@example.org"

// sshKeygenVerify asks ssh-keygen; public key lines become lines of an allowed_signers file.
func sshKeygenVerify(dir string, s submission) verdict {
	var allowed bytes.Buffer
	for _, file := range s.keys {
		if _, _, options, _, err := xssh.ParseAuthorizedKey(file); err == nil && len(options) == 0 {
			allowed.WriteString(principal + " ")
		}
		allowed.Write(append(bytes.Clone(file), '\n'))
	}
	return judged(run(dir, s.artifact, "ssh-keygen", "-Y", "verify", "-f", put(dir, "allowed", allowed.Bytes()), "-I", principal,
		"-n", cmp.Or(s.namespace, "file"), "-s", put(dir, "sig", s.signature), "-Overify-time="+now.Format("20060102150405Z")))
}

// onlyKey returns the key of a .pub file, nil for any other file.
func (s submission) onlyKey() xssh.PublicKey {
	key, _, options, rest, err := xssh.ParseAuthorizedKey(s.firstKey())
	if err != nil || len(options)+len(rest) > 0 {
		return nil
	}
	return key
}

// sshsigVerify asks a library that puts the SSHSIG format around golang.org/x/crypto/ssh.
func sshsigVerify(_ string, s submission) verdict {
	key := s.onlyKey()
	if key == nil {
		return notApplicable("takes one public key, no allowed_signers file")
	}
	sig, err := sshsig.Unarmor(s.signature)
	if err != nil {
		return refuse(err)
	}
	return judged(sshsig.Verify(bytes.NewReader(s.artifact), sig, key, sig.HashAlgorithm, cmp.Or(s.namespace, "file")))
}

func rekorSSH(_ string, s submission) verdict {
	if s.onlyKey() == nil {
		return notApplicable("takes one public key, no allowed_signers file")
	}
	sig, err := rekorssh.NewSignature(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	key, err := rekorssh.NewPublicKey(bytes.NewReader(s.firstKey()))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}
