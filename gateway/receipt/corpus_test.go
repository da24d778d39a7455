// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	flags "flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// corpusDir has a folder for each receipt. Beside them are trust-N, what a reader trusts of the
// logs and the gateway of one run of the generator (corpus_make_test.go); wrong, keys and a file
// that have nothing to do with any receipt; and inputs, what that generator needs and the formats'
// test data lacks.
const corpusDir = "testdata/corpus"

var notReceipts = regexp.MustCompile(`^(trust-\d+|wrong|inputs)$`)

const (
	verdictsFile = "verdicts.json" // in each receipt's folder
	sumsFile     = "SHA256SUMS"    // of all that is frozen, as sha256sum has it
	verdictOK    = "ok"
)

var updateVerdicts = flags.Bool("update-verdicts", false,
	"write today's verdicts on the corpus of receipts; the commit has to list the receipts concerned, and why")

// verdicts is the file that goes with a receipt.
type verdicts struct {
	About         string          `json:"about"`   // what the receipt is for, in a sentence
	Trust         string          `json:"trust"`   // folder of the trusted roots and the gateway trust
	Reports       []report        `json:"reports"` // each once, in the order of the verdicts that name it
	Verifications []*verification `json:"verifications"`
}

// report has a receipt.Report's lines.
type report struct {
	Proven   []string `json:"proven"`
	Unproven []string `json:"unproven"`
}

// verification is one way to verify the receipt, as receipt.Options has it, with its verdict. Keys and
// artifacts are named from the receipt's folder.
type verification struct {
	Name            string    `json:"name"`
	At              time.Time `json:"at"`
	Artifact        string    `json:"artifact,omitempty"`
	Keys            []string  `json:"keys,omitempty"`
	Signers         []string  `json:"signers,omitempty"` // SHA-256 of SPKIs, hex
	AnySigner       bool      `json:"any_signer,omitempty"`
	Each            bool      `json:"each,omitempty"`
	AllowHistorical bool      `json:"allow_historical,omitempty"`
	SSHNamespaces   []string  `json:"ssh_namespaces,omitempty"`
	TrustedRoot     string    `json:"trusted_root,omitempty"`  // "" is trusted_root.json
	GatewayTrust    string    `json:"gateway_trust,omitempty"` // "" is none
	verdict
}

// verdict is what Verify said.
type verdict struct {
	Verdict string `json:"verdict"`          // "ok", or the refusal's reason; "" where nobody asked yet
	Cause   string `json:"cause,omitempty"`  // the reasons below it, the format's for one
	Report  int    `json:"report,omitempty"` // of "ok", which of the file's reports: 1 is the first
}

// TestCorpus holds verification to what it once said of receipts that were once made: of each
// receipt of the corpus every verdict must stay the same, the report's lines and the reasons
// of refusals exactly.
//
// Where a verdict was wrong, -update-verdicts writes today's. The commit that does so has to
// list the receipts whose verdicts it changes and say why each old one was wrong. Receipts
// themselves are never made again, nor is a folder ever removed.
func TestCorpus(t *testing.T) {
	folders := receiptFolders(t)
	if len(folders) == 0 {
		t.Fatal("the corpus is empty")
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			replay(t, folder)
		})
	}
}

// TestCorpusWithMemory: one memory of all receipts of own logs in the corpus, good, edited and hostile, changes no verdict.
func TestCorpusWithMemory(t *testing.T) {
	memory := receipt.NewMemory()
	for _, folder := range receiptFolders(t) {
		if !strings.Contains(filepath.Base(folder), "own-") {
			continue // there is little to remember of it
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			kept := readVerdicts(t, folder)
			for range 2 { // the second time all others have been seen
				for _, v := range kept.Verifications {
					got, lines := v.judgeWith(t, memory, folder, kept.Trust)
					if difference := kept.compare(v.verdict, got, lines); difference != "" {
						t.Errorf("%s: %s", v.Name, difference)
					}
				}
			}
		})
	}
}

func receiptFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !notReceipts.MatchString(e.Name()) {
			out = append(out, filepath.Join(corpusDir, e.Name()))
		}
	}
	return out
}

func replay(t *testing.T, folder string) {
	kept := readVerdicts(t, folder)
	if len(kept.Verifications) == 0 {
		t.Fatal("the receipt has no verdicts")
	}
	today := verdicts{About: kept.About, Trust: kept.Trust}
	for _, v := range kept.Verifications {
		got, lines := v.judge(t, folder, kept.Trust)
		if got.Verdict == verdictOK {
			got.Report = today.keepReport(lines)
		}
		if difference := kept.compare(v.verdict, got, lines); difference != "" && !*updateVerdicts {
			t.Errorf("%s: %s", v.Name, difference)
		}
		now := *v
		now.verdict = got
		today.Verifications = append(today.Verifications, &now)
	}
	if *updateVerdicts {
		writeVerdicts(t, folder, today)
	}
}

