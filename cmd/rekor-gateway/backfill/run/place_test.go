// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
)

func TestFindPlace(t *testing.T) {
	for name, c := range map[string]struct {
		item       backfill.Item
		dir        string
		first, own string
	}{
		"detached":         {backfill.Item{Name: "a/x.asc", Signature: "t/a/x.asc", Artifact: "t/a/x"}, "", "t/a/x.receipt.json", "t/a/x.asc.receipt.json"},
		"two endings":      {backfill.Item{Name: "x.pem.sig", Signature: "t/x.pem.sig", Artifact: "t/x"}, "", "t/x.receipt.json", "t/x.pem.sig.receipt.json"},
		"signed PEM":       {backfill.Item{Name: "x.pem.sig", Signature: "t/x.pem.sig", Artifact: "t/x.pem"}, "", "t/x.pem.receipt.json", "t/x.pem.sig.receipt.json"},
		"inside":           {backfill.Item{Name: "x.asc", Signature: "t/x.asc"}, "", "", "t/x.asc.receipt.json"},
		"InRelease":        {backfill.Item{Name: "d/InRelease", Signature: "t/d/InRelease"}, "", "t/d/InRelease.receipt.json", "t/d/InRelease.receipt.json"},
		"compressed":       {backfill.Item{Name: "x.tar.sign", Signature: "t/x.tar.sign", Artifact: "t/x.tar.xz", Decompress: true}, "", "t/x.tar.receipt.json", "t/x.tar.sign.receipt.json"},
		"elsewhere":        {backfill.Item{Name: "s/x.asc", Signature: "s/x.asc", Artifact: "f/x.bin"}, "", "f/x.bin.receipt.json", "f/x.bin.asc.receipt.json"},
		"unusual":          {backfill.Item{Name: "s/signature", Signature: "s/signature", Artifact: "f/x"}, "", "f/x.receipt.json", "f/x.signature.receipt.json"},
		"digest":           {backfill.Item{Name: "x.sig", Signature: "t/x.sig", Digest: "sha256:00"}, "", "t/x.receipt.json", "t/x.sig.receipt.json"},
		"folder":           {backfill.Item{Name: "a/x.asc", Signature: "t/a/x.asc", Artifact: "t/a/x"}, "r", "r/a/x.receipt.json", "r/a/x.asc.receipt.json"},
		"fetched":          {backfill.Item{Name: "a/x.asc", Signature: "https://h/a/x.asc", Artifact: "https://h/a/x"}, "r", "r/a/x.receipt.json", "r/a/x.asc.receipt.json"},
		"half fetched":     {backfill.Item{Name: "x.asc", Signature: "t/x.asc", Artifact: "https://h/a/x"}, "", "t/x.receipt.json", "t/x.asc.receipt.json"},
		"nowhere":          {backfill.Item{Name: "x.asc", Signature: "https://h/x.asc", Artifact: "https://h/x"}, "", "", ""},
		"over a signature": {backfill.Item{Name: "x.sig.asc", Signature: "t/x.sig.asc", Artifact: "t/x.sig"}, "", "", "t/x.sig.asc.receipt.json"},
		"over InRelease":   {backfill.Item{Name: "InRelease.asc", Signature: "t/InRelease.asc", Artifact: "t/InRelease"}, "", "", "t/InRelease.asc.receipt.json"},
		"over a .dsc":      {backfill.Item{Name: "x.dsc.sig", Signature: "t/x.dsc.sig", Artifact: "t/x.dsc"}, "r", "", "r/x.dsc.sig.receipt.json"},
		"over a list":      {backfill.Item{Name: "SHA256SUMS.asc", Signature: "t/SHA256SUMS.asc", Artifact: "t/SHA256SUMS"}, "", "t/SHA256SUMS.receipt.json", "t/SHA256SUMS.asc.receipt.json"},
		"leads outside":    {backfill.Item{Name: "../x.asc", Signature: "../x.asc", Artifact: "../x"}, "r", "", ""},
	} {
		p, err := findPlace(c.item, c.dir)
		if (err != nil) != (c.own == "") || p.first != c.first || p.own != c.own {
			t.Errorf("%s: %q, %q, %v", name, p.first, p.own, err)
		}
	}
}

// The signature whose ending comes first has the short name, whoever is handled first.
func TestPlaceOrder(t *testing.T) {
	dir := t.TempDir()
	places := map[string]string{"x.sig": "x.sig.receipt.json", "x.asc": "x.receipt.json", "y.sig": "y.receipt.json"}
	for name := range places {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range places {
		path := filepath.Join(dir, name)
		artifact := path[:len(path)-len(".sig")]
		p, err := findPlace(backfill.Item{Name: name, Signature: path, Artifact: artifact}, "")
		if got := p.choose(isFree(p.first)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	copyFile(t, offline("x509.receipt.json"), filepath.Join(dir, "x.receipt.json"))
	p := must(findPlace(backfill.Item{Name: "x.asc", Signature: filepath.Join(dir, "x.asc"), Artifact: filepath.Join(dir, "x")}, ""))
	if got := p.choose(isFree(p.first)); got != filepath.Join(dir, "x.asc.receipt.json") {
		t.Errorf("another signature has the name: %s", got)
	}
}

// isFree reports whether no receipt is in path.
func isFree(path string) bool {
	_, _, err := readKept("", path, nil)
	return errors.Is(err, fs.ErrNotExist)
}

// A list that is signed in the clear keeps the receipt's short name, whoever is handled first: that of a signature beside it has its own.
func TestSignedListKeepsItsName(t *testing.T) {
	list := filepath.Join(t.TempDir(), "SHA256SUMS")
	place := func() place {
		return must(findPlace(backfill.Item{Name: "SHA256SUMS.sig", Signature: list + ".sig", Artifact: list}, ""))
	}
	for content, first := range map[string]string{"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n": "", strings.Repeat("a", 64) + "  app\n": list + ".receipt.json"} {
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p := place(); p.first != first || p.own != list+".sig.receipt.json" {
			t.Errorf("%q: %+v", content, p)
		}
	}
}

// TestWasBare: what the folder's names tell holds for receipts beside the signature alone.
func TestWasBare(t *testing.T) {
	for name, c := range map[string]struct {
		item backfill.Item
		dir  string
		want bool
	}{
		"beside":             {backfill.Item{Signature: "d/app.asc", Artifact: "d/app", Bare: true}, "", true},
		"not bare":           {backfill.Item{Signature: "d/app.asc", Artifact: "d/app"}, "", false},
		"in another folder":  {backfill.Item{Signature: "d/app.asc", Name: "app.asc", Artifact: "d/app", Bare: true}, "elsewhere", false},
		"beside another":     {backfill.Item{Signature: "d/app.asc", Artifact: "d/tool", Bare: true}, "", false},
		"an inner file's":    {backfill.Item{Signature: "d/app.tar.sign", Artifact: "d/app.tar.xz", Decompress: true, Bare: true}, "", true},
		"of what it holds":   {backfill.Item{Signature: "d/InRelease.asc", Bare: true}, "", true},
		"named like another": {backfill.Item{Signature: "d/app.asc", Artifact: "d/app.", Bare: true}, "", true},
	} {
		p, err := findPlace(c.item, c.dir)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := p.wasBare(c.item); got != c.want {
			t.Errorf("%s: %v, own %s, first %s", name, got, p.own, p.first)
		}
	}
}
