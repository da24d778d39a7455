// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// What a gateway as configured by default may take, whatever is done to it.
const mostRSS = 400 << 10 // KiB

// besieged is a gateway under attack.
type besieged struct {
	*deployment
	signature, key []byte // of artifact
	large          string // the id of a submission with a large receipt

	attacking context.Context // ends with each attack
	running   sync.WaitGroup
}

var artifactBytes = []byte("an artifact\n")

// TestBounds drives each bound of a running gateway: its memory stays bounded, honest requests are answered
// meanwhile, or told when to come back, and everything is given back afterwards.
func TestBounds(t *testing.T) {
	b := &besieged{deployment: deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))}
	b.cfg.Limits.SpoolDir = t.TempDir()
	b.cfg.Limits.MaxConnectionsPerAddress = b.cfg.Limits.MaxConnections // the attackers are many addresses, all of them this one
	b.sign()
	b.start()
	b.large = b.submitLarge()
	for _, attack := range []struct {
		name string
		run  func()
	}{
		{"slow uploads", b.slowUploads},
		{"slow header parts", b.slowHeaders},
		{"large JSON", b.largeJSON},
		{"short JSON keys", b.shortJSON},
		{"part headers", b.partHeaders},
		{"header lines", b.headerLines},
		{"large forms", b.largeForms},
		{"receipts nobody reads", b.unreadReceipts},
		{"large gRPC messages", b.largeMessages},
		{"announced messages", b.announcedMessages},
		{"batch flood", b.batchFlood},
		{"artifacts in chunks", b.chunkFlood},
		{"gRPC receipts nobody reads", b.unreadAnswers},
		{"all of these at once", b.allAtOnce},
		{"silent streams", b.silentStreams},
	} {
		t.Run(attack.name, func(t *testing.T) { b.survive(t, attack.run) })
	}
	b.stop()
}

// survive runs an attack, submits honestly meanwhile, and looks at what is left afterwards.
func (b *besieged) survive(t *testing.T, attack func()) {
	b.t = t
	b.resetPeak()
	ctx, end := context.WithCancel(context.Background())
	b.attacking = ctx
	var honest atomic.Int64
	var refused atomic.Int64
	b.running.Go(func() { b.submitHonestly(t, &honest, &refused) })
	started := time.Now()
	attack()
	end()
	b.running.Wait()
	peak := b.memory("VmHWM")
	t.Logf("%s: %d MiB at the peak, %d honest requests taken, %d refused for now", time.Since(started).Round(time.Second), peak>>10, honest.Load(), refused.Load())
	if peak > mostRSS {
		t.Errorf("%d MiB at the peak", peak>>10)
	}
	if honest.Load()+refused.Load() == 0 {
		t.Error("no honest request was answered")
	}
	b.checkGivenBack(t)
}