// keepReport returns the number of r in the list, where it is once.
func (l *verdicts) keepReport(r report) int {
	for i, kept := range l.Reports {
		if slices.Equal(kept.Proven, r.Proven) && slices.Equal(kept.Unproven, r.Unproven) {
			return i + 1
		}
	}
	l.Reports = append(l.Reports, r)
	return len(l.Reports)
}

// compare returns how today's verdict differs from the kept one, "" when it does not.
func (l *verdicts) compare(kept, got verdict, lines report) string {
	if kept.Verdict == "" {
		return "no verdict is kept; today's is " + got.String()
	}
	if kept.Verdict != got.Verdict || kept.Cause != got.Cause {
		return fmt.Sprintf("was %s, is %s", kept, got)
	}
	if got.Verdict != verdictOK {
		return ""
	}
	if kept.Report < 1 || kept.Report > len(l.Reports) {
		return fmt.Sprintf("there is no report %d", kept.Report)
	}
	was := l.Reports[kept.Report-1]
	difference := append(diffLines("proven", was.Proven, lines.Proven), diffLines("not proven", was.Unproven, lines.Unproven)...)
	if len(difference) == 0 {
		return ""
	}
	return "another report:\n" + strings.Join(difference, "\n")
}

func readVerdicts(t *testing.T, folder string) verdicts {
	t.Helper()
	var list verdicts
	dec := json.NewDecoder(bytes.NewReader(readFile(t, filepath.Join(folder, verdictsFile))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		t.Fatalf("reading verdicts: %v", err)
	}
	return list
}

// writeVerdicts writes a verification a line, so that a diff shows which verdicts changed.
func writeVerdicts(t *testing.T, folder string, list verdicts) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\"about\": %s,\n\"trust\": %s,\n\"reports\": [", encode(t, list.About), encode(t, list.Trust))
	for i, r := range list.Reports {
		b.WriteString(separator(i) + "{\"proven\": [")
		writeLines(t, &b, r.Proven)
		b.WriteString("], \"unproven\": [")
		writeLines(t, &b, r.Unproven)
		b.WriteString("]}")
	}
	b.WriteString("],\n\"verifications\": [")
	for i, v := range list.Verifications {
		b.WriteString(separator(i) + "\n" + encode(t, v))
	}
	b.WriteString("\n]\n}\n")
	if err := os.WriteFile(filepath.Join(folder, verdictsFile), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeLines(t *testing.T, b *bytes.Buffer, lines []string) {
	t.Helper()
	for i, l := range lines {
		b.WriteString(separator(i) + "\n " + encode(t, l))
	}
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// judge verifies the receipt as v says, with what is trusted from that folder.
func (v *verification) judge(t *testing.T, folder, trust string) (verdict, report) {
	t.Helper()
	return v.judgeWith(t, nil, folder, trust)
}

// judgeWith is judge with a memory.
func (v *verification) judgeWith(t *testing.T, memory *receipt.Memory, folder, trust string) (verdict, report) {
	t.Helper()
	read := func(name string) []byte { return readFile(t, filepath.Join(folder, name)) }
	r, err := receipt.Unmarshal(read("receipt.json"))
	if err != nil {
		return refusal(t, err), report{}
	}
	o := v.options(t, folder, trust)
	o.Memory = memory
	said, err := receipt.Verify(context.Background(), r, o)
	if err != nil {
		return refusal(t, err), report{}
	}
	return verdict{Verdict: verdictOK}, report{Proven: said.Proven, Unproven: said.Unproven}
}

// options are v's, with what is trusted from that folder.
func (v *verification) options(t *testing.T, folder, trust string) receipt.Options {
	t.Helper()
	read := func(name string) []byte { return readFile(t, filepath.Join(folder, name)) }
	var err error
	o := receipt.Options{
		Registry: all.Formats(), AnySigner: v.AnySigner, Each: v.Each, Historical: formats.AllowAll(v.AllowHistorical),
		SSHNamespaces: v.SSHNamespaces, Now: v.At,
	}
	if o.TrustedRoot, err = trustroot.Parse(read(filepath.Join(trust, cmp.Or(v.TrustedRoot, "trusted_root.json")))); err != nil {
		t.Fatal(err)
	}
	if v.GatewayTrust != "" {
		if o.GatewayTrust, err = trustroot.ParseGateway(read(filepath.Join(trust, v.GatewayTrust))); err != nil {
			t.Fatal(err)
		}
	}
	if v.Artifact != "" {
		o.Artifact = bytes.NewReader(read(v.Artifact))
	}
	for _, k := range v.Keys {
		o.ExpectedKeys = append(o.ExpectedKeys, read(k))
	}
	for _, s := range v.Signers {
		o.ExpectedSigners = append(o.ExpectedSigners, parseIdentity(t, s))
	}
	return o
}

func parseIdentity(t *testing.T, s string) [sha256.Size]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		t.Fatalf("%q is no SHA-256", s)
	}
	return [sha256.Size]byte(b)
}

