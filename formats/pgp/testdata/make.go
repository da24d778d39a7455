// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Makes the vectors that GnuPG cannot: version 6 keys and signatures with go-crypto, and version 3
// signatures, whose trailer is put together here. Run in this folder, after make.sh.
package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"log"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var when = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	log.SetFlags(0)
	for name, c := range map[string]packet.Config{
		"v6-rsa":     {Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048},
		"v6-p256":    {Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256},
		"v6-ed25519": {Algorithm: packet.PubKeyAlgoEd25519},
	} {
		c.V6Keys, c.Time, c.DefaultHash = true, func() time.Time { return when }, crypto.SHA256
		e := entity(name, &c)
		artifact := read("artifact")
		var sig bytes.Buffer
		check(openpgp.DetachSign(&sig, e, bytes.NewReader(artifact), &c))
		write(name+".sig", sig.Bytes())
		sig.Reset()
		check(openpgp.ArmoredDetachSignText(&sig, e, bytes.NewReader(read("text")), &c))
		write(name+"-text.asc", sig.Bytes())
		sig.Reset()
		w := must(clearsign.Encode(&sig, e.PrivateKey, &c))
		must(w.Write(read("notes")))
		check(w.Close())
		write(name+"-cleartext.asc", append(sig.Bytes(), '\n'))
	}
	c := packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, Time: func() time.Time { return when }}
	e := entity("v3", &c)
	write("v3-SHA256.sig", v3(e, 0, crypto.SHA256, 8, read("artifact")))
	write("v3-SHA512.sig", v3(e, 0, crypto.SHA512, 10, read("artifact")))
	write("v3-SHA1.sig", v3(e, 0, crypto.SHA1, 2, read("artifact")))
	text := bytes.ReplaceAll(bytes.ReplaceAll(read("text"), []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	write("v3-text.sig", v3(e, 1, crypto.SHA256, 8, text))
}

func entity(name string, c *packet.Config) *openpgp.Entity {
	e := must(openpgp.NewEntity(name, "", name+"@example.org", c))
	var key bytes.Buffer
	w := must(armor.Encode(&key, "PGP PUBLIC KEY BLOCK", nil))
	check(e.Serialize(w))
	check(w.Close())
	write(name+".key", append(key.Bytes(), '\n'))
	return e
}

// v3 makes a version 3 signature packet (RFC 4880, section 5.2.2).
func v3(e *openpgp.Entity, kind byte, hash crypto.Hash, id byte, signed []byte) []byte {
	trailer := binary.BigEndian.AppendUint32([]byte{kind}, uint32(when.Unix()))
	h := hash.New()
	h.Write(signed)
	h.Write(trailer)
	sum := h.Sum(nil)
	value := must(rsa.SignPKCS1v15(rand.Reader, e.PrivateKey.PrivateKey.(*rsa.PrivateKey), hash, sum))
	body := append([]byte{3, 5}, trailer...)
	body = binary.BigEndian.AppendUint64(body, e.PrimaryKey.KeyId)
	body = append(body, byte(packet.PubKeyAlgoRSA), id, sum[0], sum[1])
	for value[0] == 0 {
		value = value[1:]
	}
	bits := 8 * len(value)
	for mask := byte(0x80); value[0]&mask == 0; mask >>= 1 {
		bits--
	}
	body = append(binary.BigEndian.AppendUint16(body, uint16(bits)), value...)
	return append(binary.BigEndian.AppendUint16([]byte{0x89}, uint16(len(body))), body...)
}

func read(name string) []byte { return must(os.ReadFile(name)) }

func write(name string, b []byte) { check(os.WriteFile(name, b, 0o644)) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