// submitHonestly submits until the attack ends. Each request is taken, or told when to come back.
func (b *besieged) submitHonestly(t *testing.T, taken, refused *atomic.Int64) {
	client := &http.Client{Timeout: 20 * time.Second}
	for b.attacking.Err() == nil {
		kind, body := b.form(b.key)
		started := time.Now()
		resp, err := client.Post(b.url+"/v1/submissions?wait=0", kind, body)
		if err != nil {
			t.Errorf("an honest request after %s: %v", time.Since(started), err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case resp.StatusCode < 300:
			taken.Add(1)
		case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "",
			resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
			refused.Add(1)
		default:
			t.Errorf("an honest request: %d %s", resp.StatusCode, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// checkGivenBack: no request holds anything once the clients are gone.
func (b *besieged) checkGivenBack(t *testing.T) {
	held := -1
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		http.DefaultClient.CloseIdleConnections()
		if held = b.held(); held < 4<<20 { // a few idle connections
			return
		}
	}
	t.Errorf("%d bytes are still held", held)
}

var heldLine = regexp.MustCompile(`(?m)^rekor_gateway_request_memory_bytes (\S+)$`)

func (b *besieged) held() int {
	resp, err := http.Get("http://" + b.cfg.Admin.Listen + "/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	m := heldLine.FindSubmatch(must(io.ReadAll(resp.Body)))
	return int(must(strconv.ParseFloat(string(m[1]), 64)))
}

// sign makes a key and its signature of artifactBytes.
func (b *besieged) sign() {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sum := sha256.Sum256(artifactBytes)
	b.signature = must(key.Sign(rand.Reader, sum[:], crypto.SHA256))
	b.key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})
}

// largeKey is a key file of nearly size bytes that is good for b.signature.
func (b *besieged) largeKey(size int) []byte {
	return append(bytes.Repeat([]byte("\n"), size-1<<10), b.key...)
}

// submitLarge submits a signature with its content in it, and returns its id once it is logged.
func (b *besieged) submitLarge() string {
	dir := b.t.TempDir()
	shell(b.t, dir, "head -c 3000000 /dev/urandom >artifact; "+rsa("2048")+newCMS+"-outform DER -nodetach")
	status, s, err := b.submit("wait=30s", [2]string{"signature", string(must(os.ReadFile(filepath.Join(dir, "sig"))))}, [2]string{"key", string(must(os.ReadFile(filepath.Join(dir, "key"))))})
	if err != nil || s.State != "LOGGED" {
		b.t.Fatalf("%d %v %v", status, s, err)
	}
	return s.ID
}

// form is an honest submission.
func (b *besieged) form(key []byte) (kind string, body *bytes.Buffer) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for _, part := range [][2]string{{"signature", string(b.signature)}, {"key", string(key)}, {"format", "x509"}, {"artifact", string(artifactBytes)}} {
		_, _ = io.WriteString(must(w.CreateFormFile(part[0], part[0])), part[1])
	}
	w.Close()
	return w.FormDataContentType(), body
}

// connect opens a connection to the HTTP listener until the attack ends.
func (b *besieged) connect() net.Conn {
	conn, err := net.Dial("tcp", b.cfg.HTTP.Listen)
	if err != nil {
		b.t.Error(err)
		return nil
	}
	context.AfterFunc(b.attacking, func() { conn.Close() })
	return conn
}

// post sends the head of a request with a body of a length that it never reaches, and start, from n connections; then it
// trickles for the given time, and counts the answers.
func (b *besieged) post(n int, kind string, start []byte, trickle byte, d time.Duration) {
	var sending sync.WaitGroup
	var answered atomic.Int64
	until := time.Now().Add(d)
	for range n {
		sending.Go(func() {
			conn := b.connect()
			if conn == nil {
				return
			}
			defer conn.Close()
			go func() {
				if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && strings.Contains(line, " 503 ") {
					answered.Add(1)
				}
			}()
			_ = conn.SetDeadline(until)
			fmt.Fprintf(conn, "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100000000\r\n\r\n", kind)
			if _, err := conn.Write(start); err != nil {
				return
			}
			for time.Now().Before(until) {
				if _, err := conn.Write([]byte{trickle}); err != nil {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	}
	sending.Wait()
	b.t.Logf("%d of %d were refused for now", answered.Load(), n)
}

const siege = 8 * time.Second

const boundary = "multipart/form-data; boundary=x"

func part(name string, content []byte) []byte {
	return append([]byte("--x\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n"), append(content, "\r\n"...)...)
}

// slowUploads have good headers with a large key file, and send the artifact byte by byte.
func (b *besieged) slowUploads() {
	start := bytes.Join([][]byte{part("signature", b.signature), part("key", b.largeKey(4<<20)), part("format", []byte("x509"))}, nil)
	start = append(start, "--x\r\nContent-Disposition: form-data; name=\"artifact\"\r\n\r\n"...)
	b.post(150, boundary, start, 'a', siege)
}

// slowHeaders never end their keys.
func (b *besieged) slowHeaders() {
	start := append(part("signature", bytes.Repeat([]byte("a"), 4<<20)), "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n"...)
	b.post(150, boundary, append(start, bytes.Repeat([]byte("k"), 4<<20-64<<10)...), 'k', siege)
}

func (b *besieged) largeJSON() {
	start := `{"signature":"` + base64.StdEncoding.EncodeToString(b.signature) + `","artifact":"` + strings.Repeat("QUFB", 23<<18)
	b.post(100, "application/json", []byte(start), 'A', siege)
}

// shortJSON has millions of keys that are nothing.
func (b *besieged) shortJSON() {
	body := []byte(`{"signature":"YQ==","labels":{"a":"b"},"keys":[` + strings.Repeat(`"",`, 7<<20) + `""]}`)
	b.postWhole(40, "application/json", body)
}

// postWhole sends whole bodies, whatever the answer.
func (b *besieged) postWhole(n int, kind string, body []byte) {
	var sending sync.WaitGroup
	for range n {
		sending.Go(func() {
			resp, err := http.Post(b.url+"/v1/submissions?wait=0", kind, bytes.NewReader(body))
			if err != nil {
				return // refused before it was sent whole
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	sending.Wait()
}

func (b *besieged) partHeaders() {
	var lines bytes.Buffer
	lines.WriteString("--x\r\n")
	for i := range 9 << 17 {
		fmt.Fprintf(&lines, "%x:\r\n", i)
	}
	b.post(150, boundary, lines.Bytes(), 'h', siege)
}

// headerLines are as many as fit, and never end. All connections there may be are taken: others wait until the
// slow ones are cut off.
func (b *besieged) headerLines() {
	var lines bytes.Buffer
	lines.WriteString("GET /v1/formats HTTP/1.1\r\nHost: localhost\r\n")
	for i := 0; lines.Len() < 15<<10; i++ {
		fmt.Fprintf(&lines, "%x:\r\n", i)
	}
	var cut atomic.Int64
	var sending sync.WaitGroup
	for range 700 {
		sending.Go(func() {
			conn := b.connect()
			if conn == nil {
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(40 * time.Second))
			if _, err := conn.Write(lines.Bytes()); err != nil {
				return
			}
			if _, err := io.ReadAll(conn); !os.IsTimeout(err) {
				cut.Add(1)
			}
		})
	}
	if sending.Wait(); cut.Load() < 700 {
		b.t.Errorf("only %d of 700 slow headers were cut off", cut.Load())
	}
}

func (b *besieged) largeForms() {
	kind, body := b.form(b.largeKey(4 << 20))
	b.postWhole(150, kind, body.Bytes())
}

func (b *besieged) unreadReceipts() {
	var asking sync.WaitGroup
	for i := range 150 {
		asking.Go(func() {
			conn := b.connect()
			if conn == nil {
				return
			}
			fmt.Fprintf(conn, "GET /v1/submissions/%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", b.large, []string{"", "/receipt"}[i%2])
			time.Sleep(siege)
		})
	}
	asking.Wait()
}

// dial opens a gRPC connection until the attack ends.
func (b *besieged) dial() pb.GatewayServiceClient {
	conn := must(grpc.NewClient(b.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(64<<10), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20))))
	context.AfterFunc(b.attacking, func() { conn.Close() })
	return pb.NewGatewayServiceClient(conn)
}

// header is a good one of nearly 12 MiB.
func (b *besieged) header() *pb.SubmissionHeader {
	large := b.largeKey(4<<20 - 64<<10)
	return &pb.SubmissionHeader{Signature: b.signature, Keys: [][]byte{large, large, large}, Format: "x509"}
}

func (b *besieged) largeMessages() {
	start := &pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: b.header()}}}
	chunk := &pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: []byte("a")}}
	var sending sync.WaitGroup
	for range 10 {
		client := b.dial()
		for range 10 {
			sending.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, siege)
				defer cancel()
				stream, err := client.Submit(ctx)
				if err != nil {
					return
				}
				for err = stream.Send(start); err == nil; err = stream.Send(chunk) {
					time.Sleep(200 * time.Millisecond)
				}
			})
		}
	}
	sending.Wait()
}

