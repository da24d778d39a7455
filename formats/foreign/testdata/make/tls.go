// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"time"
)

// witness is a key that keeps what it signs; Ed25519 is given the message and no digest.
type witness struct {
	crypto.Signer
	message, signature []byte
}

func (w *witness) Sign(r io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	sig, err := w.Signer.Sign(r, message, o)
	w.message, w.signature = message, sig
	return sig, err
}

// tlsConfig has a certificate whose key is watched; files are it, its key, and the minor version.
func tlsConfig(files []string) (*tls.Config, *witness) {
	pair := must(tls.LoadX509KeyPair(files[0], files[1]))
	w := &witness{Signer: pair.PrivateKey.(ed25519.PrivateKey)}
	pair.PrivateKey = w
	version := uint16(tls.VersionTLS10) + uint16(files[2][0]-'1') + 1
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: version, MaxVersion: version, InsecureSkipVerify: true}, w
}

func (w *witness) result() signed {
	return signed{w.message, w.signature, w.Public()}
}

// tlsServer is connected to by openssl s_client.
func tlsServer(files ...string) signed {
	config, w := tlsConfig(files)
	server := must(tls.Listen("tcp", "127.0.0.1:0", config))
	client := exec.Command("openssl", "s_client", "-connect", server.Addr().String())
	check(client.Start())
	c := must(server.Accept()).(*tls.Conn)
	check(c.Handshake())
	c.Close()
	_ = client.Wait()
	return w.result()
}

// tlsClient connects to openssl s_server, which asks for a certificate.
func tlsClient(files ...string) signed {
	config, w := tlsConfig(files)
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	address := free.Addr().String()
	free.Close()
	server := exec.Command("openssl", "s_server", "-accept", address, "-cert", files[0], "-key", files[1], "-Verify", "1", "-quiet")
	check(server.Start())
	defer server.Process.Kill()
	for range 100 {
		if c, err := tls.Dial("tcp", address, config); err == nil {
			_ = c.Handshake()
			c.Close()
			return w.result()
		}
		time.Sleep(50 * time.Millisecond)
	}
	panic("no handshake")
}