// refusal has the reason of err and those of its causes.
func refusal(t *testing.T, err error) verdict {
	t.Helper()
	var reasons []string
	var e *formats.Error
	for cause := err; errors.As(cause, &e); cause = e.Unwrap() {
		reasons = append(reasons, string(e.Reason))
	}
	if len(reasons) == 0 {
		t.Fatalf("refused without a reason: %v", err)
	}
	return verdict{Verdict: reasons[0], Cause: strings.Join(reasons[1:], ", ")}
}

func (v verdict) String() string {
	if v.Cause == "" {
		return v.Verdict
	}
	return v.Verdict + " (" + v.Cause + ")"
}

// diffLines marks lines that are gone with - and new ones with +.
func diffLines(what string, want, got []string) []string {
	var out []string
	for _, l := range want {
		if !slices.Contains(got, l) {
			out = append(out, "\t- "+what+": "+l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			out = append(out, "\t+ "+what+": "+l)
		}
	}
	if out == nil && !slices.Equal(want, got) {
		out = append(out, "\t"+what+": in another order, or repeated:\n\t\t"+strings.Join(got, "\n\t\t"))
	}
	return out
}

// TestCorpusIsFrozen: but for the verdicts, no file of the corpus changes or goes, and none is
// there that is not in SHA256SUMS.
func TestCorpusIsFrozen(t *testing.T) {
	want := map[string]string{}
	for line := range strings.Lines(string(readFile(t, filepath.Join(corpusDir, sumsFile)))) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		want[name] = sum
	}
	for name, sum := range corpusSums(t) {
		switch want[name] {
		case sum:
		case "":
			t.Errorf("%s is not in %s", name, sumsFile)
		default:
			t.Errorf("%s has changed", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is gone", name)
	}
}

// corpusSums returns the SHA-256, in hex, of each file that is frozen.
func corpusSums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	corpus := os.DirFS(corpusDir)
	err := fs.WalkDir(corpus, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == verdictsFile || name == sumsFile || name == "README.md" || name == "inputs/make.sh" {
			return err
		}
		b, err := fs.ReadFile(corpus, name)
		sums[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// Whatever differs between a kept verdict and today's is shown.
func TestVerdictsDiffer(t *testing.T) {
	list := verdicts{Reports: []report{{Proven: []string{"a", "b"}, Unproven: []string{"c"}}}}
	ok := verdict{Verdict: verdictOK, Report: 1}
	refused := verdict{Verdict: "SIGNATURE_INVALID", Cause: "KEY_EXPIRED"}
	for name, c := range map[string]struct {
		kept, got verdict
		lines     report
		want      string
	}{
		"same report":   {ok, ok, list.Reports[0], ""},
		"same refusal":  {refused, refused, report{}, ""},
		"not asked yet": {verdict{}, ok, list.Reports[0], "no verdict is kept; today's is ok"},
		"no longer ok":  {ok, refused, report{}, "was ok, is SIGNATURE_INVALID (KEY_EXPIRED)"},
		"now ok":        {refused, ok, list.Reports[0], "was SIGNATURE_INVALID (KEY_EXPIRED), is ok"},
		"other cause":   {refused, verdict{Verdict: "SIGNATURE_INVALID"}, report{}, "was SIGNATURE_INVALID (KEY_EXPIRED), is SIGNATURE_INVALID"},
		"other lines":   {ok, ok, report{Proven: []string{"a"}, Unproven: []string{"c", "b"}}, "another report:\n\t- proven: b\n\t+ not proven: b"},
		"other order":   {ok, ok, report{Proven: []string{"b", "a"}, Unproven: []string{"c"}}, "another report:\n\tproven: in another order, or repeated:\n\t\tb\n\t\ta"},
		"no report":     {verdict{Verdict: verdictOK, Report: 2}, ok, list.Reports[0], "there is no report 2"},
	} {
		if got := list.compare(c.kept, c.got, c.lines); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
