// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
)

// cliFolder is where rekor-cli runs, with files that are signed in every format that it has.
type cliFolder struct {
	t    *testing.T
	dir  string
	path string // with rekor-cli before all else
	url  string // of the gateway, with a token
}

// signInEveryFormat signs artifact in every format, as NAME.sig by NAME.key.
const signInEveryFormat = `
export GNUPGHOME=$PWD/gnupg; mkdir -m 700 $GNUPGHOME
printf 'an artifact\n' >artifact; printf 'another\n' >another
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out x509.private
openssl pkey -in x509.private -pubout -out x509.key
openssl dgst -sha256 -sign x509.private -out x509.sig artifact
gpg --batch --quiet --passphrase '' --quick-generate-key signer@example.com rsa2048 sign never
gpg --batch --export --armor signer@example.com >pgp.key
gpg --batch --quiet --digest-algo SHA256 --armor --detach-sign --output pgp.sig artifact
gpgconf --kill all
ssh-keygen -q -t ecdsa -b 256 -N '' -C signer -f ssh.private
ssh-keygen -q -Y sign -n file -f ssh.private <artifact >ssh.sig
mv ssh.private.pub ssh.key
minisign -G -W -p minisign.key -s minisign.private >/dev/null
minisign -S -W -s minisign.private -m artifact -x minisign.sig >/dev/null
`

func newCLIFolder(t *testing.T, v1 *rekorv1test.Server, url string) *cliFolder {
	t.Helper()
	f := &cliFolder{t: t, dir: t.TempDir(), path: filepath.Dir(v1.CLI()) + ":" + os.Getenv("PATH"), url: url}
	f.mustRun(signInEveryFormat)
	return f
}

