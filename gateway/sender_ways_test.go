// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// mail is a signature in the copies in which it may be sent.
type mail struct {
	name, format string
	policy       formats.Policy
	artifact     []byte // that it is over; nil when it is inside
	content      []byte // what is inside; nil when nothing is, or where that is not known
	copies       []letter
}

// letter is a copy of a signature with the keys that it is sent with.
type letter struct {
	name      string
	signature []byte
	keys      [][]byte
	expected  [][][]byte // each is what one call of verify gets as keys
}

// way is how somebody sends a letter, and what he has when he verifies its receipt.
type way struct {
	name     string
	request  gateway.Request
	sent     []byte // as the artifact; nil: nothing
	file     []byte // that was signed
	optional bool   // verify may be called without the file
	expected [][][]byte
}

func (w way) give() (formats.Artifact, error) {
	if w.sent == nil {
		return gatewaytest.NoArtifact()
	}
	return gatewaytest.Bytes(w.sent)()
}

// mails are the signatures of the receipt corpus, and those of CMS that have several forms.
func mails(t *testing.T) []mail {
	t.Helper()
	folders, err := filepath.Glob("receipt/testdata/corpus/*/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []mail
	seen := map[string]bool{}
	for _, f := range folders {
		if strings.HasPrefix(filepath.Base(filepath.Dir(f)), "edited-") {
			continue // another receipt's signature
		}
		m := corpusMail(t, filepath.Dir(f))
		key := m.format + string(m.copies[0].signature) + string(m.artifact) + string(bytes.Join(m.copies[0].keys, nil))
		if !seen[key] {
			list = append(list, m)
		}
		seen[key] = true
	}
	for _, md := range []string{"sha256", "sha384-noattr", "sha512"} {
		list = append(list, formsMail(t, md))
	}
	return list
}

// corpusMail takes the signature out of a receipt of the corpus, with the key and the file of a reader.
func corpusMail(t *testing.T, folder string) mail {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var asked struct {
		Verifications []struct {
			Name, Artifact string
			Keys           []string
			SSHNamespaces  []string `json:"ssh_namespaces"`
		}
	}
	if b, err = os.ReadFile(filepath.Join(folder, "verdicts.json")); err == nil {
		err = json.Unmarshal(b, &asked)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := asked.Verifications[0]
	m := mail{
		name: filepath.Base(folder), format: r.GetSignature().GetFormat(),
		policy: formats.Policy{Historical: formats.AllowAll(r.GetPolicy().GetHistorical()), SSHNamespaces: first.SSHNamespaces},
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if first.Artifact != "" {
		m.artifact = read(first.Artifact)
	}
	if _, err := os.Stat(filepath.Join(folder, "content")); err == nil {
		m.content = read("content")
	}
	l := letter{name: "as it is", signature: r.GetSignature().GetContent()}
	for _, name := range first.Keys {
		l.keys = append(l.keys, read(name))
	}
	l.expected = [][][]byte{l.keys}
	m.copies = l.rewrap(m.format)
	return m
}

// rewrap returns l and, where its format has them, copies that are wrapped otherwise.
func (l letter) rewrap(format string) []letter {
	other := l
	switch block, _ := pem.Decode(l.signature); {
	case format == "pkcs7" && block != nil:
		other.name, other.signature = "DER", block.Bytes
	case format == "pkcs7" && l.signature[0] == 0x30:
		other.name, other.signature = "PEM", pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: l.signature})
	case format == "minisign" && bytes.Contains(l.signature, []byte("\ntrusted comment: ")):
		other.name, other.signature = "another comment", bytes.Replace(l.signature, []byte("untrusted comment: "), []byte("untrusted comment: my "), 1)
	default:
		return []letter{l}
	}
	return []letter{l, other}
}

// formsMail returns a CMS signature with the content inside and without, each in copies that differ in what
// nobody signed.
func formsMail(t *testing.T, name string) mail {
	t.Helper()
	file := func(name string) []byte { return testdata(t, "pkcs7/testdata/"+name) }
	original, content := file("forms/attached-"+name+".der"), file("artifact.bin")
	certificate, key := [][]byte{file("forms/cert.pem")}, [][]byte{file("forms/key.pem")}
	inside := [][][]byte{certificate, key} // with the certificate inside, the bare key tells who signed
	m := mail{name: "pkcs7-forms-" + name, format: "pkcs7", artifact: content, content: content}
	for _, form := range []string{"attached", "detached"} {
		der := original
		if form == "detached" {
			der = cmsedit.Detach(der)
		}
		m.copies = append(m.copies,
			letter{form, der, nil, inside},
			letter{form + ", its certificate beside it", der, certificate, inside},
			letter{form + ", its key beside it", der, key, inside},
			letter{form + ", without certificates", cmsedit.DropCertificates(der), certificate, [][][]byte{certificate}},
			letter{form + ", unsigned attribute", cmsedit.AddUnsigned(der, "one"), nil, inside},
			letter{form + ", another unsigned attribute", cmsedit.AddUnsigned(der, "two"), nil, inside},
			letter{form + ", as PEM", pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}), nil, inside},
		)
	}
	return m
}

