// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

const (
	largeSignatures = 60
	contentSize     = 3_900_000 // bytes inside of each
	listPeak        = 200 << 10 // KiB
)

// TestListMemory: lists read no signatures. Sixty that contain their large artifacts are stored; four lists
// of all of them at once take little memory.
func TestListMemory(t *testing.T) {
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	dir := t.TempDir()
	shell(t, dir, "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=signer -keyout private -out certificate 2>/dev/null")
	g.start()
	for i := range largeSignatures {
		shell(t, dir, fmt.Sprintf("head -c %d /dev/urandom >artifact; "+
			"openssl cms -sign -binary -nodetach -md sha256 -in artifact -signer certificate -inkey private -outform DER -out %d.p7m; "+
			"curl -sS --fail-with-body -o answer -F signature=@%d.p7m '%s/v1/submissions?wait=0'", contentSize, i, i, g.url))
	}
	g.stop()
	g.start() // what the uploads took is not what is measured
	g.resetPeak()
	var listing sync.WaitGroup
	for range 4 {
		listing.Go(func() {
			resp, err := http.Get(g.url + "/v1/submissions?page_size=1000")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, %v: %.200s", resp.StatusCode, err, raw)
			}
		})
	}
	listing.Wait()
	peak := g.memory("VmHWM")
	t.Logf("%d KiB at the peak", peak)
	if peak > listPeak {
		t.Errorf("%d KiB at the peak, at most %d are allowed", peak, listPeak)
	}
	if n := len(g.list()); n != largeSignatures {
		t.Errorf("%d submissions are listed, want %d", n, largeSignatures)
	}
	g.stop()
}
