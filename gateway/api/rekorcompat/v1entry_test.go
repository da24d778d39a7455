// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// readLong reads a body as Rekor v1's routes do that record something.
func readLong(t *testing.T, body []byte) (*upload.LongJSON, error) {
	t.Helper()
	return readLongBody(t, bytes.NewReader(body), true)
}

func readLongBody(t *testing.T, body io.Reader, keep bool) (*upload.LongJSON, error) {
	t.Helper()
	account, err := gateway.NewMemory(256 << 20).Admit(upload.RequestMemory)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, V1EntriesPath, body)
	uploads := upload.NewReader(upload.Config{MaxArtifact: 1 << 20, MaxSpool: 1 << 22, SpoolDir: t.TempDir()})
	j, err := uploads.ReadLongJSON(r.WithContext(gateway.WithHeld(r.Context(), account)), http.NewResponseController(httptest.NewRecorder()), keep)
	if err == nil {
		t.Cleanup(j.Close)
	}
	return j, err
}

// wholeProposal is a proposal as a decoder of the whole body reads it.
type wholeProposal struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		Data struct {
			Content []byte `json:"content"`
			Hash    struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"hash"`
		} `json:"data"`
		Signature struct {
			Format    string `json:"format"`
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
		Metadata struct {
			Content wholeDocument `json:"content"`
		} `json:"metadata"`
		Root struct {
			Content wholeDocument `json:"content"`
		} `json:"root"`
	} `json:"spec"`
}

// wholeDocument is JSON, as it is or in base64.
type wholeDocument []byte

func (d *wholeDocument) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*[]byte)(d))
	}
	*d = bytes.Clone(raw)
	return nil
}

// FuzzReadProposal: what is taken says what a decoder of the whole body reads, artifact included, and is a submission of its caller's; what is not is the
// client's fault.
func FuzzReadProposal(f *testing.F) {
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	f.Add([]byte(`{"kind":"rekord","apiVersion":"0.0.1","spec":{"data":{"content":"aGk="},"signature":{"format":"pgp","content":"AA==","publicKey":{"content":"AA=="}}}}`))
	f.Add([]byte(`{"apiVersion":"0.0.1","spec":{"data":{"content":"` + long + `"},"signature":{"format":"ssh","content":"` + long + `","publicKey":{"content":"` + long + `"}}},"kind":"rekord"}`))
	f.Add([]byte(`{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{"data":{"hash":{"algorithm":"sha256","value":"` + strings.Repeat("0", 64) + `"}},"signature":{"content":"AA==","publicKey":{"content":"AA=="}}}}`))
	f.Add([]byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":{"signed":{}}},"root":{"content":{"a":[1,2]}}}}`))
	for _, document := range []string{`{"signed":{"a":"` + long + `"}}`, `{"` + long + `":1}`, `{"a":["` + long + `","b"]}`} {
		f.Add([]byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":` + document + `},"root":{"content":{}}}}`))
		f.Add([]byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":{}},"root":{"content":` + document + `}}}`))
	}
	f.Add([]byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":"e30="},"root":{"content":"` + long + `"},"spec_version":"1.0"}}`))
	f.Add([]byte(`{"kind":"rekord","spec":{"data":{"url":"x","content":null},"x":[[{}]]},"kind":"\u0072ekord"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		j, err := readLong(t, body)
		var p *proposal
		if err == nil {
			p, err = readProposal(j)
		}
		var r gateway.Request
		var artifact formats.Artifact
		if err == nil {
			r, artifact, err = p.newRequest(gateway.Caller{Tenant: "tenant"})
		}
		if err != nil {
			if formats.ReasonOf(err) == "" {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		var whole wholeProposal
		if err := json.Unmarshal(body, &whole); err != nil {
			t.Fatalf("%.200q is taken: %v", body, err)
		}
		if whole.Kind != p.kind || whole.APIVersion != versionV1 || r.Tenant != "tenant" || r.Way != gateway.Direct {
			t.Errorf("%.200q: %+v", body, r)
		}
		want, keys := whole.Spec.Signature.Content, whole.Spec.Signature.PublicKey.Content
		if p.kind == kindTUF {
			want, keys = whole.Spec.Metadata.Content, whole.Spec.Root.Content
		}
		if !bytes.Equal(r.Signature, want) || len(r.Keys) != 1 || !bytes.Equal(r.Keys[0], keys) {
			t.Errorf("%.200q: signature or key is another", body)
		}
		if (artifact.Reader() != nil) != (p.kind == kindRekord) || (r.Digest != nil) != (p.kind == kindHashedRekord) {
			t.Errorf("%.200q: another artifact", body)
		}
		if artifact.Reader() != nil {
			if raw, err := io.ReadAll(artifact.Reader()); err != nil || !bytes.Equal(raw, whole.Spec.Data.Content) {
				t.Errorf("%.200q: the artifact is %.100q, %v", body, raw, err)
			}
		}
		if r.Digest != nil && !strings.EqualFold(fmt.Sprintf("%x", r.Digest.Value), whole.Spec.Data.Hash.Value) {
			t.Errorf("%.200q: the digest is %x", body, r.Digest.Value)
		}
	})
}

// A long artifact, signature and key are found wherever they stand, each in its place, and a hash beside the artifact is held to it.
func TestReadProposal(t *testing.T) {
	artifact, signature, key := bytes.Repeat([]byte("a"), 2*upload.MaxShortString), bytes.Repeat([]byte("s"), 2*upload.MaxShortString), bytes.Repeat([]byte("k"), 2*upload.MaxShortString)
	encode := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256(artifact)
	data := `"data":{"content":"` + encode(artifact) + `","hash":{"algorithm":"sha256","value":"` + strings.ToUpper(hex.EncodeToString(sum[:])) + `"}}`
	signed := `"signature":{"publicKey":{"content":"` + encode(key) + `"},"format":"pgp","content":"` + encode(signature) + `"}`
	for _, spec := range []string{data + "," + signed, signed + "," + data} {
		p, err := readProposal(must(readLong(t, []byte(`{"spec":{`+spec+`},"kind":"rekord","apiVersion":"0.0.1"}`))))
		if err != nil {
			t.Fatal(err)
		}
		r, a, err := p.newRequest(gateway.Caller{Name: "name", Priority: gateway.Backfill})
		if err != nil || r.Format != "pgp" || r.Caller != "name" || r.Priority != gateway.Backfill || r.PublishCertificate || !bytes.Equal(r.Signature, signature) || !bytes.Equal(r.Keys[0], key) {
			t.Errorf("%v", err)
		}
		if raw := must(io.ReadAll(a.Reader())); !bytes.Equal(raw, artifact) {
			t.Errorf("an artifact of %d bytes", len(raw))
		}
	}
	_, err := readProposal(must(readLong(t, []byte(strings.Replace(`{"spec":{`+data+","+signed+`},"kind":"rekord","apiVersion":"0.0.1"}`, `"value":"`, `"value":"0`, 1)))))
	if !errors.Is(err, errOtherHash) {
		t.Errorf("another hash: %v", err)
	}
}

// TestLongStringInDocument: TUF metadata that is not read as it was sent is refused, before anybody verifies another document.
func TestLongStringInDocument(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	for text, want := range map[string]formats.Reason{long: formats.ReasonTooLarge, long[:upload.MaxShortString]: ""} {
		sent := `{"signatures":[],"signed":{"_type":"targets","targets":{"a":{"custom":"` + text + `"}}}}`
		for _, spec := range []string{`"metadata":{"content":` + sent + `},"root":{"content":{}}`, `"metadata":{"content":{}},"root":{"content":` + sent + `}`} {
			_, err := readProposal(must(readLong(t, []byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{`+spec+`}}`))))
			if formats.ReasonOf(err) != want {
				t.Errorf("a string of %d bytes: %v", len(text), err)
			}
		}
	}
}

// TestDocumentInBase64: the log takes TUF metadata in base64 too, and records it so.
func TestDocumentInBase64(t *testing.T) {
	long := `{"signed":{"a":"` + strings.Repeat("a", upload.MaxShortString) + `"}}`
	for _, document := range []string{`{"signed":{}}`, long} {
		content := base64.StdEncoding.EncodeToString([]byte(document))
		p, err := readProposal(must(readLong(t, []byte(`{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":"`+content+`"},"root":{"content":"`+content+`"}}}`))))
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := p.newRequest(gateway.Caller{})
		if err != nil || string(r.Signature) != document || len(r.Keys) != 1 || string(r.Keys[0]) != document || r.Format != "tuf" {
			t.Errorf("%d bytes: %v", len(document), err)
		}
	}
}

// What a client looks for by what it would propose is the leaf of the entry that is recorded.
func TestCanonicalBody(t *testing.T) {
	w, err := readRequest(newRequest())
	if err != nil {
		t.Fatal(err)
	}
	body := must(hashedrekord.RekorV1.Body(w.record))
	p, err := readProposal(must(readLong(t, body)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.canonicalBody()
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%s %v, want %s", got, err, body)
	}
}
