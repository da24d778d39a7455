// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// postV1 posts JSON to a path of Rekor v1's API.
func (r *running) postV1(path, by, body string) (code int, answer string, header http.Header) {
	r.t.Helper()
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+path, strings.NewReader(body)))
	request.Header.Set("Authorization", bearer(by))
	resp := must(http.DefaultClient.Do(request))
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))), resp.Header
}

// proposePGP returns a rekord by the folder's PGP key.
func (f *cliFolder) proposePGP() string {
	return f.mustRun(`printf '{"kind":"rekord","apiVersion":"0.0.1","spec":{"data":{"content":"%s"},"signature":{"format":"pgp","content":"%s","publicKey":{"content":"%s"}}}}' \
		$(base64 -w0 artifact) $(base64 -w0 pgp.sig) $(base64 -w0 pgp.key)`)
}

// TestRekorV1Tenants: what another tenant has sent is not found by its artifact, of which the log says nothing, nor told as a duplicate; the entry, which is
// public, is the same.
func TestRekorV1Tenants(t *testing.T) {
	t.Parallel()
	v1 := rekorv1test.Start(t)
	r := runV1(t, v1)
	defer r.stop()
	f := newCLIFolder(t, v1, r.Addresses().HTTP+"/r/"+pathToken)
	uuid := uuidForm.FindString(f.mustRun("cli upload --type rekord --artifact artifact --pki-format pgp --signature pgp.sig --public-key pgp.key"))
	search := `{"hash":"` + strings.TrimSpace(f.mustRun("sha256sum artifact | cut -d' ' -f1")) + `"}`
	if code, answer, _ := r.postV1("/api/v1/index/retrieve", "other", search); code != http.StatusOK || answer != "[]\n" {
		t.Errorf("another tenant finds: %d %s", code, answer)
	}
	code, answer, header := r.postV1("/api/v1/log/entries", "other", f.proposePGP())
	var entries rekorjson.Entries
	if err := json.Unmarshal([]byte(answer), &entries); code != http.StatusCreated || err != nil || len(entries) != 1 || entries[uuid].Body == nil || header.Get("ETag") != uuid {
		t.Errorf("another tenant sends the same: %d %s", code, answer)
	}
	if code, answer, _ := r.postV1("/api/v1/index/retrieve", "other", search); code != http.StatusOK || !strings.Contains(answer, uuid) {
		t.Errorf("and finds his own: %d %s", code, answer)
	}
}

// TestRekorV1Late: while the log includes nothing, a client is told when to send the same again; then it is there, once, and the answer says where.
func TestRekorV1Late(t *testing.T) {
	t.Parallel()
	v1 := rekorv1test.Start(t)
	r := runV1(t, v1)
	defer r.stop()
	f := newCLIFolder(t, v1, r.Addresses().HTTP+"/r/"+pathToken)
	proposed := f.proposePGP()
	v1.Hold()
	began := time.Now()
	code, answer, header := r.postV1("/api/v1/log/entries", "other", proposed)
	if code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(answer, `"message":"NOT_LOGGED_IN_TIME: `) || time.Since(began) > 29*time.Second {
		t.Errorf("while nothing is included: %d %s %v after %v", code, answer, header, time.Since(began))
	}
	v1.Release()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		code, answer, header = r.postV1("/api/v1/log/entries", "other", proposed)
		if code == http.StatusConflict || time.Now().After(deadline) {
			break
		}
	}
	uuid := strings.TrimPrefix(header.Get("Location"), "/api/v1/log/entries/")
	if code != http.StatusConflict || !uuidForm.MatchString(uuid) {
		t.Fatalf("later: %d %s %v", code, answer, header)
	}
	f.mustRun("cli verify --uuid " + uuid)
	v1.Kill()
	f.mustRun("curl -sS $URL/api/v1/log/entries/" + uuid + ` | grep -q '"code":503,"message":"LOG_UNAVAILABLE: '`)
}
