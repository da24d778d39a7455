// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// debianKeyrings are those of the package debian-keyring, with more than a thousand keys.
var debianKeyrings = []string{"/usr/share/keyrings/debian-keyring.gpg", "/usr/share/keyrings/debian-maintainers.gpg"}

// What gpgv says of a signature. It exits with 0 for the first two.
const (
	gpgvGood    = "good"
	gpgvExpired = "good, by a key that has expired"
	gpgvBad     = "bad signature"
	gpgvNoKey   = "no public key"
	gpgvOther   = "refused"
)

// verdictPair is what gpgv says, and the state, or for REFUSED the reason, in the report.
type verdictPair struct{ gpgv, backfill string }

// debianVerdicts are the pairs that there may be. Where one accepts alone, or they refuse for different reasons, it says why.
var debianVerdicts = map[verdictPair]string{
	{gpgvGood, stateLogged}:        "",
	{gpgvExpired, stateLogged}:     "", // the signature was made before
	{gpgvNoKey, "KEY_MISMATCH"}:    "",
	{gpgvBad, "ARTIFACT_MISMATCH"}: "",
	{gpgvExpired, "KEY_EXPIRED"}:   "by the keyring's copy the key had expired before the signature was made; gpgv says so and exits with 0",
	{gpgvBad, "KEY_EXPIRED"}:       "both refuse; the key is looked at before what is signed",
	{gpgvGood, "WEAK_ALGORITHM"}:   "DSA or SHA-1, which gpgv takes, and here the policy historical alone",
}

// debianSignature is a signature and what gpgv verifies it with.
type debianSignature struct {
	name    string   // in the report
	files   []string // the signature, and the file that it is over unless that is signed in the clear
	keyring string
}

// debian is a gateway that records in its own log, and a folder with what apt has fetched.
type debian struct {
	*testing.T
	gateway     *deployment
	dir, corpus string
	logged      map[string]bool // hashes of the leaves that receipts are for
}

// TestBackfillDebian backfills the .dsc of Debian's packages, and the detached signatures of upstream authors, into the gateway's own log. Each is
// recorded or refused as gpgv says with the same keys, or else for a reason in debianVerdicts; with another line in them, both refuse all. Where the
// policy historical lets pass what gpgv does, nothing is left that gpgv alone accepts.
func TestBackfillDebian(t *testing.T) {
	corpus := os.Getenv("DEBIAN_CORPUS")
	if corpus == "" {
		t.Skip("run it with: make debian")
	}
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	g.cfg.OwnLog = config.OwnLog{Origin: "gateway.test/own", Key: "own.key", AnchorKey: "anchor.key", CreateKeys: true, AnchorEvery: time.Second}
	g.cfg.Policy.Ways = []string{string(gateway.Batched)}
	g.cfg.Policy.Historical.Allow = []string{"EXPIRED_KEY", "SHA1", "DSA"}
	g.start()
	defer g.stop()
	d := &debian{t, g, t.TempDir(), must(filepath.Abs(corpus)), map[string]bool{}}
	d.layFiles()
	dsc, sources, upstream := d.listClear("dsc"), d.listClear("sources"), d.listUpstream()
	list := []string{"--manifest", "upstream.jsonl", "--receipts", "receipts"}
	d.compare("dsc", 36, dsc, "dsc")
	d.compare("altered", 36, d.listClear("altered"), "altered")
	d.compare("sources", 6, sources, "sources", "--exclude", "*.asc")
	d.compare("upstream", 6, upstream, list...)
	for name, counts := range map[string]map[verdictPair]int{
		"dsc, historical":      d.compare("dsc, historical", 36, dsc, "dsc", "--historical"),
		"upstream, historical": d.compare("upstream, historical", 6, upstream, append(list, "--historical")...),
	} {
		for pair := range counts {
			if (pair.gpgv == gpgvGood || pair.gpgv == gpgvExpired) != (pair.backfill == stateLogged) {
				t.Errorf("%s: gpgv says %s, backfill %s", name, pair.gpgv, pair.backfill)
			}
		}
	}
	d.checkLeaves()
}

