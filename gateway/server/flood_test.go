// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Failures to show who one is are counted for the address, over HTTP and gRPC together, and told to wait beyond its limit. Who is known
// is not held up by them, and what he may not do is counted as his.
func TestFailuresAreLimited(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"reader": {"read"}, "submitter": {"submit"}})
	cfg.Limits.RequestsPerMinute, cfg.Limits.RequestBurst = 1, 6
	r := run(t, cfg)
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	for i := range 3 {
		if got, _ := r.ask("GET /v1/submissions", bearer("nobody"), ""); got != http.StatusUnauthorized {
			t.Errorf("failure %d: %d", i, got)
		}
		if got := r.callBare(conn, pb.GatewayService_ListSubmissions_FullMethodName); got != codes.Unauthenticated {
			t.Errorf("failure %d over gRPC: %v", i, got)
		}
	}
	for _, route := range []string{"GET /v1/submissions", "GET /nowhere", "GET /r/x/v1/submissions"} {
		if got, text := r.ask(route, bearer("nobody"), ""); got != http.StatusTooManyRequests || !strings.Contains(text, "RATE_LIMITED") {
			t.Errorf("%s beyond the limit: %d %s", route, got, text)
		}
	}
	if got := r.callBare(conn, pb.GatewayService_ListSubmissions_FullMethodName); got != codes.ResourceExhausted {
		t.Errorf("beyond the limit over gRPC: %v", got)
	}
	if got, _ := r.ask("GET /healthz", "", ""); got != http.StatusOK {
		t.Errorf("healthz: %d", got)
	}
	for i := range 6 {
		if got, _ := r.ask("GET /v1/submissions", bearer("reader"), ""); got != http.StatusOK {
			t.Errorf("who is known, %d: %d", i, got)
		}
		if got := r.callBare(conn, pb.GatewayService_ListSubmissions_FullMethodName, bearer("submitter")); got != codes.PermissionDenied {
			t.Errorf("who may not, %d: %v", i, got)
		}
	}
	if got := r.callBare(conn, pb.GatewayService_ListSubmissions_FullMethodName, bearer("submitter")); got != codes.ResourceExhausted {
		t.Errorf("who may not, beyond the limit: %v", got)
	}
}

// Connections over TLS that say nothing, or not all of a header, are closed in time, before anybody is asked who he is, and one address
// cannot have all of them meanwhile.
func TestSlowClientsOverTLS(t *testing.T) {
	t.Parallel()
	cfg := withCallers(newConfig(t), map[string][]string{"reader": {"read"}})
	_, _, pool := withAuthority(t, cfg)
	cfg.Limits.MaxConnectionsPerAddress = 4
	r := run(t, cfg)
	defer r.stop()
	secure := func(protocol string) *tls.Config {
		return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{protocol}}
	}
	var closed sync.WaitGroup
	for name, url := range map[string]string{"http": r.Addresses().HTTP, "grpc": r.Addresses().GRPC} {
		_, address, _ := strings.Cut(url, "://")
		for what, begin := range map[string]func(net.Conn) net.Conn{
			"says nothing": func(c net.Conn) net.Conn { return c },
			"half a hello": func(c net.Conn) net.Conn { fmt.Fprint(c, "\x16\x03\x01\x02"); return c },
			"says nothing over TLS": func(c net.Conn) net.Conn {
				s := tls.Client(c, secure("h2"))
				if err := s.Handshake(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				return s
			},
			"half a header": func(c net.Conn) net.Conn {
				s := tls.Client(c, secure(map[string]string{"http": "http/1.1", "grpc": "h2"}[name]))
				fmt.Fprint(s, map[string]string{"http": "GET /v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthoriz", "grpc": http2.ClientPreface[:20]}[name])
				return s
			},
		} {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
			conn := begin(must(dialer.DialContext(t.Context(), "tcp", address)))
			closed.Go(func() {
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
				if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "i/o timeout") {
					t.Errorf("%s, %s: it is not closed", name, what)
				}
			})
		}
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
		if _, err := tls.DialWithDialer(&dialer, "tcp", address, secure("h2")); err == nil {
			t.Errorf("%s: the address has one more", name)
		}
	}
	if got := r.askOverTLS(&tls.Config{RootCAs: pool}, bearer("reader")); got != http.StatusOK {
		t.Errorf("another address meanwhile: %d", got)
	}
	closed.Wait()
}

