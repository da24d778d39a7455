// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
)

// pointLine is the public key line of a P-521 key, the dearest to read.
func pointLine(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := xssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return xssh.MarshalAuthorizedKey(pub)
}

// TestHonestWork: a team's whole allowed_signers file passes, for a part of the budget.
func TestHonestWork(t *testing.T) {
	file := bytes.Repeat(pointLine(t), 9000)
	file = append(file, read(t, "ecdsa-256.pub")...)
	ctx := formats.WithWork(t.Context(), formats.NewWork(formats.MaxWork/2))
	if _, err := ssh.New().Parse(ctx, read(t, "ecdsa-256.sig"), [][]byte{file}, policy()); err != nil {
		t.Error(err)
	}
}

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	artifact, p := read(t, "artifact.txt"), policy()
	sig := read(t, "ecdsa-256.sig")
	options := []byte(`"` + strings.Repeat("*,", 2000) + `" namespaces="` + strings.Repeat("*f*i*l*e*x,", 300) + `" `)
	for name, v := range map[string]formatstest.Vector{
		"many keys":      {Signature: sig, Keys: [][]byte{bytes.Repeat(pointLine(t), 10000)}},
		"long lines":     {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat(append(options, pointLine(t)...), 500)}, 16)},
		"empty lines":    {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat([]byte("\n"), 4<<20)}, 4)},
		"comments":       {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat([]byte("#\n"), 2<<20)}, 8)},
		"principals":     principals(t, artifact, "a*a*a*a*a*a*a*b"),
		"one long match": principals(t, artifact, "*"+strings.Repeat("a", 15)+"b"),
	} {
		v.Artifact, v.Policy = artifact, p
		t.Run(name, func(t *testing.T) { _ = formatstest.CheckHostile(t, ssh.New(), v) })
	}
}

// principals is a signature with a certificate for as many principals as there may be, and lines of as many
// patterns as there may be about its authority, which none of them matches.
func principals(t *testing.T, artifact []byte, pattern string) formatstest.Vector {
	t.Helper()
	signer, _ := newECDSA(t)
	authority, line := newECDSA(t)
	cert := &xssh.Certificate{Key: signer.PublicKey(), CertType: xssh.UserCert, ValidBefore: xssh.CertTimeInfinity}
	for i := range 256 {
		cert.ValidPrincipals = append(cert.ValidPrincipals, fmt.Sprintf("%s%03d", strings.Repeat("a", 13), i))
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	patterns := strings.TrimSuffix(strings.Repeat(pattern+",", 7900/(len(pattern)+1)), ",")
	return formatstest.Vector{
		Signature: forge(t, signer, cert, artifact),
		Keys:      [][]byte{bytes.Repeat([]byte(patterns+" cert-authority "+string(line)), 16)},
	}
}