// announcedMessages are announced, and come byte by byte.
func (b *besieged) announcedMessages() {
	request := &pb.PlanRequest{Header: b.header()}
	var sending sync.WaitGroup
	for range 10 { // each call holds as much here as it would there
		conn := must(grpc.NewClient(b.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials())))
		context.AfterFunc(b.attacking, func() { conn.Close() })
		for range 10 {
			sending.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, siege)
				defer cancel()
				_ = conn.Invoke(ctx, pb.GatewayService_Plan_FullMethodName, request, new(pb.PlanResponse))
			})
		}
	}
	sending.Wait()
}

func (b *besieged) batchFlood() {
	item := &pb.SubmitBatchRequest{Header: b.header(), Artifact: artifactBytes}
	var sending sync.WaitGroup
	for range 10 {
		client := b.dial()
		for range 3 {
			sending.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, siege)
				defer cancel()
				stream, err := client.SubmitBatch(ctx)
				if err != nil {
					return
				}
				for range 64 {
					if err := stream.Send(item); err != nil {
						return
					}
				}
				<-ctx.Done()
			})
		}
	}
	sending.Wait()
}

// chunkFlood has an artifact that never ends in each of many batches.
func (b *besieged) chunkFlood() {
	start := &pb.SubmitBatchRequest{Header: &pb.SubmissionHeader{Signature: b.signature, Keys: [][]byte{b.key}, Format: "x509"}, Chunked: true}
	var sending sync.WaitGroup
	for range 10 {
		client := b.dial()
		for range 50 {
			sending.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, siege)
				defer cancel()
				stream, err := client.SubmitBatch(ctx)
				if err != nil || stream.Send(start) != nil {
					return
				}
				chunk := &pb.ArtifactChunk{Data: make([]byte, 1<<20)}
				for stream.Send(&pb.SubmitBatchRequest{Chunk: chunk}) == nil {
					chunk.Offset += int64(len(chunk.GetData()))
					time.Sleep(200 * time.Millisecond)
				}
			})
		}
	}
	sending.Wait()
}