// run runs a script, in which cli is rekor-cli with the gateway for its server.
func (f *cliFolder) run(script string) (string, error) {
	f.t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", `cli() { local c=$1; shift; rekor-cli "$c" --rekor_server "$URL" "$@"; }`+"\n"+script)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "PATH="+f.path, "HOME="+f.dir, "URL="+f.url)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f *cliFolder) mustRun(script string) string {
	f.t.Helper()
	out, err := f.run(script)
	if err != nil {
		f.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// refuse runs what has to fail, and say so.
func (f *cliFolder) refuse(script, says string) {
	f.t.Helper()
	if out, err := f.run(script); err == nil || !strings.Contains(out, says) {
		f.t.Errorf("%s: %v, and not %q\n%s", script, err, says, out)
	}
}

// runV1 starts a gateway over a real Rekor v1, with a caller by a token in the path and another one.
func runV1(t *testing.T, v1 *rekorv1test.Server, change ...func(*config.Config)) *running {
	t.Helper()
	cfg := newConfig(t)
	l, trustedV1 := v1Of(v1)
	inline := config.DefaultInlineMax
	l.InlineMax = &inline
	cfg.Logs = []config.Log{l}
	cfg.RekorAPI = config.RekorAPI{V1: l.ID}
	writeRoot(t, cfg, trustedV1)
	for _, c := range change {
		c(cfg)
	}
	return run(t, withPathToken(withCallers(cfg, map[string][]string{"other": {"submit", "read"}})))
}

var uuidForm = regexp.MustCompile(`[0-9a-f]{80}`)

// TestRekorCLI: the real rekor-cli, given the gateway's address and nothing else, uploads in every format, finds, reads and verifies. What cannot be in the log
// as it was proposed can be read and verified by its UUID.
func TestRekorCLI(t *testing.T) {
	t.Parallel()
	v1 := rekorv1test.Start(t)
	r := runV1(t, v1)
	defer r.stop()
	f := newCLIFolder(t, v1, r.Addresses().HTTP+"/r/"+pathToken)
	for name, test := range map[string]struct {
		arguments string
		asIs      bool // rekor-cli finds it by what was proposed
	}{
		"hashedrekord": {"--type hashedrekord --artifact-hash $(sha256sum artifact | cut -d' ' -f1) --pki-format x509 --signature x509.sig --public-key x509.key", true},
		"x509":         {"--type rekord --artifact artifact --pki-format x509 --signature x509.sig --public-key x509.key", false},
		"pgp":          {"--type rekord --artifact artifact --pki-format pgp --signature pgp.sig --public-key pgp.key", false},
		"ssh":          {"--type rekord --artifact artifact --pki-format ssh --signature ssh.sig --public-key ssh.key", true},
		"minisign":     {"--type rekord --artifact artifact --pki-format minisign --signature minisign.sig --public-key minisign.key", true},
	} {
		out := f.mustRun("cli upload " + test.arguments)
		uuid := uuidForm.FindString(out)
		if uuid == "" || !strings.Contains(out, f.url+"/api/v1/log/entries/"+uuid) {
			t.Fatalf("%s: %s", name, out)
		}
		if again := f.mustRun("cli upload " + test.arguments); !strings.Contains(again, "already exists") || !strings.Contains(again, uuid) {
			t.Errorf("%s, again: %s", name, again)
		}
		f.mustRun("cli verify --uuid " + uuid)
		if got := f.mustRun("cli get --uuid " + uuid); !strings.Contains(got, "RekordObj") {
			t.Errorf("%s: %s", name, got)
		}
		if found := f.mustRun("cli search --artifact artifact"); !strings.Contains(found, uuid) {
			t.Errorf("%s is not found by its artifact: %s", name, found)
		}
		if test.asIs {
			f.mustRun("cli verify " + test.arguments)
		} else {
			f.refuse("cli verify "+test.arguments, "UNSUPPORTED_FEATURE: ")
		}
		if name == "x509" { // as the refusal says
			f.mustRun("cli verify " + strings.Replace(test.arguments, "--type rekord", "--type hashedrekord", 1))
		}
	}
	f.checkTUF()
	if found := f.mustRun("cli search --public-key x509.key --pki-format x509"); !uuidForm.MatchString(found) {
		t.Errorf("by key: %s", found)
	}
	f.mustRun("cli get --log-index 0; cli loginfo; cli loginfo")
	f.checkRefused()
}

// TestRekorCLIUserIDs: where the policy lets user IDs become public, a PGP signature is a rekord of the log's own, found by its user ID. With all of the key that
// rekor-cli proposes it is not recorded, and not found by that.
func TestRekorCLIUserIDs(t *testing.T) {
	t.Parallel()
	v1 := rekorv1test.Start(t)
	r := runV1(t, v1, func(c *config.Config) { c.Policy.PublishUserIDs = true })
	defer r.stop()
	f := newCLIFolder(t, v1, r.Addresses().HTTP+"/r/"+pathToken)
	const arguments = " --type rekord --artifact artifact --pki-format pgp --signature pgp.sig --public-key pgp.key"
	uuid := uuidForm.FindString(f.mustRun("cli upload" + arguments))
	if found := f.mustRun("cli search --email signer@example.com"); uuid == "" || !strings.Contains(found, uuid) {
		t.Errorf("%q is not found: %s", uuid, found)
	}
	f.mustRun("cli verify --uuid " + uuid + "; cli get --uuid " + uuid)
	f.refuse("cli verify"+arguments, "UNSUPPORTED_FEATURE: ")
}

// checkTUF: metadata is uploaded with its root, recorded as the log's own entry for it, and found by both and by its UUID.
func (f *cliFolder) checkTUF() {
	f.t.Helper()
	if out, err := exec.Command("go", "build", "-o", f.dir, "../../cmd/rekor-gateway/demo/tufdemo").CombinedOutput(); err != nil {
		f.t.Fatalf("%v %s", err, out)
	}
	f.mustRun("./tufdemo metadata.json root.json")
	const upload = "cli upload --type tuf --pki-format tuf --artifact metadata.json --public-key root.json"
	uuid := uuidForm.FindString(f.mustRun(upload))
	if again := f.mustRun(upload); uuid == "" || !strings.Contains(again, "already exists") || !strings.Contains(again, uuid) {
		f.t.Errorf("TUF again: %s", again)
	}
	if got := f.mustRun("cli get --uuid " + uuid); !strings.Contains(got, "TufObj") {
		f.t.Errorf("TUF: %s", got)
	}
	f.mustRun("cli verify --uuid " + uuid)
	const leaf = sha256.Size * 2 // hexadecimal, at the end of the UUID
	if got := f.mustRun(strings.Replace(upload, "upload", "verify", 1)); !strings.Contains(got, "Entry Hash: "+uuid[len(uuid)-leaf:]) {
		f.t.Errorf("TUF is verified as %s", got)
	}
	f.mustRun(`./tufdemo another.json another-root.json
		printf '{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":"%s"},"root":{"content":%s}}}' $(base64 -w0 metadata.json) "$(cat another-root.json)" >tuf.json
		sed "s/$(base64 -w0 metadata.json)/$(base64 -w0 another.json)/" tuf.json >good.json`)
	f.refuse("cli upload --entry tuf.json", "KEY_MISMATCH: ")
	f.mustRun("cli upload --entry good.json")
	if found := f.mustRun("cli search --public-key root.json --pki-format tuf"); !strings.Contains(found, uuid) {
		f.t.Errorf("TUF is not found by its root: %s", found)
	}
}

// checkRefused: rekor-cli shows why the gateway refuses. What it would refuse itself, it sends as an entry of a file.
func (f *cliFolder) checkRefused() {
	f.mustRun(`entry() { printf '{"kind":"rekord","apiVersion":"0.0.1","spec":{"data":{"content":"%s"},"signature":{"format":"%s","content":"%s","publicKey":{"content":"%s"}}}}' \
		$(base64 -w0 $1) $2 $(base64 -w0 $3) $(base64 -w0 $4); }
		for format in x509 pgp ssh minisign; do entry another $format $format.sig $format.key >$format.json; done
		entry artifact pgp pgp.sig x509.key >key.json
		printf '{"kind":"helm","apiVersion":"0.0.1","spec":{"chart":{"provenance":{"content":"AA=="}},"publicKey":{"content":"AA=="}}}' >helm.json`)
	for file, says := range map[string]string{
		"x509": "SIGNATURE_INVALID: ", "pgp": "ARTIFACT_MISMATCH: ", "ssh": "SIGNATURE_INVALID: ", "minisign": "ARTIFACT_MISMATCH: ", "key": "MALFORMED_KEY: ",
		"helm": "UNSUPPORTED_FEATURE: entries of this kind are not taken here; send a rekord",
	} {
		f.refuse("cli upload --entry "+file+".json", says)
	}
	f.refuse("cli get --log-index 1000", "404")
	f.refuse("URL=${URL%/r/*}; cli upload --type rekord --pki-format pgp --artifact artifact --signature pgp.sig --public-key pgp.key", "UNAUTHENTICATED: ")
	f.refuse("URL=${URL}x; cli upload --type rekord --pki-format pgp --artifact artifact --signature pgp.sig --public-key pgp.key", "UNAUTHENTICATED: ")
}
