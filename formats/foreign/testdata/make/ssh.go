// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func cryptoKey(k ssh.PublicKey) ed25519.PublicKey {
	return k.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)
}

// sshSignature wants an artifact and an Ed25519 signature over its SHA-512 (PROTOCOL.sshsig).
func sshSignature(files ...string) signed {
	block, _ := pem.Decode(read(files[1]))
	var file struct {
		Magic                         [6]byte
		Version                       uint32
		Key                           []byte
		Namespace, Reserved, HashName string
		Signature                     []byte
	}
	check(ssh.Unmarshal(block.Bytes, &file))
	sum := sha512.Sum512(read(files[0]))
	blob := ssh.Marshal(struct {
		Magic                         [6]byte
		Namespace, Reserved, HashName string
		Hash                          []byte
	}{file.Magic, file.Namespace, file.Reserved, file.HashName, sum[:]})
	var sig ssh.Signature
	check(ssh.Unmarshal(file.Signature, &sig))
	return signed{blob, sig.Blob, cryptoKey(must(ssh.ParsePublicKey(file.Key)))}
}

// sshCertificate wants a certificate by an Ed25519 key.
func sshCertificate(files ...string) signed {
	key, _, _, _, err := ssh.ParseAuthorizedKey(read(files[0]))
	check(err)
	c := key.(*ssh.Certificate)
	const length = 4
	raw := c.Marshal()
	return signed{raw[:len(raw)-length-len(ssh.Marshal(c.Signature))], c.Signature.Blob, cryptoKey(c.SignatureKey)}
}

// recorder is an agent that keeps what it signs.
type recorder struct {
	agent.Agent
	key  ssh.PublicKey
	data []byte
	sig  *ssh.Signature
}

func (r *recorder) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	sig, err := r.Agent.Sign(key, data)
	r.key, r.data, r.sig = key, data, sig
	return sig, err
}

// userAuth wants a private key, with which ssh logs in to a server that takes anybody.
func userAuth(files ...string) signed {
	r := &recorder{Agent: agent.NewKeyring()}
	check(r.Add(agent.AddedKey{PrivateKey: must(ssh.ParseRawPrivateKey(read(files[0])))}))
	folder := must(os.MkdirTemp("", ""))
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "agent")
	agents := must(net.Listen("unix", socket))
	go func() {
		for {
			go agent.ServeAgent(r, must(agents.Accept()))
		}
	}()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(must(ssh.NewSignerFromKey(private)))
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() {
		c := must(server.Accept())
		_, _, _, _ = ssh.NewServerConn(c, config)
		c.Close()
	}()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	client := exec.Command("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "IdentityAgent="+socket, "-o", "BatchMode=yes", "-p", port, "somebody@127.0.0.1", "true")
	_ = client.Run() // the server hangs up
	return signed{r.data, r.sig.Blob, cryptoKey(must(ssh.ParsePublicKey(r.key.Marshal())))}
}
