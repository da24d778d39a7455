// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

const fuzzMaxArtifact = 1 << 10

// FuzzReadSubmission: whatever is sent, it is a submission within the bounds or the client's fault,
// and nothing stays held.
func FuzzReadSubmission(f *testing.F) {
	form := func(parts string) []byte { return []byte(parts + "--x--\r\n") }
	part := func(name, content string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n"
	}
	f.Add(true, form(part("signature", "sig")+part("key", "key")+part("label", "a=b")+part("artifact", "hello")))
	f.Add(true, form(part("artifact", "hello")+part("signature", "sig")+part("publish_certificate", "true")))
	f.Add(true, form(part("signature", "sig")+part("artifact", "a")+part("artifact", "b")))
	f.Add(true, []byte("--x\r\nContent-Disp"))
	f.Add(true, []byte("--x\r\nContent-Disposition: form-data; name=\"artifact\"\r\n\r\ncut off"))
	f.Add(false, []byte(`{"signature":"YQ==","keys":["Yg=="],"artifact":"Yw==","labels":{"a":"b"}}`))
	f.Add(false, []byte(`{"signature":"YQ=="}{}`))
	f.Add(false, []byte(`{"artefact":1}`))
	f.Fuzz(func(t *testing.T, form bool, raw []byte) {
		r := NewReader(Config{MaxArtifact: fuzzMaxArtifact, MaxSpool: fuzzMaxArtifact, SpoolDir: t.TempDir()})
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(raw))
		req.Header.Set("Content-Type", "application/json")
		if form {
			req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		}
		memory := gateway.NewMemory(64 << 20)
		held, err := memory.Admit(RequestMemory)
		if err != nil {
			t.Fatal(err)
		}
		req = req.WithContext(gateway.WithHeld(req.Context(), held))
		sub, err := r.ReadSubmission(httptest.NewRecorder(), req, needKey)
		if (sub == nil) == (err == nil) {
			t.Fatalf("%v beside %v", sub, err)
		}
		if err != nil {
			checkClientsFault(t, err)
		} else {
			checkBounds(t, sub, form)
		}
		if m, s := memory.Used(), r.spool.used.Load(); m != RequestMemory || s != 0 {
			t.Errorf("%d bytes of memory and %d of the spool stay held", m-RequestMemory, s)
		}
	})
}

// needKey begins with any key.
func needKey(h Header) error {
	if len(h.Keys) == 0 {
		return formats.NewError(formats.ReasonMissingKey, "m", "h")
	}
	return nil
}

func checkBounds(t *testing.T, sub *Submission, form bool) {
	t.Helper()
	defer sub.Close()
	keys := 0
	for _, k := range sub.Header.Keys {
		keys += len(k)
	}
	if form && (len(sub.Header.Signature) > formats.MaxSignatureSize || keys > MaxKeys || len(sub.Header.Labels) > MaxParts) {
		t.Errorf("over the bounds: %d bytes of signature, %d of keys", len(sub.Header.Signature), keys)
	}
	artifact := sub.Artifact.Reader()
	if artifact == nil {
		return
	}
	n, err := io.Copy(io.Discard, artifact)
	if err != nil {
		checkClientsFault(t, err)
	}
	if form && n > fuzzMaxArtifact {
		t.Errorf("an artifact of %d bytes", n)
	}
}

func checkClientsFault(t *testing.T, err error) {
	t.Helper()
	if p := problem.FromError(err); p.Status != http.StatusBadRequest && p.Status != http.StatusRequestEntityTooLarge && p.Reason != problem.ReasonSpoolFull {
		t.Errorf("%v is answered with %d %s", err, p.Status, p.Reason)
	}
}
