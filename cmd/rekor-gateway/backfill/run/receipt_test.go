// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

func TestIsTorn(t *testing.T) {
	whole := must(os.ReadFile(offline("x509.receipt.json")))
	for name, c := range map[string]struct {
		raw  []byte
		torn bool
	}{
		"empty": {nil, true}, "zeros": {make([]byte, 100), true}, "cut": {whole[:len(whole)/2], true}, "cut and zeros": {append(bytes.Clone(whole[:9]), 0, 0), true},
		"whole": {whole, false}, "text": {[]byte("hello"), false}, "JSON": {[]byte("{}"), false},
	} {
		if isTorn(c.raw) != c.torn {
			t.Errorf("%s: %v", name, !c.torn)
		}
	}
}

// A file that is larger than any receipt is none that was cut short, whatever it begins with: nothing is sent for what could not be kept in its place.
func TestLargeFileIsNotTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.receipt.json")
	for size, torn := range map[int64]bool{100: true, receipt.MaxSize: true, receipt.MaxSize + 1: false, 1 << 40: false} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
		_, _, err := readKept(path, nil)
		if isTornFile(path) != torn || errors.Is(err, fs.ErrNotExist) != torn || !torn && formats.ReasonOf(err) == "" {
			t.Errorf("%d bytes: %v, torn: %v", size, err, isTornFile(path))
		}
	}
}
