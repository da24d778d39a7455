// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// chaosTenants submit; a kill point build tells them apart by a header.
var chaosTenants = []string{"default", "ant", "bee", "cat"}

// planned is one submission of a run.
type planned struct {
	tenant              string
	signer              string
	artifact, signature []byte
	key                 []byte
	batched             bool // it goes into the gateway's own log
}

// signer signs artifacts.
type signer struct {
	name string
	key  []byte
	sign func(artifact []byte) []byte
}

// plan returns what is sent: NATIVE, PROJECTED and ATTESTED signatures. Some are sent by two tenants, and are
// one entry then.
func (c chaos) plan(t *testing.T) (all []planned) {
	t.Helper()
	random := c.random(1)
	signers := []signer{
		newX509Signer(), newPGPSigner(t, "projected", packet.PubKeyAlgoRSA), newX509Signer(), newPGPSigner(t, "attested", packet.PubKeyAlgoEdDSA),
	}
	for i := range signers {
		signers[i].name = fmt.Sprint("signer", i)
	}
	for i := range c.submissions {
		p := planned{tenant: chaosTenants[random.IntN(len(chaosTenants))], artifact: fmt.Appendf(nil, "artifact %d of %d", i, c.seed)}
		s := signers[random.IntN(len(signers))]
		p.signer, p.key, p.batched = s.name, s.key, c.batched && random.IntN(3) == 0
		switch shared := i > 0 && random.IntN(12) == 0; {
		case shared && all[i-1].tenant != p.tenant:
			tenant := p.tenant
			p = all[i-1]
			p.tenant = tenant
		default:
			p.signature = s.sign(p.artifact)
		}
		all = append(all, p)
	}
	return all
}

func newX509Signer() signer {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return signer{
		key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&key.PublicKey))}),
		sign: func(artifact []byte) []byte {
			sum := sha256.Sum256(artifact)
			return must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
		},
	}
}

func newPGPSigner(t *testing.T, name string, algorithm packet.PublicKeyAlgorithm) signer {
	t.Helper()
	config := &packet.Config{Algorithm: algorithm, RSABits: 2048, DefaultHash: crypto.SHA256}
	entity := must(openpgp.NewEntity(strings.ToUpper(name), "", name+"@chaos.example", config))
	var key bytes.Buffer
	if err := entity.Serialize(&key); err != nil {
		t.Fatal(err)
	}
	return signer{key: key.Bytes(), sign: func(artifact []byte) []byte {
		var signature bytes.Buffer
		if err := openpgp.DetachSign(&signature, entity, bytes.NewReader(artifact), config); err != nil {
			t.Fatal(err)
		}
		return signature.Bytes()
	}}
}