// Credentials in forms that gRPC's own clients do not send are none, or two.
func TestSmuggledMetadata(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"reader": {"read"}})
	cfg.Callers = append(cfg.Callers, config.Caller{Name: "legacy", Tenant: "legacy", May: []string{"read"}, PathTokenSHA256: []string{tokenHash(pathToken)}})
	r := run(t, cfg)
	defer r.stop()
	const good = "Bearer reader-token"
	for name, c := range map[string]struct {
		authority, path string // "": as they should be
		fields          [][2]string
		want            string // grpc-status; "": the call or the connection ends without one
	}{
		"good":                   {"", "", [][2]string{{"authorization", good}}, "0"},
		"none":                   {"", "", nil, "16"},
		"twice":                  {"", "", [][2]string{{"authorization", good}, {"authorization", good}}, "16"},
		"good and empty":         {"", "", [][2]string{{"authorization", good}, {"authorization", ""}}, "16"},
		"two in one":             {"", "", [][2]string{{"authorization", good + ", " + good}}, "16"},
		"two in one, by zero":    {"", "", [][2]string{{"authorization", good + "\x00" + good}}, ""},
		"-bin":                   {"", "", [][2]string{{"authorization-bin", "QmVhcmVyIHJlYWRlci10b2tlbg"}}, "16"},
		"bad, and good in -bin":  {"", "", [][2]string{{"authorization", "Bearer x"}, {"authorization-bin", "QmVhcmVyIHJlYWRlci10b2tlbg"}}, "16"},
		"mixed case":             {"", "", [][2]string{{"Authorization", good}}, ""},
		"good and mixed case":    {"", "", [][2]string{{"authorization", good}, {"Authorization", good}}, ""},
		"of the proxy":           {"", "", [][2]string{{"proxy-authorization", good}}, "16"},
		"grpc's own name":        {"", "", [][2]string{{"grpc-authorization", good}}, "16"},
		"cookie":                 {"", "", [][2]string{{"cookie", "authorization=" + good}}, "16"},
		"in the authority":       {"reader-token@localhost", "", nil, "16"},
		"a bad one in authority": {"x:y@localhost", "", [][2]string{{"authorization", good}}, "0"},
		"in the path":            {"", "/r/" + pathToken + "/rekorgateway.v1.GatewayService/ListSubmissions", nil, "12"},
		"in the query":           {"", "/rekorgateway.v1.GatewayService/ListSubmissions?access_token=reader-token", nil, "12"},
		"escaped path":           {"", "/rekorgateway.v1.GatewayService/%4cistSubmissions", [][2]string{{"authorization", good}}, "12"},
		"certificate in a field": {"", "", [][2]string{{"x-forwarded-client-cert", "URI=spiffe://example.com/farm"}}, "16"},
	} {
		if got := r.callRaw(c.authority, c.path, c.fields); got != c.want {
			t.Errorf("%s: status %q, want %q", name, got, c.want)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"reader-token", pathToken} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %s:\n%s", secret, r.log)
		}
	}
}

// callRaw calls ListSubmissions by frames of HTTP/2, and returns the grpc-status, "" where there is none.
func (r *running) callRaw(authority, path string, fields [][2]string) (status string) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(net.Dial("tcp", address))
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	if authority == "" {
		authority = "localhost"
	}
	if path == "" {
		path = pb.GatewayService_ListSubmissions_FullMethodName
	}
	for _, f := range append([][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", authority}, {"content-type", "application/grpc"}, {"te", "trailers"}}, fields...) {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			r.t.Fatal(err)
		}
	}
	fmt.Fprint(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = framer.WriteData(1, true, make([]byte, 5)) // an empty message
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return ""
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == "grpc-status" {
					return field.Value
				}
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		}
	}
}
