// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// copyFile copies a file of the tests' own.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeTree makes n times the same signature over the same file, which the stand-in has logged.
func makeTree(t *testing.T, n int) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	tree := t.TempDir()
	for i := range n {
		copyFile(t, offline("artifact"), filepath.Join(tree, fmt.Sprintf("%d/app", i)))
		copyFile(t, offline("x509.sig"), filepath.Join(tree, fmt.Sprintf("%d/app.sig", i)))
	}
	return tree
}

// runBackfill runs backfill against server over tree, whose signatures are makeTree's.
func runBackfill(ctx context.Context, server, tree string, more ...string) (code int, out, errs string) {
	var printed, failed bytes.Buffer
	args := append([]string{"backfill", tree, "--server", server, "--key", offline("x509.pub"), "--trusted-root", offline(rootFile), "--output", "json"}, more...)
	code = runProgram(ctx, args, &printed, &failed)
	return code, printed.String(), failed.String()
}

// summary is the last line that a run prints.
type summary struct {
	Handled, Logged, Done, Refused, Pending, Unsent int
	Report                                          string
	Error                                           struct{ Reason, Message string }
}

func readSummary(t *testing.T, out string) (s summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s
}

func receiptsIn(t *testing.T, tree string) (whole, other int) {
	t.Helper()
	err := filepath.WalkDir(tree, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.HasSuffix(path, receiptSuffix) {
			readReceipt(t, path)
			whole++
		} else if strings.HasSuffix(path, ".part") {
			other++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return whole, other
}

// What is done is skipped. What was touched since is verified again, and refused when it is something else.
func TestBackfillTwice(t *testing.T) {
	tree := makeTree(t, 5)
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	report := filepath.Join(t.TempDir(), "report.jsonl")
	for i, want := range []summary{{Handled: 5, Logged: 5}, {Handled: 5, Done: 5}} {
		code, out, errs := runBackfill(t.Context(), server, tree, "--report", report)
		got := readSummary(t, out)
		if want.Report = report; code != 0 || got != want {
			t.Fatalf("run %d: exit %d, %+v\n%s", i, code, got, errs)
		}
		if lines := bytes.Count(must(os.ReadFile(report)), []byte("\n")); lines != 5 {
			t.Errorf("run %d: %d lines in the report", i, lines)
		}
	}
	if whole, other := receiptsIn(t, tree); whole != 5 || other != 0 {
		t.Errorf("%d receipts, %d parts", whole, other)
	}
	// Nobody has to be there for what is done, and the old time of modification does not hide that a file was changed.
	info := must(os.Stat(filepath.Join(tree, "0/app")))
	copyFile(t, offline("other"), filepath.Join(tree, "0/app"))
	if err := os.Truncate(filepath.Join(tree, "0/app"), info.Size()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(tree, "0/app"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	copyFile(t, offline("pgp-rsa3072.receipt.json"), filepath.Join(tree, "1/app.receipt.json"))
	if err := os.WriteFile(filepath.Join(tree, "2/app.receipt.json"), nil, 0o644); err != nil { // as a power failure leaves it
		t.Fatal(err)
	}
	code, out, errs := runBackfill(t.Context(), server, tree)
	got := readSummary(t, out)
	if code != exitSome || got.Done != 2 || got.Logged != 2 || got.Refused != 1 || !strings.Contains(out, `"name":"0/app.sig","state":"REFUSED"`) {
		t.Errorf("exit %d, %+v\n%s%s", code, got, out, errs)
	}
	if _, err := os.Stat(filepath.Join(tree, "1/app.sig.receipt.json")); err != nil { // the other one is another signature's
		t.Error(err)
	}
}

// Two runs over one tree end well, and leave the receipts as they have to be.
func TestBackfillTwoAtOnce(t *testing.T) {
	const n = 20
	tree := makeTree(t, n)
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	var runs sync.WaitGroup
	for range 2 {
		runs.Go(func() {
			if code, out, errs := runBackfill(t.Context(), server, tree); code != 0 {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
	runs.Wait()
	if whole, other := receiptsIn(t, tree); whole != n || other != 0 {
		t.Errorf("%d receipts, %d parts", whole, other)
	}
}

// moody is a gateway that is not always well.
type moody struct {
	standIn
	tries  atomic.Int64
	answer func(try int64, w http.ResponseWriter, r *http.Request) (done bool)
}

func (g *moody) startMoody() string {
	inner := g.start()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && g.answer(g.tries.Add(1), w, r) {
			return
		}
		body, _ := io.ReadAll(r.Body)
		resp, err := http.DefaultClient.Do(must(http.NewRequest(r.Method, inner+r.URL.RequestURI(), bytes.NewReader(body))))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	g.t.Cleanup(s.Close)
	return s.URL
}

func refuseWith(w http.ResponseWriter, status int, reason string) bool {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"reason":%q,"detail":"what","hint":"why"}`, reason)
	return true
}

// A gateway that restarts, a queue that is full and a token that has ended are waited for; what concerns everybody ends the run.
func TestBackfillThroughTrouble(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer func(try int64, w http.ResponseWriter, r *http.Request) bool
		code   int
		reason string
		logged int
	}{
		"restarting": {func(try int64, w http.ResponseWriter, _ *http.Request) bool {
			if try <= 3 {
				conn, _, _ := http.NewResponseController(w).Hijack()
				conn.Close()
			}
			return try <= 3
		}, 0, "", 2},
		"busy": {func(try int64, w http.ResponseWriter, _ *http.Request) bool {
			return try <= 2 && refuseWith(w, http.StatusServiceUnavailable, "QUEUE_FULL")
		}, 0, "", 2},
		"token": {func(_ int64, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "Bearer new" {
				return false
			}
			_ = os.WriteFile(token, []byte("new"), 0o600)
			return refuseWith(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		}, 0, "", 2},
		"token for ever": {func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
			return refuseWith(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		}, exitNo, "UNAUTHENTICATED", 0},
		"full for ever": {func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
			return refuseWith(w, http.StatusServiceUnavailable, "QUEUE_FULL")
		}, exitLater, "QUEUE_FULL", 0},
		"no gateway": {func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no", http.StatusNotFound)
			return true
		}, exitInput, string(fault.ReasonNoGateway), 0},
	} {
		t.Run(name, func(t *testing.T) {
			tree := makeTree(t, 2)
			g := &moody{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}, answer: c.answer}
			code, out, errs := runBackfill(t.Context(), g.startMoody(), tree, "--token-file", token, "--timeout", "3s")
			got := readSummary(t, out)
			if code != c.code || got.Logged != c.logged || got.Error.Reason != c.reason || got.Logged+got.Unsent != got.Handled {
				t.Errorf("exit %d, %+v\n%s", code, got, errs)
			}
		})
	}
}

// A log that takes nothing is waited for once, not by each submission, and what is accepted is told.
func TestBackfillLogStandsStill(t *testing.T) {
	tree := makeTree(t, 20)
	g := &standIn{t: t, receipt: offline("x509.receipt.json")}
	g.pending.Store(1 << 40)
	started := time.Now()
	code, out, _ := runBackfill(t.Context(), g.start(), tree, "--parallel", "1", "--timeout", "1s")
	got := readSummary(t, out)
	if code != exitLater || got.Pending != 20 || got.Error.Reason != string(problem.ReasonNotLogged) || time.Since(started) > 10*time.Second {
		t.Errorf("exit %d after %v, %+v", code, time.Since(started), got)
	}
	g.pending.Store(0)
	if code, out, errs := runBackfill(t.Context(), g.start(), tree); code != 0 || readSummary(t, out).Logged != 20 {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// Ctrl-C ends the run with a summary, and what is stored stays.
func TestBackfillInterrupted(t *testing.T) {
	tree := makeTree(t, 50)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	g := &moody{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}}
	g.answer = func(try int64, _ http.ResponseWriter, _ *http.Request) bool {
		if try == 10 {
			interrupt()
		}
		return try >= 10
	}
	report := filepath.Join(t.TempDir(), "report.jsonl")
	code, out, errs := runBackfill(ctx, g.startMoody(), tree, "--parallel", "1", "--report", report)
	got := readSummary(t, out)
	if code != exitLater || got.Logged != 9 || got.Error.Reason != string(fault.ReasonInterrupted) || got.Report != report+".part" || !strings.Contains(out, "run the same command again: what was accepted") {
		t.Errorf("exit %d, %+v\n%s", code, got, errs)
	}
	if whole, other := receiptsIn(t, tree); whole != 9 || other != 0 {
		t.Errorf("%d receipts, %d parts", whole, other)
	}
	if _, err := os.Stat(report); err == nil {
		t.Error("the report has its name and not all lines")
	}
}

// A full disk ends the run, with nothing half written.
func TestBackfillFullDisk(t *testing.T) {
	full := storetest.MountSmall(t, 16<<10)
	tree := makeTree(t, 20)
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	code, out, errs := runBackfill(t.Context(), server, tree, "--receipts", full, "--parallel", "2")
	got := readSummary(t, out)
	if code != exitInput || got.Error.Reason != string(fault.ReasonFile) || !strings.Contains(errs, "make room") || got.Logged == 0 || got.Logged == 20 {
		t.Errorf("exit %d, %+v\n%s", code, got, errs)
	}
	if whole, other := receiptsIn(t, full); whole != got.Logged || other != 0 {
		t.Errorf("%d receipts of %d, %d parts", whole, got.Logged, other)
	}
}

// A manifest may name files elsewhere. A row that leads outside is refused, and told as that.
func TestBackfillManifest(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	files := httptest.NewServer(http.FileServer(http.Dir("testdata/offline")))
	defer files.Close()
	dir := t.TempDir()
	manifest := filepath.Join(dir, "list.csv")
	list := fmt.Sprintf("signature,artifact,keys,labels\r\n%[1]s/x509.sig,%[1]s/artifact,%[1]s/x509.pub,a=b\r\n%[1]s/x509.sig,%[1]s/other,%[1]s/x509.pub,\r\n../x.sig,,,\r\n%[1]s/none.sig,%[1]s/artifact,,\r\n", files.URL)
	if err := os.WriteFile(manifest, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	for i, state := range []string{stateLogged, stateDone} {
		var out, errs bytes.Buffer
		code := runProgram(t.Context(), []string{"backfill", "--manifest", manifest, "--receipts", filepath.Join(dir, "kept"), "--server", server, "--trusted-root", offline(rootFile),
			"--output", "json", "--report", filepath.Join(dir, "report.jsonl"), "--parallel", "1"}, &out, &errs)
		report := string(must(os.ReadFile(filepath.Join(dir, "report.jsonl"))))
		for _, want := range []string{`"state":"` + state + `"`, `"reason":"ARTIFACT_MISMATCH"`, `"reason":"OUTSIDE_ROOT"`, `"reason":"ARTIFACT_NOT_FETCHED"`} {
			if strings.Count(report, want) != 1 {
				t.Errorf("run %d: %s is not there once in\n%s", i, want, report)
			}
		}
		if code != exitSome {
			t.Errorf("run %d: exit %d\n%s", i, code, &errs)
		}
	}
}

// A gateway that is silent is one to ask again.
func TestSilentIsForLater(t *testing.T) {
	if f := describeFailure(fmt.Errorf("x: %w", gatewayclient.ErrSilent)); f.Reason != fault.ReasonUnreachable || f.ExitCode != exitLater || f.Hint == "" {
		t.Errorf("%+v", f)
	}
}

// A gateway that takes the connection and says nothing is waited for as long as one that accepts nothing, which is said.
func TestSilentGatewayIsBounded(t *testing.T) {
	tree := makeTree(t, 1)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = listener.Close() })
	for scheme, more := range map[string][]string{"http": nil, "grpc": {"--trusted-root", offline(rootFile)}} { // which has no trust files
		started := time.Now()
		var out, errs bytes.Buffer
		code := runProgram(t.Context(), append([]string{"backfill", tree, "--server", scheme + "://" + listener.Addr().String(), "--timeout", "2500ms", "--key", offline("x509.pub")}, more...), &out, &errs)
		if took := time.Since(started); code != exitLater || took > 30*time.Second || !strings.Contains(errs.String(), "waiting: ") {
			t.Errorf("%s: exit %d after %v\n%s", scheme, code, took, &errs)
		}
	}
}
