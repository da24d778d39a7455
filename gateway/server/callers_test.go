// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// call returns a client as Go programs have it.
func (r *running) call() *client.Client {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	c := must(client.New(client.Config{Addresses: []string{address}, Retries: client.Retries{Patience: time.Minute}}))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// signedBytes is a submission of artifact.
func signedBytes(artifact []byte) client.Submission {
	sum := sha256.Sum256(artifact)
	return client.Submission{
		Header: &pb.SubmissionHeader{
			Signature: must(key.Sign(rand.Reader, sum[:], nil)),
			Keys:      [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})},
		},
		Artifact: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(artifact)), nil },
		Wait:     30 * time.Second,
	}
}

// TestBatchThroughTheServer: artifacts of all sizes in one batch, through all that stands in front of the service, to receipts.
func TestBatchThroughTheServer(t *testing.T) {
	t.Parallel()
	r := run(t, newConfig(t))
	defer r.stop()
	c := r.call()
	sizes := []int{0, 10, upload.MaxChunk - 1, upload.MaxChunk, upload.MaxChunk + 1, 5 << 20, 100}
	answered := 0
	for result, err := range c.SubmitBatch(t.Context(), func(yield func(client.Submission) bool) {
		for _, n := range sizes {
			if !yield(signedBytes(noise(n))) {
				return
			}
		}
	}) {
		if err != nil || result.Err != nil {
			t.Fatalf("%d: %v %v", result.Index, result.Err, err)
		}
		logged, err := c.Await(t.Context(), result.Submission.GetId())
		if err != nil || logged.GetReceiptJson() == "" {
			t.Errorf("%d: %v", result.Index, err)
		}
		answered++
	}
	if answered != len(sizes) {
		t.Errorf("%d are answered", answered)
	}
}

// TestLateCallersSubmissionIsKept: a call whose deadline passes while the gateway waits for the log has been stored. Sent again it is the
// same submission.
func TestLateCallersSubmissionIsKept(t *testing.T) {
	log := rekortest.StartServer(t)
	cfg := newConfigOver(t, log)
	log.Kill()
	r := run(t, cfg)
	defer r.stop()
	c := r.call()
	s := signedBytes([]byte("late"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	started := time.Now()
	if _, err := c.Submit(ctx, s); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
	s.Wait = 0
	again, err := c.Submit(t.Context(), s)
	if err != nil || again.GetCreated() || again.GetSubmission().GetState() != pb.Submission_PENDING {
		t.Errorf("again: %v, %v", again, err)
	}
}

// TestCancelledUpload: what a caller gives up within an artifact is not stored, and leaves nothing held.
func TestCancelledUpload(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	c := r.call()
	before := r.heldMemory()
	ctx, cancel := context.WithCancel(t.Context())
	artifact := noise(32 << 20)
	s := signedBytes(artifact)
	s.Artifact = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(artifact[:16<<20]), cancelling{cancel}, bytes.NewReader(artifact[16<<20:]))), nil
	}
	if _, err := c.Submit(ctx, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	page, err := c.List(t.Context(), &pb.ListSubmissionsRequest{})
	if err != nil || len(page.GetSubmissions()) != 0 {
		t.Errorf("%v, %v", page, err)
	}
	r.awaitHeld("afterwards", func(bytes float64) bool { return bytes <= before+upload.CallConnectionMemory })
}

// cancelling is empty, and cancels when it is read.
type cancelling struct{ cancel func() }

func (c cancelling) Read([]byte) (int, error) { c.cancel(); return 0, io.EOF }

// TestPings: a client that pings too often is cut off, and told why. What the server says of its bounds is what docs/grpc.md has.
func TestPings(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(net.Dial("tcp", address))
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_ = must(io.WriteString(conn, http2.ClientPreface))
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	answered := 0
	for i := range 4 {
		if err := framer.WritePing(false, [8]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %d answers: %v", answered, err)
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if streams, ok := f.Value(http2.SettingMaxConcurrentStreams); !f.IsAck() && (!ok || streams != upload.MaxStreams) {
				t.Errorf("%d calls at once", streams)
			}
			if window, ok := f.Value(http2.SettingInitialWindowSize); !f.IsAck() && (!ok || window != upload.CallWindow) {
				t.Errorf("a window of %d", window)
			}
		case *http2.PingFrame:
			answered++
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeEnhanceYourCalm || string(f.DebugData()) != "too_many_pings" || answered == 0 {
				t.Errorf("%v %q after %d answers", f.ErrCode, f.DebugData(), answered)
			}
			return
		}
	}
}

// TestStopsWithClientsThatCheckHealth: what clients ask of health all the time does not hold up a gateway that stops.
func TestStopsWithClientsThatCheckHealth(t *testing.T) {
	cfg := newConfig(t)
	cfg.Worker.Drain = time.Minute
	r := run(t, cfg)
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	c := must(client.New(client.Config{Addresses: []string{"dns:///" + address}, Retries: client.Retries{Patience: time.Minute}}))
	defer c.Close()
	if _, err := c.List(t.Context(), &pb.ListSubmissionsRequest{}); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > cfg.Worker.Drain/2 {
		t.Errorf("it took %v", took)
	}
}
