// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	rekorpgp "github.com/sigstore/rekor/pkg/pki/pgp"
)

var cleartextBegin = []byte("-----BEGIN PGP SIGNED MESSAGE-----")

func isCleartext(s submission) bool { return bytes.Contains(s.signature, cleartextBegin) }

// gpgVerify asks gpg, which exits 0 for a good signature by a key in its keyring.
func gpgVerify(dir string, s submission) verdict {
	home := filepath.Join(dir, "gnupg")
	check(os.MkdirAll(home, 0o700))
	args := []string{"--homedir", home, "--batch", "--no-tty", "--no-options", "--no-auto-key-retrieve", "--no-autostart",
		"--trust-model", "always", "--faked-system-time", now.Format("20060102T150405!"),
		"--no-default-keyring", "--keyring", put(dir, "keys.gpg", dearmorKeys(s.keys)), "--verify", put(dir, "sig", s.signature)}
	if s.artifact != nil {
		args = append(args, put(dir, "artifact", s.artifact))
	}
	return judged(run(dir, nil, "gpg", args...))
}

// dearmorKeys joins key files as a binary keyring.
func dearmorKeys(files [][]byte) []byte {
	var out []byte
	for _, f := range files {
		if !bytes.Contains(f, []byte("-----BEGIN PGP")) {
			out = append(out, f...)
			continue
		}
		for r := bytes.NewReader(f); ; {
			block, err := armor.Decode(r)
			if err != nil {
				break
			}
			body, _ := io.ReadAll(block.Body) // what is damaged stays damaged
			out = append(out, body...)
		}
	}
	return out
}

// goCryptoVerify asks ProtonMail's library as most programs do.
func goCryptoVerify(_ string, s submission) verdict {
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(dearmorKeys(s.keys)))
	if err != nil {
		return refuse(err)
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	switch {
	case isCleartext(s):
		block, _ := clearsign.Decode(s.signature)
		if block == nil {
			return refuse(errors.New("no cleartext signature"))
		}
		_, err = block.VerifySignature(keys, config)
	case bytes.HasPrefix(bytes.TrimLeft(s.signature, " \t\r\n"), []byte("-----BEGIN")):
		_, err = openpgp.CheckArmoredDetachedSignature(keys, bytes.NewReader(s.artifact), bytes.NewReader(s.signature), config)
	default:
		_, err = openpgp.CheckDetachedSignature(keys, bytes.NewReader(s.artifact), bytes.NewReader(s.signature), config)
	}
	return judged(err)
}

func rekorPGP(_ string, s submission) verdict {
	if isCleartext(s) {
		return notApplicable("takes detached signatures only")
	}
	sig, err := rekorpgp.NewSignature(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	key, err := rekorpgp.NewPublicKey(bytes.NewReader(bytes.Join(s.keys, nil)))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}
