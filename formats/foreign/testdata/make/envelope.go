// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	cosigner "github.com/transparency-dev/formats/note"
	"github.com/veraison/go-cose"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// envelope wants a Sigstore bundle with a DSSE envelope.
func envelope(files ...string) signed {
	var bundle struct{ DSSEEnvelope dsse.Envelope }
	check(json.Unmarshal(read(files[0]), &bundle))
	e := bundle.DSSEEnvelope
	payload, sig := must(e.DecodeB64Payload()), must(base64.StdEncoding.DecodeString(e.Signatures[0].Sig))
	return signed{dsse.PAE(e.PayloadType, payload), sig, readKey(files[1])}
}

// leaf wants a request as sigsum-submit makes it: the leaf is over the hash of the message.
func leaf(files ...string) signed {
	values := map[string][]byte{}
	for line := range strings.Lines(string(read(files[0]))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = must(hex.DecodeString(value))
	}
	sum := sha256.Sum256(values["message"])
	return signed{append([]byte("sigsum.org/v1/tree-leaf\x00"), sum[:]...), values["signature"], ed25519.PublicKey(values["public_key"])}
}

func jws(...string) signed {
	public, private := newKey()
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: private}, nil))
	compact := must(must(signer.Sign([]byte(`{"sub":"somebody"}`))).CompactSerialize())
	i := strings.LastIndex(compact, ".")
	return signed{[]byte(compact[:i]), must(base64.RawURLEncoding.DecodeString(compact[i+1:])), public}
}

func coseSign1(...string) signed {
	public, private := newKey()
	w := &witness{Signer: private}
	signer := must(cose.NewSigner(cose.AlgorithmEdDSA, w))
	headers := cose.Headers{Protected: cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA}}
	_ = must(cose.Sign1(rand.Reader, signer, headers, []byte("a release"), nil))
	return signed{w.message, w.signature, public}
}

// checkpoint is a note as the Go checksum database signs it.
func checkpoint(...string) signed {
	secret, verifier, err := note.GenerateKey(rand.Reader, "sum.example.org")
	check(err)
	text := string(tlog.FormatTree(tlog.Tree{N: 7, Hash: tlog.RecordHash([]byte("a record"))}))
	file := must(note.Sign(&note.Note{Text: text}, must(note.NewSigner(secret))))
	return fromNote(file, verifier, []byte(text), 4)
}

// cosignature is what a witness signs (C2SP tlog-cosignature).
func cosignature(...string) signed {
	secret, verifier, err := note.GenerateKey(rand.Reader, "witness.example.org")
	check(err)
	text := "log.example.org\n7\n" + tlog.RecordHash([]byte("a record")).String() + "\n"
	file := must(note.Sign(&note.Note{Text: text}, must(cosigner.NewSignerForCosignatureV1(secret))))
	s := fromNote(file, verifier, nil, 4+8)
	raw := noteSignature(file)
	s.bytes = fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(raw[4:]), text)
	return s
}

func noteSignature(file []byte) []byte {
	line := file[bytes.LastIndexByte(bytes.TrimSpace(file), ' ')+1:]
	return must(base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line))))
}

// fromNote takes the signature after skip bytes of key hash and time; the verifier's key comes after its type.
func fromNote(file []byte, verifier string, text []byte, skip int) signed {
	key := must(base64.StdEncoding.DecodeString(strings.SplitN(verifier, "+", 3)[2]))
	return signed{text, noteSignature(file)[skip:], ed25519.PublicKey(key[1:])}
}

func newKey() (ed25519.PublicKey, ed25519.PrivateKey) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	return public, private
}
