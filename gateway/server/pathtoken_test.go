// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

const pathToken = "rgw_path-token"

// withPathToken adds a caller who has nothing else.
func withPathToken(cfg *config.Config) *config.Config {
	cfg.Logging.Level = "debug"
	cfg.Callers = append(cfg.Callers, config.Caller{
		Name: "legacy", Tenant: "legacy-tenant", May: []string{"submit", "read", "audit"}, PathTokenSHA256: []string{tokenHash(pathToken)},
	})
	return cfg
}

// submitTo returns the answer to a submission of text at a URL.
func (r *running) submitTo(url, text string) (a answer, location string) {
	r.t.Helper()
	kind, body := form(key, text)
	resp, err := http.Post(url, kind, body)
	if err == nil {
		location = must(resp.Request.URL.Parse(resp.Header.Get("Location"))).String()
	}
	return r.answer(resp, err), location
}

// A token in the path of a URL is good for sending a signature and for reading what became of it, at the address that the answer tells,
// and for nothing else, whether it is there or not.
func TestPathTokens(t *testing.T) {
	t.Parallel()
	r := run(t, withPathToken(withCallers(newConfig(t), map[string][]string{"other": {"submit", "read"}})))
	defer r.stop()
	base := r.Addresses().HTTP + "/r/" + pathToken
	a, location := r.submitTo(base+"/v1/submissions", "by path")
	if a.status != http.StatusCreated || !strings.HasPrefix(location, base+"/v1/submissions/") {
		t.Fatalf("%d %v, at %s", a.status, a.body, location)
	}
	for _, where := range []string{location, location + "/receipt"} {
		if got := r.answer(http.Get(where)); got.status != http.StatusOK {
			t.Errorf("%s: %d %v", where, got.status, got.body)
		}
	}
	if code, _ := r.ask("GET /v1/submissions/{id}", bearer("other"), a.body["id"].(string)); code != http.StatusNotFound {
		t.Errorf("another tenant reads it: %d", code)
	}
	for route, enough := range api.RoutesInPath() {
		for _, id := range []string{a.body["id"].(string), strings.Repeat("0", 64)} {
			method, path, _ := strings.Cut(route, " ")
			got, text := r.ask(method+" /r/"+pathToken+path, "", id)
			if enough && (got == http.StatusForbidden || got == http.StatusUnauthorized) || !enough && got != http.StatusForbidden {
				t.Errorf("%s: %d %s", route, got, text)
			}
			bad, text := r.ask(method+" /r/"+pathToken+"x"+path, "", id)
			if bad != http.StatusUnauthorized || strings.Contains(text, pathToken) {
				t.Errorf("%s with an unknown token: %d %s", route, bad, text)
			}
			two, text := r.ask(method+" /r/"+pathToken+path, bearer("other"), id)
			if two != http.StatusUnauthorized || strings.Contains(text, pathToken) {
				t.Errorf("%s with another credential: %d %s", route, two, text)
			}
		}
	}
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	if got := r.callBare(conn, "/r/"+pathToken+"/rekorgateway.v1.GatewayService/ListSubmissions"); got != codes.Unimplemented {
		t.Errorf("over gRPC: %v", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), pathToken) || !strings.Contains(r.log.String(), "caller=legacy") {
		t.Errorf("log:\n%s", r.log)
	}
}

// Odd paths are nobody's, and nothing of them is shown.
func TestOddPaths(t *testing.T) {
	r := run(t, withPathToken(withCallers(newConfig(t), map[string][]string{"reader": {"read"}})))
	defer r.stop()
	const list = "/v1/submissions/" + "0196f0a0-0000-7000-8000-000000000000"
	for path, want := range map[string]int{
		"/r/" + pathToken + list:                      404, // it is let in
		"http://localhost/r/" + pathToken + list:      404,
		"/r/" + pathToken:                             404,
		"/r/" + pathToken + "/":                       404,
		"/r/" + pathToken + "/" + list:                404,
		"/r/" + pathToken + "/v1/../v1/submissions/x": 401,
		"/r/" + pathToken + list + "?access_token=x":  400,
		"/r/":                            401,
		"/r//x":                          401,
		"/r/%2f":                         401,
		"/r/" + pathToken + "%2f" + list: 401,
		"/r%2f" + pathToken + list:       401,
		"/%72/" + pathToken + list:       401,
		"/R/" + pathToken + list:         401,
		"//r/" + pathToken + list:        401,
		"/x/../r/" + pathToken + list:    401,
		"/v1/r/" + pathToken + list:      401,
		"/r/" + pathToken + "/r/" + pathToken + list:       401,
		"/r/" + pathToken + "/r/x" + list:                  401,
		"/r/" + pathToken + "/%2e%2e/x":                    401,
		"/r%252f" + pathToken + list:                       401,
		"/r/./" + pathToken + list:                         401,
		"/r/x/../" + pathToken + list:                      401,
		"/r/" + pathToken + "\x80" + list:                  401,
		"/" + strings.Repeat("x", 200) + "/r/" + pathToken: 401,
	} {
		status, text := r.sendRaw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nReferer: http://localhost/r/" + pathToken + "\r\nConnection: close\r\n\r\n")
		if status != want || strings.Contains(text, pathToken) {
			t.Errorf("%s: %d, want %d:\n%s", path, status, want, text)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), pathToken) {
		t.Errorf("log:\n%s", r.log)
	}
}

var statusLine = regexp.MustCompile(`^HTTP/1\.1 (\d{3}) `)

// sendRaw sends a request as it is, and returns all of the answer.
func (r *running) sendRaw(request string) (status int, text string) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().HTTP, "://")
	conn := must(net.Dial("tcp", address))
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprint(conn, request)
	text = string(must(io.ReadAll(bufio.NewReader(conn))))
	if m := statusLine.FindStringSubmatch(text); m != nil {
		fmt.Sscan(m[1], &status)
	}
	return status, text
}

// Without access control a token in a path is nobody's.
func TestPathTokenOfOpenGateway(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	if got, text := r.ask("GET /r/"+pathToken+"/v1/formats", "", ""); got != http.StatusUnauthorized {
		t.Errorf("%d %s", got, text)
	}
}

// An upload ends once its sender's credential is taken back, whatever that is.
func TestUploadEndsWithItsCredential(t *testing.T) {
	cfg := withListener(withPathToken(newConfig(t)))
	r := run(t, cfg)
	defer r.stop()
	kind, whole := form(key, "ends")
	half := whole.Len() / 2
	answered := map[string]chan answer{}
	before := r.heldMemory()
	var pipes []*io.PipeWriter
	for name, base := range map[string]string{"path": r.Addresses().HTTP + "/r/" + pathToken, "listener": r.Addresses().Listeners[0]} {
		body, sent := io.Pipe()
		defer body.Close()
		answered[name] = make(chan answer, 1)
		go func() {
			resp, err := http.Post(base+"/v1/submissions", kind, body)
			answered[name] <- r.answer(resp, err)
		}()
		_ = must(sent.Write(whole.Bytes()[:half]))
		pipes = append(pipes, sent)
	}
	r.awaitHeld("the uploads", func(bytes float64) bool { return bytes >= before+2*(upload.RequestMemory+upload.ConnectionMemory) })
	next := *cfg
	next.Listeners = nil
	withCallers(&next, map[string][]string{"other": {"read"}})
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	for _, sent := range pipes {
		go func() { _, _ = sent.Write(whole.Bytes()[half:]); sent.Close() }()
	}
	for name, c := range answered {
		if a := <-c; a.status != http.StatusUnauthorized || a.body["reason"] != "UNAUTHENTICATED" {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
	}
}
