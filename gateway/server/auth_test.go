// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// withCallers adds callers whose token is their name and "-token", of a tenant each.
func withCallers(cfg *config.Config, may map[string][]string) *config.Config {
	cfg.Callers = nil
	for name, rights := range may {
		cfg.Callers = append(cfg.Callers, config.Caller{Name: name, Tenant: name + "-tenant", TokenSHA256: []string{tokenHash(name + "-token")}, May: rights})
	}
	return cfg
}

func bearer(name string) string { return "Bearer " + name + "-token" }

// listRights returns every route and call that r has, with its right.
func (r *running) listRights() (routes, calls map[string]gateway.Right) {
	calls = map[string]gateway.Right{}
	for service, info := range r.Services() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			right, known := api.CallRight(method)
			if !known {
				r.t.Errorf("%s has no right: add it to gateway/api/rights.go", method)
			}
			calls[method] = right
		}
	}
	return api.RouteRights(), calls
}

var accessRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `?(\\w+)`? \\|$")

// docs/access.md has a line for every route and call, with its right, and no other.
func TestAccessTable(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	listed := map[string]string{}
	for _, row := range accessRow.FindAllStringSubmatch(string(must(os.ReadFile("../../docs/access.md"))), -1) {
		listed[row[1]] = row[2]
	}
	names := map[gateway.Right]string{gateway.NoRight: "none"}
	for name, right := range gateway.Rights {
		names[right] = name
	}
	routes, calls := r.listRights()
	for _, all := range []map[string]gateway.Right{routes, calls} {
		for what, right := range all {
			if listed[what] != names[right] {
				t.Errorf("docs/access.md says %q of %s, which needs %s", listed[what], what, names[right])
			}
			delete(listed, what)
		}
	}
	for what := range listed {
		t.Errorf("docs/access.md lists %s, which is not there", what)
	}
}

// ask sends a request without a body to a route. What stands for its wildcards is id.
func (r *running) ask(route, authorization, id string) (code int, text string) {
	r.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, id)
	request := must(http.NewRequest(method, r.Addresses().HTTP+path, nil))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	resp := must(http.DefaultClient.Do(request))
	defer resp.Body.Close()
	if (resp.StatusCode == http.StatusUnauthorized) != (resp.Header.Get("WWW-Authenticate") != "") {
		r.t.Errorf("%s: %d with WWW-Authenticate %q", route, resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
	return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
}

// callBare begins a call, and sends nothing.
func (r *running) callBare(conn *grpc.ClientConn, method string, authorization ...string) codes.Code {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	for _, value := range authorization {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	stream := must(conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method))
	_ = stream.CloseSend()
	return status.Code(stream.RecvMsg(new(emptypb.Empty)))
}

// Every route and call is closed to who has no credential, a bad one, or not the right, but for those that need none. An answer does
// not depend on what is there.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	may := map[string][]string{"submitter": {"submit"}, "reader": {"read"}, "auditor": {"audit"}}
	r := run(t, withCallers(newConfig(t), may))
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	stored := r.submitAs(bearer("submitter"), "guarded")
	routes, calls := r.listRights()
	for route, right := range routes {
		for name, authorization := range map[string]string{"": "", "nobody": bearer("nobody"), "submitter": bearer("submitter"), "reader": bearer("reader"), "auditor": bearer("auditor")} {
			got, there := r.ask(route, authorization, stored)
			again, notThere := r.ask(route, authorization, strings.Repeat("0", len(stored)))
			want := wantedCode(right, may[name], http.StatusUnauthorized, http.StatusForbidden, 0)
			isRefused := got == http.StatusUnauthorized || got == http.StatusForbidden
			if want != 0 && got != want || want == 0 && isRefused {
				t.Errorf("%s by %q: %d, want %d", route, name, got, want)
			}
			if isRefused && (again != got || there != notThere) {
				t.Errorf("%s by %q tells what is there: %s%s", route, name, there, notThere)
			}
		}
	}
	for method, right := range calls {
		for name, authorization := range map[string][]string{
			"": nil, "nobody": {bearer("nobody")}, "twice": {bearer("submitter"), bearer("submitter")}, "one of two": {bearer("nobody"), bearer("submitter")},
			"submitter": {bearer("submitter")}, "reader": {bearer("reader")}, "auditor": {bearer("auditor")},
		} {
			got := r.callBare(conn, method, authorization...)
			want := wantedCode(right, may[name], codes.Unauthenticated, codes.PermissionDenied, codes.OK)
			if isRefused := got == codes.Unauthenticated || got == codes.PermissionDenied; want != codes.OK && got != want || want == codes.OK && isRefused {
				t.Errorf("%s by %q: %v, want %v", method, name, got, want)
			}
		}
	}
}

// wantedCode is unknown for who has no rights at all.
func wantedCode[T any](needed gateway.Right, may []string, unknown, forbidden, ok T) T {
	switch rights := (config.Caller{May: may}).Rights(); {
	case rights.Has(needed):
		return ok
	case rights == gateway.NoRight:
		return unknown
	}
	return forbidden
}