// layFiles copies what is backfilled: dsc, the packages in sources with all that their .dsc list, and in altered each of dsc with one more line signed.
func (d *debian) layFiles() {
	d.Helper()
	shell(d.T, d.dir, fmt.Sprintf(`
cat %[2]s >developers.gpg
mkdir altered && cp -r %[1]s/dsc . && cp -r %[1]s/upstream sources && rm sources/*.keys
for f in dsc/*.dsc; do sed '0,/^$/s//\nAnother: line/' $f >altered/${f#dsc/}; done
mkdir keys && for f in %[1]s/upstream/*.keys; do cp $f keys; gpg --quiet --dearmor <$f >keys/$(basename $f .keys).gpg; done
`, d.corpus, strings.Join(debianKeyrings, " ")))
}

// listClear lists the .dsc in a folder.
func (d *debian) listClear(folder string) (list []debianSignature) {
	for _, path := range must(filepath.Glob(filepath.Join(d.dir, folder, "*.dsc"))) {
		list = append(list, debianSignature{filepath.Base(path), []string{path}, filepath.Join(d.dir, "developers.gpg")})
	}
	return list
}

// listUpstream lists the detached signatures in sources, and writes a manifest of them.
func (d *debian) listUpstream() (list []debianSignature) {
	var manifest bytes.Buffer
	for _, path := range must(filepath.Glob(filepath.Join(d.dir, "sources/*.asc"))) {
		name := "sources/" + filepath.Base(path)
		packed, _, _ := strings.Cut(filepath.Base(path), "_")
		fmt.Fprintf(&manifest, `{"signature": %q, "artifact": %q, "keys": ["keys/%s.keys"]}`+"\n", name, strings.TrimSuffix(name, ".asc"), packed)
		list = append(list, debianSignature{name, []string{path, strings.TrimSuffix(path, ".asc")}, filepath.Join(d.dir, "keys", packed+".gpg")})
	}
	if err := os.WriteFile(filepath.Join(d.dir, "upstream.jsonl"), manifest.Bytes(), 0o600); err != nil {
		d.Fatal(err)
	}
	return list
}

// compare backfills, and holds the report to gpgv, line by line. It returns how often there was each pair.
func (d *debian) compare(what string, least int, list []debianSignature, arguments ...string) map[verdictPair]int {
	d.Helper()
	if len(list) < least {
		d.Fatalf("%s: %d files were fetched, fewer than %d", what, len(list), least)
	}
	report := d.backfill(what, arguments...)
	counts, kept := map[verdictPair]int{}, map[string][]keptReceipt{}
	for _, s := range list {
		o, ok := report[s.name]
		delete(report, s.name)
		pair := verdictPair{s.askGpgv(), cmp.Or(string(o.Reason), stateLogged)}
		why, known := debianVerdicts[pair]
		if counts[pair]++; !ok || !known {
			d.Errorf("%s: %s: gpgv says %s, backfill %+v", what, s.name, pair.gpgv, o)
		}
		if why != "" {
			d.Logf("%s: %s: gpgv says %s, backfill %s: %s", what, s.name, pair.gpgv, pair.backfill, why)
		}
		if o.Receipt != "" {
			kept[s.keyring] = append(kept[s.keyring], keptReceipt{s.files[len(s.files)-1], filepath.Join(d.dir, o.Receipt)})
		}
	}
	d.checkReceipts(kept)
	if len(report) > 0 {
		d.Errorf("%s: also in the report: %v", what, slices.Sorted(maps.Keys(report)))
	}
	for pair, n := range counts {
		d.Logf("%s: %d × gpgv says %s, backfill %s", what, n, pair.gpgv, pair.backfill)
	}
	return counts
}

