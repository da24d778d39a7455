// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"encoding/pem"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// What Rekor v1 puts into each SSH signature that it records, and so cannot verify others.
const (
	wholeNamespace = "file"
	wholeHash      = formats.SHA512
)

// buildWhole returns the signature as Rekor v1 records it, or why it does not: the blob in PEM, and the key as a line without
// a comment.
func (p *parsedSignature) buildWhole() (*formats.Whole, *formats.Error) {
	switch {
	case p.cert != nil:
		return nil, formats.NewError(formats.ReasonNotProjectable, "Rekor v1 does not know certificates of SSH, only the keys in them", "sign with the key alone: move KEY-cert.pub away")
	case p.namespace != wholeNamespace:
		return nil, formats.NewError(formats.ReasonNotProjectable, "Rekor v1 takes SSH signatures of the namespace file alone", "sign with: ssh-keygen -Y sign -n file -f KEY FILE")
	case p.hash != wholeHash:
		return nil, formats.NewError(formats.ReasonNotProjectable, "Rekor v1 takes SSH signatures over the SHA-512 of the file alone", "sign with: ssh-keygen -Y sign -n file -O hashalg=sha512 -f KEY FILE")
	}
	blob := xssh.Marshal(wireBlob{
		Magic: [6]byte([]byte(magic)), Version: 1, PublicKey: p.key.Marshal(), Namespace: p.namespace, HashAlgorithm: string(p.hash), Signature: xssh.Marshal(p.raw),
	})
	return &formats.Whole{
		Format: name, Signature: pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: blob}), Key: xssh.MarshalAuthorizedKey(p.key),
	}, nil
}