// submitAs returns the id of a submission of text.
func (r *running) submitAs(authorization, text string) string {
	r.t.Helper()
	kind, body := form(key, text)
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions", body))
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", authorization)
	a := r.answer(http.DefaultClient.Do(request))
	if a.status != 201 && a.status != 200 {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	return a.body["id"].(string)
}

// Two credentials, and those that others can read, are refused on every route.
func TestOddCredentials(t *testing.T) {
	r := run(t, withCallers(newConfig(t), map[string][]string{"reader": {"read"}}))
	for name, c := range map[string]struct {
		query  string
		header []string
		want   int
	}{
		"good":                 {"", []string{bearer("reader")}, 200},
		"twice":                {"", []string{bearer("reader"), bearer("reader")}, 401},
		"good and bad":         {"", []string{bearer("reader"), "Basic x"}, 401},
		"in the query":         {"?access_token=reader-token", nil, 400},
		"in query and header":  {"?access_token=reader-token", []string{bearer("reader")}, 400},
		"in the query, hidden": {"?a=b&%54oken=reader-token", []string{bearer("reader")}, 400},
	} {
		request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/submissions"+c.query, nil))
		request.Header["Authorization"] = c.header
		if a := r.answer(http.DefaultClient.Do(request)); a.status != c.want || strings.Contains(fmt.Sprint(a.body), "reader-token") {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), "reader-token") {
		t.Errorf("the log has a token:\n%s", r.log)
	}
	if !strings.Contains(r.log.String(), "caller=reader tenant=reader-tenant") {
		t.Errorf("the log lacks the caller:\n%s", r.log)
	}
}

// Who announces a large body and does not send it is refused before.
func TestRefusedBeforeTheBody(t *testing.T) {
	r := run(t, withCallers(newConfig(t), map[string][]string{"reader": {"read"}}))
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().HTTP, "://")
	for authorization, want := range map[string]string{"": "401", "Authorization: " + bearer("nobody") + "\r\n": "401", "Authorization: " + bearer("reader") + "\r\n": "403"} {
		conn := must(net.Dial("tcp", address))
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000000\r\n%s\r\n--x", authorization)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%q: %q, %v", authorization, line, err)
		}
	}
}

// Who waits for the log when his credential is taken back is refused at once, over HTTP and gRPC; others wait on.
func TestWaitingEndsWithCaller(t *testing.T) {
	log := rekortest.StartServer(t)
	cfg := withCallers(newConfigOver(t, log), map[string][]string{"stays": {"submit"}, "goes": {"submit"}})
	r := run(t, cfg)
	defer r.stop()
	log.Kill()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	answers := map[string]chan string{"stays": make(chan string, 2), "goes": make(chan string, 2)}
	for name, answered := range answers {
		go func() { answered <- r.waitOverHTTP(ctx, name) }()
		go func() { answered <- r.waitOverGRPC(ctx, name) }()
	}
	r.awaitMetric(`entries_pending{log="test"}`, "4")
	next := *cfg
	withCallers(&next, map[string][]string{"stays": {"submit"}})
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := <-answers["goes"]; got != "401" && got != codes.Unauthenticated.String() {
			t.Errorf("who is gone: %s", got)
		}
	}
	select {
	case got := <-answers["stays"]:
		t.Errorf("who stays: %s", got)
	default:
	}
}

// waitOverHTTP submits as a caller, and returns the answer's status, or "".
func (r *running) waitOverHTTP(ctx context.Context, caller string) string {
	kind, body := form(key, caller+" over HTTP")
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, r.Addresses().HTTP+"/v1/submissions?wait=60s", body))
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", bearer(caller))
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	return strconv.Itoa(resp.StatusCode)
}

// waitOverGRPC submits as a caller, and returns the answer's code.
func (r *running) waitOverGRPC(ctx context.Context, caller string) string {
	digest := sha256.Sum256([]byte(caller + " over gRPC"))
	header := &pb.SubmissionHeader{
		Signature: must(key.Sign(rand.Reader, digest[:], crypto.SHA256)), Digest: "sha256:" + hex.EncodeToString(digest[:]),
		Keys: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})},
	}
	stream := must(pb.NewGatewayServiceClient(r.dial()).Submit(metadata.AppendToOutgoingContext(ctx, "authorization", bearer(caller))))
	_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: header, Wait: durationpb.New(time.Minute)}}})
	_, err := stream.CloseAndRecv()
	return status.Code(err).String()
}

// Callers are read again: who is new may call, who is gone may not, and what he watches ends. What would let strangers in changes nothing.
func TestReloadCallers(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"stays": {"submit", "read"}, "goes": {"submit", "read"}})
	r := run(t, cfg)
	defer r.stop()
	watched := map[string]chan error{}
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	for _, name := range []string{"stays", "goes"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", bearer(name))
		stream := must(pb.NewGatewayServiceClient(conn).SubmitBatch(ctx))
		if err := stream.Send(new(pb.SubmitBatchRequest)); err != nil {
			t.Fatal(err)
		}
		if first, err := stream.Recv(); err != nil { // it is let in
			t.Fatal(first, err)
		}
		watched[name] = make(chan error, 1)
		go func() { _, err := stream.Recv(); watched[name] <- err }()
	}
	next := *cfg
	withCallers(&next, map[string][]string{"stays": {"submit", "read"}, "comes": {"read"}})
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if err := <-watched["goes"]; status.Code(err) != codes.Unauthenticated {
		t.Errorf("who is gone: %v", err)
	}
	select {
	case err := <-watched["stays"]:
		t.Errorf("who stays: %v", err)
	default:
	}
	for name, want := range map[string]int{"stays": 200, "goes": 401, "comes": 200} {
		if got, _ := r.ask("GET /v1/submissions", bearer(name), ""); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	faulty := next
	faulty.Callers = []config.Caller{{Name: "x", TokenSHA256: []string{"no hash"}}}
	for _, reload := range []func() error{func() error { return r.ReloadCallers(t.Context(), &faulty) }, func() error { return r.Reload(t.Context(), &faulty) }} {
		if err := reload(); err == nil {
			t.Error("a faulty caller passes")
		}
	}
	if got, _ := r.ask("GET /v1/submissions", bearer("comes"), ""); got != 200 {
		t.Errorf("after a faulty file: %d", got)
	}
}