// backfill runs the command, and returns its report by names.
func (d *debian) backfill(what string, arguments ...string) map[string]outcome {
	d.Helper()
	c := exec.Command(d.gateway.program, append([]string{"backfill", "--server", d.gateway.url, "--key", "developers.gpg", "--report", "report.jsonl", "--quiet",
		"--trusted-root", d.gateway.file(rootFile), "--gateway-trust", d.gateway.file(trustFile)}, arguments...)...)
	c.Dir, c.Env = d.dir, append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(d.dir, "cache"))
	printed, err := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != 0 && code != exitSome {
		d.Fatalf("%s: %v\n%s", what, err, printed)
	}
	report := map[string]outcome{}
	for line := range bytes.Lines(must(os.ReadFile(filepath.Join(d.dir, "report.jsonl")))) {
		var o outcome
		if err := json.Unmarshal(line, &o); err != nil {
			d.Fatal(err)
		}
		if report[o.Name].Name != "" {
			d.Errorf("%s: %s is there twice", what, o.Name)
		}
		report[o.Name] = o
	}
	return report
}

// askGpgv returns what gpgv says of the signature.
func (s debianSignature) askGpgv() string {
	c := exec.Command("gpgv", append([]string{"--status-fd", "1", "--keyring", s.keyring}, s.files...)...)
	status, err := c.Output()
	says := func(word string) bool { return bytes.Contains(status, []byte("[GNUPG:] "+word+" ")) }
	switch {
	case err == nil && says("EXPKEYSIG"):
		return gpgvExpired
	case err == nil && says("GOODSIG"):
		return gpgvGood
	case says("BADSIG"):
		return gpgvBad
	case says("NO_PUBKEY"):
		return gpgvNoKey
	}
	return gpgvOther
}

// keptReceipt is a signed file and its receipt.
type keptReceipt struct{ file, receipt string }

// checkReceipts verifies receipts offline, by keyrings, and notes their records: all of them are in the own log.
func (d *debian) checkReceipts(kept map[string][]keptReceipt) {
	d.Helper()
	for keyring, receipts := range kept {
		arguments := []string{"verify", "--key", keyring, "--allow-historical", "--trusted-root", d.gateway.file(rootFile), "--gateway-trust", d.gateway.file(trustFile)}
		for _, k := range receipts {
			arguments = append(arguments, k.file)
			d.noteRecords(k)
		}
		if len(receipts) == 1 { // which may be elsewhere
			arguments = append(arguments, "--receipt", receipts[0].receipt)
		}
		if out, err := exec.Command(d.gateway.program, arguments...).CombinedOutput(); err != nil {
			d.Errorf("verifying receipts: %v\n%s", err, out)
		}
	}
}

func (d *debian) noteRecords(k keptReceipt) {
	d.Helper()
	r := readReceipt(d.T, k.receipt)
	for _, recorded := range r.GetRecorded() {
		if recorded.GetWay() != receiptpb.RecordedSignature_BATCHED {
			d.Errorf("%s is recorded %v", k.receipt, recorded.GetWay())
		}
	}
	for _, e := range r.GetEntries() {
		d.logged[hex.EncodeToString(rfc6962.DefaultHasher.HashLeaf(e.GetOwn().GetBody()))] = true
	}
}

// checkLeaves finds each record in the own log once, and nothing else there.
func (d *debian) checkLeaves() {
	d.Helper()
	counts := countLeavesOf(d.T, d.gateway.cfg.OwnLog.Origin, d.gateway.url+"/own/"+d.gateway.cfg.OwnLog.ID()+"/")
	for leaf := range d.logged {
		if n := counts[leaf]; n != 1 {
			d.Errorf("a record is in the log %d times", n)
		}
	}
	if len(counts) != len(d.logged) {
		d.Errorf("the log has %d records, and there are receipts for %d", len(counts), len(d.logged))
	}
}
