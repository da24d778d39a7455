// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// dial is a client of the gRPC listener until the test ends.
func (r *running) dial() *grpc.ClientConn {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// The admin listener is for operators alone, not for pages that reach it through DNS, and takes nothing.
func TestAdminIsGuarded(t *testing.T) {
	cfg := newConfig(t)
	cfg.Admin.AllowedHosts = []string{"metrics.example"}
	r := run(t, cfg)
	defer r.stop()
	for _, c := range []struct {
		method, host, site string
		want               int
	}{
		{http.MethodGet, "", "", 200}, {http.MethodGet, "metrics.example:2112", "", 200}, {http.MethodGet, "evil.example", "", 421},
		{http.MethodPost, "", "", 405}, {http.MethodPost, "", "cross-site", 403},
	} {
		request := must(http.NewRequest(c.method, r.Addresses().Admin+"/metrics", nil))
		if c.host != "" {
			request.Host = c.host
		}
		request.Header.Set("Sec-Fetch-Site", c.site)
		resp := must(http.DefaultClient.Do(request))
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%+v: %d", c, resp.StatusCode)
		}
	}
}

// Connections beyond the bound wait until another is closed, and are served then.
func TestConnectionsAreBound(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MaxConnections = 2
	r := run(t, cfg)
	defer r.stop()
	address := strings.TrimPrefix(r.Addresses().HTTP, "http://")
	var open []net.Conn
	for range 3 {
		conn := must(net.Dial("tcp", address))
		defer conn.Close()
		_ = must(io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		open = append(open, conn)
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		n, _ := conn.Read(make([]byte, 1))
		return n == 1
	}
	if !answered(open[0], 5*time.Second) || !answered(open[1], 5*time.Second) {
		t.Fatal("connections within the bound are not served")
	}
	if answered(open[2], 200*time.Millisecond) {
		t.Error("a connection beyond the bound is served")
	}
	open[0].Close()
	if !answered(open[2], 5*time.Second) {
		t.Error("a connection that waited is not served")
	}
}

// One address may not have every connection, and trusted proxies may.
func TestConnectionsOfAnAddressAreBound(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MaxConnectionsPerAddress = 2
	cfg.TrustedProxies = []string{"127.0.0.3/32"}
	r := run(t, cfg)
	defer r.stop()
	address := strings.TrimPrefix(r.Addresses().HTTP, "http://")
	// served opens a connection from the address, and reports whether it is answered.
	served := func(from string) (net.Conn, bool) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn := must(dialer.DialContext(t.Context(), "tcp", address))
		t.Cleanup(func() { conn.Close() })
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, _ := conn.Read(make([]byte, 1))
		return conn, n == 1
	}
	first, ok := served("127.0.0.1")
	if _, second := served("127.0.0.1"); !ok || !second {
		t.Fatal("connections within the bound are not served")
	}
	if _, ok := served("127.0.0.1"); ok {
		t.Error("a connection beyond the bound is served")
	}
	if _, ok := served("127.0.0.2"); !ok {
		t.Error("another address is not served")
	}
	for range 4 {
		if _, ok := served("127.0.0.3"); !ok {
			t.Error("a trusted proxy is held to the bound")
		}
	}
	first.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, ok := served("127.0.0.1"); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed connection's place is not given back")
		}
	}
}

// Header lines that never end are not waited for.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel() // it mostly waits
	r := run(t, newConfig(t))
	defer r.stop()
	conn := must(net.Dial("tcp", strings.TrimPrefix(r.Addresses().HTTP, "http://")))
	defer conn.Close()
	started := time.Now()
	go func() {
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n")
		for ; err == nil; time.Sleep(500 * time.Millisecond) {
			_, err = io.WriteString(conn, "A: b\r\n")
		}
	}()
	_ = conn.SetReadDeadline(started.Add(30 * time.Second))
	if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("after %s the connection is still open", time.Since(started))
	}
}

// One caller may not have every place, and a probe needs none.
func TestRequestsInFlightAreBound(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MaxRequestsPerCaller = 2
	r := run(t, cfg)
	defer r.stop()
	client := pb.NewGatewayServiceClient(r.dial())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		stream := must(client.SubmitBatch(ctx))
		if err := stream.Send(&pb.SubmitBatchRequest{Ref: "x"}); err != nil {
			t.Fatal(err)
		}
		_ = must(stream.Recv()) // it is under way
	}
	_, err := client.ListFormats(t.Context(), &pb.ListFormatsRequest{})
	if status.Code(err) != codes.ResourceExhausted || problem.GRPCReason(err) != "RATE_LIMITED" {
		t.Errorf("a third call: %v", err)
	}
	if a := r.answer(http.Get(r.Addresses().HTTP + "/v1/formats")); a.status != http.StatusTooManyRequests {
		t.Errorf("over HTTP: %d %v", a.status, a.body)
	}
	if a := r.answer(http.Get(r.Addresses().HTTP + "/healthz")); a.status != 200 {
		t.Errorf("a probe over HTTP: %d", a.status)
	}
	r.checkHealth(insecure.NewCredentials())
	cancel()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err = client.ListFormats(t.Context(), &pb.ListFormatsRequest{}); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the others have left: %v", err)
		}
	}
}