// unreadAnswers asks for a large receipt, again and again, and takes nothing of it.
func (b *besieged) unreadAnswers() {
	var asking sync.WaitGroup
	for range 10 {
		conn := must(grpc.NewClient(b.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(64<<10)))
		context.AfterFunc(b.attacking, func() { conn.Close() })
		for range 20 {
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, siege)
				defer cancel()
				stream, err := conn.NewStream(ctx, &grpc.StreamDesc{}, pb.GatewayService_GetSubmission_FullMethodName)
				if err != nil || stream.SendMsg(&pb.GetSubmissionRequest{Id: b.large}) != nil || stream.CloseSend() != nil {
					return
				}
				<-ctx.Done()
			})
		}
	}
	asking.Wait()
}

func (b *besieged) allAtOnce() {
	var attacking sync.WaitGroup
	for _, attack := range []func(){
		b.slowUploads, b.slowHeaders, b.largeJSON, b.shortJSON, b.partHeaders, b.largeForms, b.unreadReceipts, b.largeMessages, b.announcedMessages, b.batchFlood,
		b.chunkFlood, b.unreadAnswers,
	} {
		attacking.Go(attack)
	}
	attacking.Wait()
}

// silentStreams say nothing at all, in each kind of call, until the gateway ends them.
func (b *besieged) silentStreams() {
	var waiting sync.WaitGroup
	var ended atomic.Int64
	const connections, each = 12, 250
	for c := range connections {
		conn := must(grpc.NewClient(b.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials())))
		context.AfterFunc(b.attacking, func() { conn.Close() })
		method := []string{pb.GatewayService_Submit_FullMethodName, pb.GatewayService_SubmitBatch_FullMethodName, pb.GatewayService_Plan_FullMethodName, "/grpc.health.v1.Health/Check"}[c%4]
		for range each {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(b.attacking, 100*time.Second)
				defer cancel()
				stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
				if err != nil {
					return
				}
				if err := stream.RecvMsg(new(pb.SubmitResponse)); ctx.Err() == nil && err != nil {
					ended.Add(1)
				}
			})
		}
	}
	if waiting.Wait(); ended.Load() < connections*each {
		b.t.Errorf("%d of %d silent streams were ended", ended.Load(), connections*each)
	}
}
