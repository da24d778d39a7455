// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
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

// TestRekorV1ReadRate: the log is read so often for its clients, all routes together; who reads more is told when to come again, and what the gateway
// has itself is answered meanwhile.
func TestRekorV1ReadRate(t *testing.T) {
	t.Parallel()
	v1 := rekorv1test.Start(t)
	r := runV1(t, v1, func(c *config.Config) { c.RekorAPI.ReadRate = 0.4 }) // ten at once, as one request may ask for
	defer r.stop()
	f := newCLIFolder(t, v1, r.Addresses().HTTP+"/r/"+pathToken)
	if code, answer, _ := r.postV1("/api/v1/log/entries", "other", f.proposePGP()); code != http.StatusCreated {
		t.Fatalf("%d %s", code, answer)
	}
	read := func(path string) (int, string, http.Header) {
		request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+path, nil))
		request.Header.Set("Authorization", bearer("other"))
		resp := must(http.DefaultClient.Do(request))
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body))), resp.Header
	}
	refused := 0
	if code, answer, _ := r.postV1("/api/v1/log/entries/retrieve", "other", `{"logIndexes":[0,0,0,0,0,0,0,0,0,0]}`); code != http.StatusOK {
		t.Errorf("as many as one request may ask for: %d %s", code, answer)
	}
	for _, path := range []string{"/api/v1/log", "/api/v1/log/entries?logIndex=0", "/api/v1/log", "/api/v1/log/entries?logIndex=0", "/api/v1/log/proof?firstSize=1&lastSize=1"} {
		code, answer, header := read(path)
		if code == http.StatusOK {
			continue
		}
		refused++
		var said struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		}
		err := json.Unmarshal([]byte(answer), &said)
		if wait, _ := strconv.Atoi(header.Get("Retry-After")); code != http.StatusTooManyRequests || wait < 1 || wait > 3 || err != nil || said.Code != code || !strings.Contains(said.Message, "for all callers together") {
			t.Errorf("%s: %d %q %s", path, code, header.Get("Retry-After"), answer)
		}
	}
	if refused == 0 {
		t.Error("the log was read as often as was asked for")
	}
	if code, answer, _ := read("/api/v1/log/publicKey"); code != http.StatusOK {
		t.Errorf("what is not asked of the log: %d %s", code, answer)
	}
	if code, answer, _ := r.postV1("/api/v1/log/entries", "other", f.proposePGP()); code != http.StatusConflict {
		t.Errorf("what was submitted: %d %s", code, answer)
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