// ways returns every way to send m, or nil when the plugin refuses it by now.
func (m mail) ways(t *testing.T, p formats.Policy) (list []way) {
	t.Helper()
	for _, l := range m.copies {
		parsed, err := all.Formats().Parse(t.Context(), m.format, l.signature, l.keys, p)
		if err != nil {
			t.Logf("%s: %v", l.name, err)
			return nil
		}
		base := way{name: l.name, expected: l.expected, request: gateway.Request{Format: m.format, Signature: l.signature, Keys: l.keys}}
		if parsed.Describe().Need == formats.NeedNone {
			list = append(list, m.sendEmbedded(t, base, parsed)...)
		} else {
			list = append(list, m.sendDetached(t, base, parsed)...)
		}
	}
	for _, w := range list { // the same as an attestation, which is another submission
		if w.request.SignedDigest == nil && w.request.Decompress == "" {
			w.name, w.request.Representation = w.name+", attested", gateway.Attested
			list = append(list, w)
		}
	}
	return list
}

// sendEmbedded: with the content inside, or another file that it is good for, beside it or not, or a digest.
func (m mail) sendEmbedded(t *testing.T, base way, parsed formats.Parsed) (list []way) {
	t.Helper()
	add := func(name string, change func(*way)) {
		w := base
		w.name += ", " + name
		change(&w)
		list = append(list, w)
	}
	if m.artifact != nil && !bytes.Equal(m.artifact, m.content) {
		add("the file sent", func(w *way) { w.sent, w.file = m.artifact, m.artifact })
		add("the file in gzip", func(w *way) { w.pack(t, container.Gzip, m.artifact) })
	}
	if m.content == nil {
		return list
	}
	base.optional = true
	add("nothing sent", func(w *way) { w.file = m.content })
	add("the content sent", func(w *way) { w.sent, w.file = m.content, m.content })
	add("the content in gzip", func(w *way) { w.pack(t, container.Gzip, m.content) })
	for _, a := range []formats.DigestAlgorithm{formats.SHA256, formats.SHA384, formats.SHA512, formats.BLAKE2b512} {
		d := digestBy(a, m.content)
		if _, err := parsed.Verify(t.Context(), formats.FromDigest(*d)); err == nil {
			add(string(a)+" sent", func(w *way) { w.request.Digest, w.file = d, m.content })
		}
	}
	return list
}

// sendDetached: the bytes, inside of a container or not, a digest, or the digest of what is signed.
func (m mail) sendDetached(t *testing.T, base way, parsed formats.Parsed) (list []way) {
	t.Helper()
	base.file = m.artifact
	add := func(name string, change func(*way)) {
		w := base
		w.name += ", " + name
		change(&w)
		list = append(list, w)
	}
	add("bytes", func(w *way) { w.sent = m.artifact })
	add("gzip", func(w *way) { w.pack(t, container.Gzip, m.artifact) })
	if len(m.copies) == 1 {
		add("xz", func(w *way) { w.pack(t, container.XZ, m.artifact) })
	}
	d := parsed.Describe()
	if d.Need == formats.NeedDigest {
		for _, a := range d.Digests {
			if h := digestBy(a, m.artifact); verifies(t, parsed, formats.FromDigest(*h)) { // of text, another digest may be signed
				add(string(a), func(w *way) { w.request.Digest = h })
			}
		}
	}
	if len(d.SignedDigests) > 0 && formatstest.TakenByRekor(d.Candidates[0]) { // else the bytes are needed, to attest
		v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(m.artifact)))
		if err != nil {
			t.Fatal(err)
		}
		add("digest of what is signed", func(w *way) { w.request.SignedDigest = &v.Projections[0].Digest })
	}
	return list
}

func verifies(t *testing.T, parsed formats.Parsed, a formats.Artifact) bool {
	_, err := parsed.Verify(t.Context(), a)
	return err == nil
}

func digestBy(a formats.DigestAlgorithm, b []byte) *formats.Digest {
	h := a.New()
	h.Write(b)
	return &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// pack makes w send file inside of a container.
func (w *way) pack(t *testing.T, k container.Kind, file []byte) {
	t.Helper()
	w.file, w.request.Decompress = file, k
	if k == container.Gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(file)
		_ = z.Close()
		w.sent = b.Bytes()
		return
	}
	cmd := exec.CommandContext(t.Context(), "xz", "-c")
	cmd.Stdin = strings.NewReader(string(file))
	var err error
	if w.sent, err = cmd.Output(); err != nil {
		t.Fatalf("xz: %v (make system-tools installs it)", err)
	}
}
