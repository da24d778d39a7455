// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// usualWrong are keys that sign nothing in the corpus, or are not the signer's where they do.
var usualWrong = map[string]string{
	"x509": "rsa2560.pem", "pgp": "rsa2048.key", "ssh": "other.pub", "pkcs7": "other-cert.pem",
	"minisign": "other.pub", "tuf": "twice-root.json",
}

// asking collects the verifications of a new receipt, still without verdicts.
type asking struct {
	list []*verification
	base verification // by the right key, in the right way
}

// ask adds base as changed, soon after the receipt was made.
func (a *asking) ask(name string, change func(*verification)) {
	v := a.base
	v.Name = name
	change(&v)
	a.list = append(a.list, &v)
}

// askTwice adds base as changed, and the same ten years later.
func (a *asking) askTwice(name string, change func(*verification)) {
	a.ask(name, change)
	a.ask(name+", ten years later", func(v *verification) {
		change(v)
		v.At = v.At.AddDate(10, 0, 0)
	})
}

func same(*verification) {}

// noWay is an identity that nobody has.
var noWay = strings.Repeat("00", sha256.Size)

// questions returns what to ask of r, and keeps the files that it takes.
func (m *maker) questions(t *testing.T, v vector, r *receiptpb.Receipt, f *files) []*verification {
	a := &asking{base: verification{
		At: m.day.AddDate(0, 0, 1), SSHNamespaces: v.namespaces, AllowHistorical: len(r.GetFindings()) > 0,
	}}
	if v.want == gateway.Attested || v.batched {
		a.base.GatewayTrust = trustInUse
	}
	if v.artifact != "" {
		a.base.Artifact = f.keep("artifact", corpusInput(t, v.format, v.artifact))
	}
	expected := v.expected
	if expected == "" {
		expected = v.keys
	}
	for _, k := range strings.Fields(expected) {
		a.base.Keys = append(a.base.Keys, f.keep(k, corpusInput(t, v.format, k)))
	}
	a.askSigner(t, v, r, f)
	a.askArtifact(t, v, f)
	a.askPolicy(v, r)
	a.askTrust(v)
	if len(r.GetRecorded()) > 1 || len(r.GetUnchecked()) > 0 {
		a.askSeveral(t, v, f)
	}
	return a.list
}

