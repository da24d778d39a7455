// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

const submissionID = "0198f2a4-7b1c-7c3e-9d55-0a1b2c3d4e5f"

// standIn answers as a gateway does that has logged one of the recorded submissions.
type standIn struct {
	t       *testing.T
	receipt string       // whose receipt it gives
	pending atomic.Int64 // answers that say PENDING before
	alone   atomic.Int64 // submissions that came without others
	broken  bool         // the submission can be sent, and not asked for
	root    string       // the trusted root it hands out; "" is none
	trust   string
	plan    http.HandlerFunc // nil: it has no such route

	// lines says how many lines of a batch it answers before the connection breaks, or -1, and which refusal each line has, "" for none.
	// Nil: it answers all.
	lines func(lines int) (answered int, refusal string)
	old   bool // it takes no batches
}

// answerLines answers a batch, the last line first.
func (g *standIn) answerLines(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	lines := bytes.Count(body, []byte("\n"))
	answered, refusal := -1, ""
	if g.lines != nil {
		answered, refusal = g.lines(lines)
	}
	if answered < 0 {
		answered = lines
	}
	for i := range answered {
		text := fmt.Sprintf(`"status":202,"submission":%s`, marshal(g.t, g.submission()))
		if refusal != "" {
			text = refusal
		}
		_, _ = fmt.Fprintf(w, "{\"line\":%d,%s}\n", lines-i, text)
	}
	if answered < lines && refusal == "" {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (g *standIn) start() string {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/submissions", func(w http.ResponseWriter, r *http.Request) {
		g.alone.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(marshal(g.t, g.submission()))
	})
	mux.HandleFunc("GET /v1/submissions/{id}", func(w http.ResponseWriter, _ *http.Request) {
		if g.broken {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		_, _ = w.Write(marshal(g.t, g.submission()))
	})
	if !g.old {
		mux.HandleFunc("POST /v1/submissions:batch", func(w http.ResponseWriter, r *http.Request) { g.answerLines(w, r) })
	}
	if g.plan != nil {
		mux.HandleFunc("POST /v1/submissions:plan", g.plan)
	}
	for name, file := range map[string]string{rootFile: g.root, trustFile: g.trust} {
		if file != "" {
			mux.HandleFunc("GET /.well-known/rekor-gateway/"+name, func(w http.ResponseWriter, r *http.Request) {
				http.ServeFile(w, r, file)
			})
		}
	}
	server := httptest.NewServer(mux)
	g.t.Cleanup(server.Close)
	return server.URL
}

func (g *standIn) submission() *pb.Submission {
	s := &pb.Submission{Id: submissionID, State: pb.Submission_PENDING, Format: "x509", Representation: receiptpb.Receipt_NATIVE}
	if g.pending.Add(-1) < 0 {
		s.State = pb.Submission_LOGGED
		s.Receipt = readReceipt(g.t, g.receipt)
		s.Representation, s.Format = s.GetReceipt().GetRepresentation(), s.GetReceipt().GetSignature().GetFormat()
	}
	return s
}

func readReceipt(t *testing.T, path string) *receiptpb.Receipt {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func offline(name string) string { return filepath.Join("testdata", "offline", name) }

// submit runs submit against server with the recorded files of one signature.
func submit(ctx context.Context, server, name string, more ...string) (code int, out, errs string) {
	var printed, failed bytes.Buffer
	args := append([]string{
		"submit", "--server", server, "--signature", offline(name + ".sig"), "--key", offline(name + ".pub"), "--artifact", offline("artifact"),
	}, more...)
	code = runProgram(ctx, args, &printed, &failed)
	return code, printed.String(), failed.String()
}

// Nothing is said to be logged before the receipt verifies, by the files that were named, or else by the gateway's.
func TestSubmitVerifiesTheReceipt(t *testing.T) {
	const ownWord = "the gateway's own word"
	digestOf := func(name string) string {
		return fmt.Sprintf("sha256:%x", sha256.Sum256(must(os.ReadFile(offline(name)))))
	}
	for name, c := range map[string]struct {
		gateway *standIn
		args    []string
		code    int
		logged  string // what is printed of it
		note    string
	}{
		"good":             {&standIn{receipt: offline("x509.receipt.json"), root: offline(rootFile)}, nil, 0, "x509 as NATIVE\n", ownWord},
		"named root":       {&standIn{receipt: offline("x509.receipt.json")}, []string{"--trusted-root", offline(rootFile)}, 0, "x509 as NATIVE\n", ""},
		"no trust":         {&standIn{receipt: offline("x509.receipt.json")}, nil, 0, "(the receipt is not verified)", "hands out no trust files"},
		"another's":        {&standIn{receipt: offline("pgp-rsa3072.receipt.json"), root: offline(rootFile)}, nil, exitNo, "", "submission " + submissionID},
		"another artifact": {&standIn{receipt: offline("x509.receipt.json"), root: offline(rootFile)}, []string{"--send-bytes", "--artifact", offline("other")}, exitNo, "", "ARTIFACT_MISMATCH"},
		"not a root":       {&standIn{receipt: offline("x509.receipt.json"), root: offline("artifact")}, nil, exitInput, "", "the trusted root that the gateway hands out"},
		"digest":           {&standIn{receipt: offline("x509.receipt.json"), root: offline(rootFile)}, []string{"--digest", digestOf("artifact")}, 0, "x509 as NATIVE\n", ownWord},
		"another's digest": {&standIn{receipt: offline("x509.receipt.json"), root: offline(rootFile)}, []string{"--digest", digestOf("other")}, exitNo, "", "ARTIFACT_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.gateway
			g.t = t
			args := append([]string{"submit", "--server", g.start(), "--signature", offline("x509.sig"), "--key", offline("x509.pub")}, c.args...)
			if !strings.Contains(strings.Join(args, " "), "--artifact") && !strings.HasSuffix(name, "digest") {
				args = append(args, "--artifact", offline("artifact"))
			}
			var out, errs bytes.Buffer
			code := runProgram(t.Context(), args, &out, &errs)
			if code != c.code || !strings.Contains(errs.String(), c.note) || c.note == "" && errs.Len() > 0 {
				t.Errorf("exit %d\n%s\n%s", code, &out, &errs)
			}
			if c.logged == "" && strings.Contains(out.String(), "LOGGED") || !strings.Contains(out.String(), c.logged) || !strings.Contains(out.String(), submissionID) {
				t.Errorf("printed %s", &out)
			}
		})
	}
}

// A receipt that verifies may still be for another signature by the same key, or for one of those that were sent.
func TestSubmitKnowsItsSignature(t *testing.T) {
	folder := t.TempDir()
	keep := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	artifact := []byte("signed more than once")
	digest := sha256.Sum256(artifact)
	sign := func() []byte {
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	one, another := sign(), sign()
	wrapped := []byte(base64.StdEncoding.EncodeToString(one) + "\n")
	two, err := os.ReadFile(pgpData("two.sig"))
	if err != nil {
		t.Fatal(err)
	}
	raw := &attempt{path: keep("artifact", artifact), submitFlags: &submitFlags{signatureFlags: signatureFlags{
		signature: keep("signature", one), keys: []string{keep("key.pub", spki)}, which: "all",
	}}}
	both := &attempt{submitFlags: &submitFlags{signatureFlags: signatureFlags{
		signature: pgpData("two.sig"), keys: []string{pgpData("keyring.gpg")}, which: "all",
	}}}
	for name, c := range map[string]struct {
		attempt  *attempt
		format   string
		content  []byte // of the receipt
		recorded int
		want     formats.Reason
	}{
		"the same":                 {raw, "x509", one, 1, ""},
		"the same, wrapped":        {raw, "x509", wrapped, 1, ""},
		"of the first version":     {raw, "x509", one, 0, ""},
		"another, by the same key": {raw, "x509", another, 1, receipt.ReasonClaimMismatch},
		"both":                     {both, "pgp", two, 2, ""},
		"one of two":               {both, "pgp", two, 1, receipt.ReasonEntriesMissing},
		"one of two, said nowhere": {both, "pgp", two, 0, receipt.ReasonEntriesMissing},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiptpb.Receipt{Signature: &receiptpb.Signature{Format: c.format, Content: c.content}}
			for range c.recorded {
				r.Recorded = append(r.Recorded, &receiptpb.RecordedSignature{})
			}
			err := c.attempt.checkCoverage(t.Context(), r)
			if formats.ReasonOf(err) != c.want || c.want == "" && err != nil {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// An answer about another submission is no answer.
func TestGetTakesNoOther(t *testing.T) {
	g := &standIn{t: t, receipt: offline("x509.receipt.json")}
	url := g.start()
	for id, want := range map[string]int{submissionID: exitYes, strings.ToUpper(submissionID): exitYes, "0198f2a4-7b1c-7c3e-9d55-0a1b2c3d4e60": exitInput} {
		var out, errs bytes.Buffer
		if code := runProgram(t.Context(), []string{"get", "--server", url, id}, &out, &errs); code != want {
			t.Errorf("%s: exit %d, want %d\n%s%s", id, code, want, &out, &errs)
		}
	}
}

func pgpData(name string) string {
	return filepath.Join("..", "..", "formats", "pgp", "testdata", name)
}

// An attested receipt takes the gateway's trust file too, and is told to be no better, and why.
func TestSubmitExplainsAttested(t *testing.T) {
	g := &standIn{t: t, receipt: offline("pgp-ed25519.receipt.json"), root: offline(rootFile), trust: offline(trustFile)}
	code, out, errs := submit(t.Context(), g.start(), "pgp-ed25519")
	if code != 0 || !strings.Contains(out, "pgp as ATTESTED\n") || !strings.Contains(out, "--gateway-trust gateway_trust.json") {
		t.Errorf("exit %d: %s", code, out)
	}
	if !strings.Contains(errs, "with trust files from ") || !strings.Contains(errs, "with yours: --trusted-root FILE --gateway-trust FILE\n") {
		t.Errorf("of the trust files: %s", errs)
	}
	g = &standIn{t: t, receipt: offline("pgp-ed25519.receipt.json"), root: offline(rootFile), trust: offline(trustFile)}
	if _, _, errs := submit(t.Context(), g.start(), "pgp-ed25519", "--trusted-root", offline(rootFile)); !strings.Contains(errs, "with yours: --gateway-trust FILE\n") {
		t.Errorf("with a root of one's own: %s", errs)
	}
	if !strings.Contains(errs, "note: ATTESTED and not better: ") || !strings.Contains(errs, "hint: sign with an RSA or ECDSA key") {
		t.Errorf("said %s", errs)
	}
	g = &standIn{t: t, receipt: offline("pgp-ed25519.receipt.json"), root: offline(rootFile), trust: offline(trustFile)}
	if _, _, errs := submit(t.Context(), g.start(), "pgp-ed25519", "--representation", "ATTESTED"); strings.Contains(errs, "not better") {
		t.Errorf("asked for it, and is told: %s", errs)
	}
	_, out, _ = submit(t.Context(), g.start(), "pgp-ed25519", "--output", "json")
	if !strings.Contains(out, `"notBetter":{"reason":"`) || !strings.Contains(out, `"receiptVerified":true`) {
		t.Errorf("JSON is %s", out)
	}
}

// TestExplainNeedsFile: what a log of Rekor v1 takes as it is, with the file, is told so to who has sent a digest, and the format is not blamed.
func TestExplainNeedsFile(t *testing.T) {
	entry := func(promise *rekorpb.InclusionPromise) *receiptpb.LogEntry {
		logged := []*rekorpb.TransparencyLogEntry{{InclusionPromise: promise}}
		return &receiptpb.LogEntry{Bundle: &bundlepb.Bundle{VerificationMaterial: &bundlepb.VerificationMaterial{TlogEntries: logged}}}
	}
	v1, v2 := entry(&rekorpb.InclusionPromise{}), entry(nil)
	read := func(format, name string) []byte {
		return must(os.ReadFile(filepath.Join("..", "..", "formats", format, "testdata", name)))
	}
	header := &pb.SubmissionHeader{Format: "minisign", Signature: read("minisign", "prehashed.minisig"), Keys: [][]byte{read("minisign", "signer.pub")}}
	a := &attempt{submitFlags: &submitFlags{}}
	a.parsed = must(a.parseHere(t.Context(), header))
	for _, c := range []struct {
		entries []*receiptpb.LogEntry
		size    int64
		reason  formats.Reason
	}{
		{[]*receiptpb.LogEntry{v1}, -1, formats.ReasonNeedsBytes},
		{[]*receiptpb.LogEntry{v1, v2}, -1, formats.ReasonNotProjectable},
		{[]*receiptpb.LogEntry{v2}, -1, formats.ReasonNotProjectable},
		{[]*receiptpb.LogEntry{v1}, 12, formats.ReasonNotProjectable},
	} {
		s := &pb.Submission{
			Format: "minisign", Representation: receiptpb.Receipt_ATTESTED,
			Receipt: &receiptpb.Receipt{Entries: c.entries, Artifact: &receiptpb.Artifact{Size: c.size}},
		}
		if got := a.explainRepresentation(t.Context(), s); got.GetReason() != string(c.reason) {
			t.Errorf("%d entries, size %d: %v", len(c.entries), c.size, got)
		}
	}
}

// TestSubmitSendsFileForNative: who insists on what a log of Rekor v1 has for the file alone sends the file, and else a digest, as before.
func TestSubmitSendsFileForNative(t *testing.T) {
	minisign := func(name string) string { return filepath.Join("..", "..", "formats", "minisign", "testdata", name) }
	for representation, want := range map[string]bool{"NATIVE": true, "ATTESTED": false, "": false} {
		flags := submitFlags{signatureFlags: signatureFlags{signature: minisign("prehashed.minisig"), keys: []string{minisign("signer.pub")}, which: "all"}, artifact: minisign("artifact.txt"), representation: representation}
		a := &attempt{submitFlags: &flags, path: flags.artifact, notes: output.NewNotes(io.Discard)}
		s, err := a.buildSubmission(t.Context())
		if err != nil || (s.Artifact != nil) != want || (s.Header.GetDigest() == "") != want {
			t.Errorf("%q: %+v, %v", representation, s, err)
		}
	}
}

// TestSubmitVerifiesBatched: a batched receipt takes the gateway's trust file, whatever its representation.
func TestSubmitVerifiesBatched(t *testing.T) {
	corpus := filepath.Join("..", "..", "gateway", "receipt", "testdata", "corpus")
	folder, trusted := filepath.Join(corpus, "own-x509-p256"), filepath.Join(corpus, "trust-7")
	path := filepath.Join(folder, "receipt.json")
	signature := filepath.Join(t.TempDir(), "p256.sig")
	if err := os.WriteFile(signature, readReceipt(t, path).GetSignature().GetContent(), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &standIn{t: t, receipt: path, root: filepath.Join(trusted, rootFile), trust: filepath.Join(trusted, trustFile)}
	var out, errs bytes.Buffer
	code := runProgram(t.Context(), []string{
		"submit", "--server", g.start(), "--signature", signature, "--key", filepath.Join(folder, "p256.pem"), "--artifact", filepath.Join(folder, "artifact"),
	}, &out, &errs)
	if code != 0 || !strings.Contains(out.String(), "x509 as NATIVE\n") || !strings.Contains(out.String(), "--gateway-trust gateway_trust.json") {
		t.Errorf("exit %d: %s%s", code, &out, &errs)
	}
}

// What is printed can be pasted, and verifies.
func TestSubmitPrintsCommandsThatWork(t *testing.T) {
	for _, name := range []string{"x509", "pgp-rsa3072", "pgp-ed25519"} {
		t.Run(name, func(t *testing.T) {
			g := &standIn{t: t, receipt: offline(name + ".receipt.json"), root: offline(rootFile), trust: offline(trustFile)}
			url, dir := g.start(), filepath.Join(t.TempDir(), "it's a folder")
			if err := os.CopyFS(dir, os.DirFS(offline(""))); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{rootFile, trustFile, name + ".receipt.json"} {
				if err := os.Remove(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			run := func(command string, arguments ...string) string {
				c := exec.Command(command, arguments...)
				c.Dir = dir
				out, err := c.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
				return string(out)
			}
			artifact := filepath.Join(dir, "artifact")
			out := run("rekor-gateway", "submit", "--server", url, "--signature", name+".sig", "--key", name+".pub", "--artifact", artifact)
			_, commands, found := strings.Cut(out, "verify it with:\n")
			if !found {
				t.Fatalf("no command: %s", out)
			}
			if out := run("sh", "-e", "-c", commands); !strings.Contains(out, "signer: as expected") {
				t.Errorf("%s\nprints %s", commands, out)
			}
		})
	}
}

// The id is told whatever happens after there is one.
func TestSubmitTellsTheID(t *testing.T) {
	folder := t.TempDir()
	good := func() *standIn { return &standIn{t: t, receipt: offline("x509.receipt.json"), root: offline(rootFile)} }
	pending := good()
	pending.pending.Store(1 << 20)
	broken := good()
	broken.broken = true
	broken.pending.Store(1)
	for name, c := range map[string]struct {
		gateway *standIn
		args    []string
		code    int
		want    string
	}{
		"not logged in time":         {pending, []string{"--wait", "1ms"}, exitLater, "rekor-gateway get " + submissionID},
		"it cannot be asked for":     {broken, nil, exitInput, "the server answered 418"},
		"the receipt cannot be kept": {good(), []string{"--receipt", folder}, exitInput, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, output := range []string{"text", "json"} {
				code, out, errs := submit(t.Context(), c.gateway.start(), "x509", append(c.args, "--output", output)...)
				if code != c.code || !strings.Contains(errs, c.want) || !strings.Contains(out, submissionID) {
					t.Errorf("%s: exit %d\n%s\n%s", output, code, out, errs)
				}
				if output == "json" && (!strings.Contains(out, `"error":{"reason":"`) || strings.Count(out, "\n") != 1) {
					t.Errorf("JSON is %s", out)
				}
				c.gateway.pending.Store(max(1, c.gateway.pending.Load()))
			}
		})
	}
	if _, out, _ := submit(t.Context(), good().start(), "x509", "--quiet"); out != submissionID+"\n" {
		t.Errorf("--quiet prints %q", out)
	}
}

// An interrupt while the log is waited for is no loss.
func TestSubmitInterrupted(t *testing.T) {
	g := &standIn{t: t, receipt: offline("x509.receipt.json")}
	g.pending.Store(1 << 20)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stop, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	context.AfterFunc(ctx, interrupt)
	code, out, errs := submit(stop, g.start(), "x509")
	if code != exitLater || !strings.Contains(out, submissionID) || !strings.Contains(errs, "waiting: submission "+submissionID+" is accepted") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

// A receipt is not lost to another.
func TestReceiptsAreKept(t *testing.T) {
	r, other := readReceipt(t, offline("x509.receipt.json")), readReceipt(t, offline("pgp-rsa3072.receipt.json"))
	path := filepath.Join(t.TempDir(), "r.json")
	for i, step := range []struct {
		receipt *receiptpb.Receipt
		force   bool
		fine    bool
	}{{r, false, true}, {r, false, true}, {other, false, false}, {other, true, true}, {r, false, false}} {
		err := writeReceipt(path, step.receipt, step.force)
		if (err == nil) != step.fine || err != nil && describeFailure(err).Reason != fault.ReasonFileExists {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if got := readReceipt(t, path); got.GetSignature().GetFormat() != "pgp" {
		t.Errorf("%s is kept", got.GetSignature().GetFormat())
	}
	if err := checkReceiptPath(path, false); err != nil {
		t.Errorf("a receipt: %v", err)
	}
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(mine, []byte("release notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &standIn{t: t}
	if code, _, errs := submit(t.Context(), g.start(), "x509", "--receipt", mine); code != exitInput || !strings.Contains(errs, "is no receipt") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := writeReceipt(os.DevNull, r, false); err != nil {
		t.Errorf("a device: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// An artifact may be fetched, and what was fetched is gone afterwards.
func TestSubmitFetchesTheArtifact(t *testing.T) {
	spool := t.TempDir()
	t.Setenv("TMPDIR", spool)
	files := httptest.NewServer(http.FileServer(http.Dir(offline(""))))
	defer files.Close()
	g := &standIn{t: t, receipt: offline("x509.receipt.json"), root: offline(rootFile)}
	sign := []string{"submit", "--server", g.start(), "--signature", offline("x509.sig"), "--key", offline("x509.pub"), "--artifact"}
	for artifact, want := range map[string]string{
		files.URL + "/artifact": "LOGGED", files.URL + "/other": "SIGNATURE_INVALID", files.URL + "/none": "404 Not Found",
		"ftp://example.org/artifact": "not over ftp", "file:///etc/passwd": "not a URL such as",
	} {
		var out bytes.Buffer
		runProgram(t.Context(), append(sign, artifact), &out, &out)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", artifact, &out)
		}
		if want == "LOGGED" && !strings.Contains(out.String(), "curl -fsSL -o artifact "+artifact) {
			t.Errorf("no way to get it again: %s", &out)
		}
	}
	if left, err := os.ReadDir(spool); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// Nothing is said for two seconds; what takes longer is named, once.
func TestNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		n := output.NewNotes(&out)
		n.SayWaiting("what is quick")()
		done := n.SayWaiting("what is slow")
		time.Sleep(output.SayAfter - time.Millisecond)
		synctest.Wait()
		if out.Len() > 0 {
			t.Errorf("too early: %s", &out)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		done()
		n.SayRetrying(fmt.Errorf("not\nnow"), time.Second)
		n.SayRetrying(fmt.Errorf("not now"), time.Second)
		if out.String() != "waiting: what is slow\nwaiting: not now; trying again\n" {
			t.Errorf("said %s", &out)
		}
	})
}

// Why there has to be another try is said when it is something else by now, and each minute; never at each try.
func TestRetryingIsSaidAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		n := output.NewNotes(&out)
		for _, why := range []string{"RATE_LIMITED: slowly", "UNAUTHENTICATED: your token has ended"} {
			for range 700 {
				n.SayRetrying(fmt.Errorf("%s", why), 0)
				time.Sleep(100 * time.Millisecond)
			}
		}
		if n := strings.Count(out.String(), "RATE_LIMITED"); n != 2 {
			t.Errorf("said %d times in 70 s:\n%s", n, &out)
		}
		if n := strings.Count(out.String(), "UNAUTHENTICATED"); n != 2 {
			t.Errorf("said %d times in 70 s:\n%s", n, &out)
		}
	})
}

func TestProgress(t *testing.T) {
	file, err := os.Open(offline("artifact"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	shown, err := showProgress(&out, file)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(shown); err != nil || len(raw) == 0 {
		t.Errorf("%q, %v", raw, err)
	}
	if err := shown.Close(); err != nil || !strings.Contains(out.String(), "sending the artifact") {
		t.Errorf("%v, shown %q", err, &out)
	}
}

// A file that is the signature itself needs no artifact beside it; any other is compared.
func TestOpenSignedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "InRelease")
	if err := os.WriteFile(path, []byte("signed"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content  string
		embedded bool
		inside   bool
	}{
		"the signature": {"signed", true, true}, "a longer one": {"signed, and more", true, false}, "a shorter one": {"sign", true, false},
		"detached": {"signed", false, false},
	} {
		r := &receiptpb.Receipt{Signature: &receiptpb.Signature{Content: []byte(c.content)}, Artifact: &receiptpb.Artifact{Embedded: c.embedded}}
		file, err := openSignedFile(path, r)
		if err != nil || (file == nil) != c.inside {
			t.Errorf("%s: %v, %v", name, file, err)
			continue
		}
		if file == nil {
			continue
		}
		if raw, err := io.ReadAll(file); err != nil || string(raw) != "signed" {
			t.Errorf("%s: reads %q, %v", name, raw, err)
		}
		_ = file.Close()
	}
}
