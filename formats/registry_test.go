// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
)

// now is after all test data was made, and before anything but short-lived things expires.
var now = formats.Policy{Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testdata calls visit for each file of the plugins' test data.
func testdata(t *testing.T, visit func(name string, content []byte)) {
	t.Helper()
	files := 0
	for _, name := range all.Formats().Names() {
		err := filepath.WalkDir(filepath.Join(name, "testdata"), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "fuzz":
				return fs.SkipDir
			case !d.IsDir() && filepath.Ext(path) != ".sh" && d.Name() != "sshsig.bin": // what an SSH key signs
				files++
				visit(filepath.ToSlash(path), read(t, path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files seen", files)
	}
}

func claims(signature []byte) []string {
	var names []string
	for _, f := range all.Formats().All() {
		if f.Detect(signature) {
			names = append(names, f.Name())
		}
	}
	return names
}

// TestDetectIsExclusive: no file of any plugin's test data is claimed by two formats, and none
// by another one than the plugin's.
func TestDetectIsExclusive(t *testing.T) {
	claimed := map[string]int{}
	testdata(t, func(name string, content []byte) {
		names := claims(content)
		if len(names) > 1 {
			t.Errorf("%s is claimed by %q", name, names)
		}
		for _, n := range names {
			claimed[n]++
			bag := n == "pkcs7" && (filepath.Ext(name) == ".p7b" || filepath.Ext(name) == ".p7c") // certificates, in CMS without a signature
			if !strings.HasPrefix(name, n+"/") && !bag {
				t.Errorf("%s is claimed by %s", name, n)
			}
		}
	})
	for _, n := range all.Formats().Names() {
		if claimed[n] == 0 {
			t.Errorf("%s claims nothing", n)
		}
	}
}

// TestNearMiss: each signature of the test data, sent under each wrong name with or without a
// key, is refused by telling the right one.
func TestNearMiss(t *testing.T) {
	r := all.Formats()
	keys := [][]byte{read(t, "x509/testdata/p256.pem")}
	testdata(t, func(name string, content []byte) {
		names := claims(content)
		if len(names) == 0 || secret(name) {
			return
		}
		for _, wrong := range r.Names() {
			for _, k := range [][][]byte{nil, keys} {
				if wrong != names[0] {
					checkNearMiss(t, name, wrong, names[0], content, k)
				}
			}
		}
	})
}

func secret(name string) bool {
	base := filepath.Base(name)
	return strings.Contains(base, "secret") || strings.Contains(base, "throwaway")
}

func checkNearMiss(t *testing.T, name, wrong, right string, content []byte, keys [][]byte) {
	t.Helper()
	p, err := all.Formats().Parse(context.Background(), wrong, content, keys, now)
	var e *formats.Error
	if p != nil || !errors.As(err, &e) {
		t.Errorf("%s as %s: %v", name, wrong, err)
		return
	}
	if e.Reason == formats.ReasonTooLarge || e.Reason == formats.ReasonSecretKey {
		return
	}
	if e.Reason != formats.ReasonWrongFormat || !strings.Contains(e.Message, "format "+right) || !strings.Contains(e.Hint, "format="+right) {
		t.Errorf("%s as %s: %v (%s)", name, wrong, err, e.Hint)
	}
}

func TestNearMissWords(t *testing.T) {
	signature, key := read(t, "pgp/testdata/p256.sig"), read(t, "pgp/testdata/p256.key")
	private := read(t, "minisign/testdata/throwaway-minisign.key")
	for name, c := range map[string]struct {
		format         string
		signature, key []byte
		want           string
	}{
		"with its key": {"minisign", signature, key, "WRONG_FORMAT: this is a signature of the format pgp (detached, v4), sent as minisign"},
		"with no key":  {"x509", signature, nil, "WRONG_FORMAT: this is a signature of the format pgp, sent as x509"},
		"with a private key that only the right format knows": {"x509", read(t, "minisign/testdata/legacy.minisig"), private, "SECRET_KEY: a private key was given as a key: a minisign or signify secret key"},
		"of no format": {"ssh", []byte("something"), key, "MALFORMED_SIGNATURE: the signature does not start with -----BEGIN SSH SIGNATURE-----"},
	} {
		var keys [][]byte
		if c.key != nil {
			keys = append(keys, c.key)
		}
		if _, err := all.Formats().Parse(context.Background(), c.format, c.signature, keys, now); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	r := all.Formats()
	for name, c := range map[string]struct {
		format    string
		signature []byte
		want      formats.Reason
	}{
		"empty":          {"", nil, formats.ReasonMissingSignature},
		"unrecognisable": {"", []byte("something"), formats.ReasonUnknownFormat},
		"no such format": {"gif", []byte("something"), formats.ReasonUnknownFormat},
		"long name":      {strings.Repeat("\n", 1000), []byte("something"), formats.ReasonUnknownFormat},
		"other case":     {"PGP", []byte("something"), formats.ReasonUnknownFormat},
	} {
		p, err := r.Parse(context.Background(), c.format, c.signature, nil, now)
		if p != nil || formats.ReasonOf(err) != c.want || strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var e *formats.Error
	if _, err := r.Get("gif"); !errors.As(err, &e) || !strings.Contains(e.Hint, strings.Join(r.Names(), ", ")) {
		t.Errorf("the hint does not name the formats: %v", err)
	}
}

// TestSeventhFormat: one folder and one line. Nothing else knows the formats by name.
func TestSeventhFormat(t *testing.T) {
	r := formats.NewRegistry(append(slices.Clone(all.Formats().All()), toy.New())...)
	signature, key := toy.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), []byte("artifact"))
	if f, err := r.Detect(context.Background(), signature, [][]byte{key}, now); err != nil || f.Name() != "toy" {
		t.Fatalf("detected %v, %v", f, err)
	}
	for _, name := range []string{"", "toy"} {
		p, err := r.Parse(context.Background(), name, signature, [][]byte{key}, now)
		if err != nil || p.Describe().Format != "toy" {
			t.Errorf("parsed by the name %q: %v", name, err)
		}
	}
	for _, f := range all.Formats().All() {
		_, err := r.Parse(context.Background(), f.Name(), signature, [][]byte{key}, now)
		if formats.ReasonOf(err) != formats.ReasonWrongFormat || !strings.Contains(err.Error(), "format toy (line), sent as "+f.Name()) {
			t.Errorf("sent as %s: %v", f.Name(), err)
		}
	}
}

func TestRegisteredTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two formats share a name")
		}
	}()
	formats.NewRegistry(toy.New(), toy.New())
}

// TestRegistryStops: neither the end of the context nor the end of the account is taken for a verdict on the format.
func TestRegistryStops(t *testing.T) {
	r := formats.NewRegistry(spent{}, toy.New())
	signature := []byte("toy:00\n")
	if _, err := r.Parse(t.Context(), "spent", signature, nil, now); formats.ReasonOf(err) != formats.ReasonTooMuchWork {
		t.Errorf("account: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Parse(ctx, "spent", signature, nil, now); !errors.Is(err, context.Canceled) || formats.ReasonOf(err) != "" {
		t.Errorf("context: %v", err)
	}
}

// spent is a format that takes all the work there is.
type spent struct{ formats.Format }

func (spent) Name() string       { return "spent" }
func (spent) Detect([]byte) bool { return false }

func (spent) Parse(ctx context.Context, _ []byte, _ [][]byte, _ formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, "")
	if err != nil {
		return nil, err
	}
	return nil, m.ChargeBytes(formats.MaxWork + 1)
}

// TestOpenKeys: keys that are open already are judged as those that Parse opens, and are not opened again.
func TestOpenKeys(t *testing.T) {
	t.Parallel()
	r := formats.NewRegistry(toy.New())
	signature, key := toy.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), []byte("artifact"))
	once := []byte(base64.StdEncoding.EncodeToString(key))
	for name, file := range map[string][]byte{"bare": key, "once": once, "twice": []byte(base64.StdEncoding.EncodeToString(once)), "nothing": nil} {
		p := formats.Policy{Now: now.Now, Keys: map[string][][]byte{"toy": {file}}}
		_, want := r.Parse(t.Context(), "", signature, nil, p)
		if (want == nil) != (name == "bare" || name == "once") {
			t.Fatalf("%s: %v", name, want)
		}
		opened := p
		opened.Keys, opened.KeysAreOpen = formats.OpenKeys(p.Keys), true
		if _, err := r.Parse(t.Context(), "", signature, nil, opened); formats.ReasonOf(err) != formats.ReasonOf(want) {
			t.Errorf("%s, open: %v, else %v", name, err, want)
		}
		p.KeysAreOpen = true
		if _, err := r.Parse(t.Context(), "", signature, nil, p); (err == nil) != (name == "bare") {
			t.Errorf("%s, said to be open: %v", name, err)
		}
	}
}