// askSigner: who is expected to have signed.
func (a *asking) askSigner(t *testing.T, v vector, r *receiptpb.Receipt, f *files) {
	a.askTwice("right key", same)
	a.ask("right key, a month before it was made", func(v *verification) { v.At = v.At.AddDate(0, -1, 0) })
	for _, k := range strings.Fields(v.also) {
		name := f.keep(k, corpusInput(t, v.format, k))
		a.askTwice("right key as in "+name, func(v *verification) { v.Keys = []string{name} })
	}
	var ids []string
	for _, s := range r.GetSigners() {
		id := sha256.Sum256(s.GetSpki())
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	a.askTwice("right identity", func(v *verification) { v.Keys, v.Signers = nil, ids })
	a.ask("right key, another identity", func(v *verification) { v.Signers = []string{noWay} })
	if len(ids) > 1 {
		a.ask("one identity of several", func(v *verification) { v.Keys, v.Signers = nil, ids[:1] })
	}
	a.ask("another identity", func(v *verification) { v.Keys, v.Signers = nil, []string{noWay} })
	a.ask("anybody", func(v *verification) { v.Keys, v.AnySigner = nil, true })
	a.ask("nobody said who", func(v *verification) { v.Keys = nil })
	wrong := v.wrong
	if wrong == "" {
		wrong = usualWrong[v.format]
	}
	wrong = keepWrong(t, v.format+"-"+wrong, corpusInput(t, v.format, wrong))
	a.ask("wrong key", func(v *verification) { v.Keys = []string{wrong} })
	a.ask("wrong key beside the right one", func(v *verification) { v.Keys = append([]string{wrong}, v.Keys...) })
}

// askSeveral: which of those who signed are asked for.
func (a *asking) askSeveral(t *testing.T, v vector, f *files) {
	a.ask("each of the keys", func(v *verification) { v.Each = true })
	wrong := keepWrong(t, v.format+"-"+usualWrong[v.format], corpusInput(t, v.format, usualWrong[v.format]))
	a.ask("each of the keys and a stranger's", func(v *verification) { v.Each, v.Keys = true, append([]string{wrong}, v.Keys...) })
	if v.format == "pgp" {
		all := f.keep("keyring.gpg", corpusInput(t, v.format, "keyring.gpg"))
		a.ask("a keyring that has the keys of more", func(v *verification) { v.Keys = []string{all} })
	}
	for _, k := range strings.Fields(v.also) {
		name := f.keep(k, corpusInput(t, v.format, k))
		a.ask("no gateway, "+name, func(v *verification) { v.Keys, v.GatewayTrust = []string{name}, "" })
		a.ask("each of that one and a stranger's, "+name, func(v *verification) { v.Each, v.Keys = true, []string{name, wrong} })
	}
}

// askArtifact: which file is at hand.
func (a *asking) askArtifact(t *testing.T, v vector, f *files) {
	another := keepWrong(t, "artifact", corpusInput(t, "", "inputs/another"))
	a.ask("another artifact", func(v *verification) { v.Artifact = another })
	if v.artifact != "" {
		a.ask("no artifact", func(v *verification) { v.Artifact = "" })
	}
	if v.container != "" {
		packed := f.keep("container"+v.suffix(), corpusInput(t, "", v.artifact+v.suffix()))
		a.ask("the container as the artifact", func(v *verification) { v.Artifact = packed })
	}
	if v.artifact == "" {
		content := f.keep("content", v.content(t))
		a.ask("what is inside, as the artifact", func(v *verification) { v.Artifact = content })
	}
}

// content is what is inside of v's signature file.
func (v vector) content(t *testing.T) []byte {
	b := corpusInput(t, v.format, v.signature)
	switch {
	case v.format == "tuf":
		return b
	case v.format == "pgp":
		block, _ := clearsign.Decode(b)
		return block.Bytes
	case strings.HasPrefix(v.signature, "rsa2048-"), strings.Contains(v.signature, "/"):
		return corpusInput(t, "pkcs7", "artifact.bin")
	}
	text := bytes.ReplaceAll(corpusInput(t, "pkcs7", "text.txt"), []byte("\n"), []byte("\r\n"))
	if bytes.Contains(b, []byte("text/plain")) || v.signature == "text-opaque.eml" { // whose text is encoded
		text = append([]byte("Content-Type: text/plain\r\n\r\n"), text...)
	}
	return text
}

// askPolicy: what the reader accepts.
func (a *asking) askPolicy(v vector, r *receiptpb.Receipt) {
	if r.GetPolicy().GetHistorical() {
		a.ask("historical, the other way round", func(v *verification) { v.AllowHistorical = !v.AllowHistorical })
	}
	if v.logs && !r.GetPolicy().GetHistorical() {
		a.ask("historical allowed", func(v *verification) { v.AllowHistorical = true })
	}
	if v.format == "ssh" {
		a.ask("another SSH namespace", func(v *verification) { v.SSHNamespaces = []string{"other"} })
	}
	if len(v.namespaces) > 0 {
		a.ask("no SSH namespace named", func(v *verification) { v.SSHNamespaces = nil })
	}
}

// askTrust: which logs and gateways the reader trusts.
func (a *asking) askTrust(v vector) {
	root := func(name string) func(*verification) { return func(v *verification) { v.TrustedRoot = name } }
	trust := func(name string) func(*verification) { return func(v *verification) { v.GatewayTrust = name } }
	a.ask("another key of the log", root(rootOther))
	a.ask("log key ended since, ten years later", func(v *verification) {
		v.TrustedRoot, v.At = rootEnded, v.At.AddDate(10, 0, 0)
	})
	if v.logs {
		a.ask("log key ends soon", root(rootEnded))
		a.askTwice("log key ended before", root(rootEndedBefore))
		a.askTwice("log key starts later", root(rootStartsLater))
	}
	if v.batched {
		a.ask("a gateway without an own log trusted", trust(trustWithoutOwn))
		a.ask("anchor key retired before", trust(trustAnchorRetired))
	}
	if v.want != gateway.Attested && !v.batched {
		if v.logs {
			a.ask("a gateway trusted though none is needed", trust(trustInUse))
		}
		return
	}
	a.ask("no gateway trusted", func(v *verification) { v.GatewayTrust = "" })
	a.ask("another gateway trusted", trust(trustOther))
	a.ask("gateway key retired before", trust(trustRetired))
}