// Those who watch are bounded by themselves, so that a caller's watches leave room for other calls of his.
func TestWatchesAreBound(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MaxRequestsPerCaller = 20
	r := run(t, cfg)
	defer r.stop()
	conn := r.dial()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := func() grpc.ClientStream {
		return must(conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, pb.GatewayService_WatchSubmission_FullMethodName))
	}
	const most = 10
	ended := make(chan error, most+1)
	for range most + 1 {
		stream := watch() // it sends no request, so that it goes on
		go func() { ended <- stream.RecvMsg(new(pb.WatchSubmissionResponse)) }()
	}
	select {
	case err := <-ended:
		if problem.GRPCReason(err) != "RATE_LIMITED" {
			t.Errorf("%v", err)
		}
	case <-time.After(5 * time.Second):
		t.Errorf("%d watches of one caller go on", most+1)
	}
}

// Nobody has all places for health checks: those of another caller are answered.
func TestProbesAreBoundPerCaller(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refused := make(chan error, 300)
	var conn *grpc.ClientConn
	for i := range 300 {
		if i%100 == 0 { // a connection has fewer streams
			conn = r.dial()
		}
		stream := must(healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{}))
		go func() {
			_, err := stream.Recv()
			refused <- err
		}()
	}
	for range 300 {
		if err := <-refused; err != nil && problem.GRPCReason(err) != "RATE_LIMITED" {
			t.Fatalf("%v", err)
		}
	}
	other := must(grpc.NewClient(strings.TrimPrefix(r.Addresses().GRPC, "grpc://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			return d.DialContext(ctx, "tcp", address)
		})))
	defer other.Close()
	if _, err := healthpb.NewHealthClient(other).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("another caller's check: %v", err)
	}
}

// A request has one name in what the caller sent and got, and in the log.
func TestRequestIDs(t *testing.T) {
	r := run(t, newConfig(t))
	request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/submissions/none", nil))
	request.Header.Set("X-Request-Id", "over-http")
	resp := must(http.DefaultClient.Do(request))
	resp.Body.Close()
	if got := resp.Header.Get("X-Request-Id"); got != "over-http" {
		t.Errorf("HTTP answers as %q", got)
	}
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "over-grpc")
	_, err := pb.NewGatewayServiceClient(r.dial()).GetSubmission(ctx, &pb.GetSubmissionRequest{Id: "none"}, grpc.Header(&header))
	if got := header.Get("x-request-id"); len(got) != 1 || got[0] != "over-grpc" {
		t.Errorf("gRPC answers as %v", got)
	}
	if id := problem.GRPCRequestID(err); id != "over-grpc" || problem.GRPCReason(err) != "NOT_FOUND" {
		t.Errorf("%q in %v", id, err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"msg=request request=over-http", "msg=call request=over-grpc"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
}

// heldMemory is what all requests and connections hold, as the metrics have it.
func (r *running) heldMemory() float64 {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().Admin + "/metrics"))
	defer resp.Body.Close()
	_, rest, _ := strings.Cut(string(must(io.ReadAll(resp.Body))), "\nrekor_gateway_request_memory_bytes ")
	line, _, _ := strings.Cut(rest, "\n")
	return must(strconv.ParseFloat(line, 64))
}

func (r *running) awaitHeld(what string, ok func(bytes float64) bool) {
	r.t.Helper()
	held := 0.0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if held = r.heldMemory(); ok(held) {
			return
		}
	}
	r.t.Errorf("%s: %.0f bytes are held", what, held)
}

// awaitCall waits until a call of the method has ended.
func (r *running) awaitCall(method string) {
	r.t.Helper()
	ended := `rekor_gateway_grpc_calls_total{code="OK",method="/rekorgateway.v1.GatewayService/` + method + `"} `
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp := must(http.Get(r.Addresses().Admin + "/metrics"))
		text := string(must(io.ReadAll(resp.Body)))
		resp.Body.Close()
		if strings.Contains(text, ended) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the call does not end")
		}
	}
}

// What a gRPC client does not take of an answer is counted also when the call has ended, and given back when the client
// leaves.
func TestUntakenAnswersAreCounted(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	const size = 1 << 20
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(1<<16)))
	defer conn.Close()
	stream := must(pb.NewGatewayServiceClient(conn).SubmitBatch(t.Context()))
	if err := stream.Send(&pb.SubmitBatchRequest{Ref: strings.Repeat("r", size)}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	_ = must(stream.Header()) // it is answered; nothing more is read
	r.awaitCall("SubmitBatch")
	r.awaitHeld("before the client leaves", func(bytes float64) bool { return bytes > size })
	conn.Close()
	r.awaitHeld("afterwards", func(bytes float64) bool { return bytes < size/4 })
}

// Whoever reads an own log, without a credential, is held to the bounds of a request, and counted for his address.
func TestOwnLogReadersAreBound(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"reader": {"read"}})
	cfg.Limits.RequestsPerMinute, cfg.Limits.RequestBurst = 1, 3
	r := run(t, cfg)
	defer r.stop()
	const route = "GET /own/own-00000000/tile/entries/000"
	request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/own/own-00000000/checkpoint", nil))
	for i := range upload.MaxMetadataFields + 1 {
		request.Header.Set("X-"+strconv.Itoa(i), "")
	}
	resp := must(http.DefaultClient.Do(request))
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("with too many header lines: %d", resp.StatusCode)
	}
	for i, want := range []int{404, 404, 429} {
		if got, text := r.ask(route, "", ""); got != want {
			t.Errorf("request %d: %d %s", i, got, text)
		}
	}
	if got, _ := r.ask("GET /v1/submissions", bearer("reader"), ""); got != http.StatusOK {
		t.Errorf("a caller meanwhile: %d", got)
	}
}
