// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"io"
	"os"
	"path"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
)

// TestScanPairsVerify: what is paired verifies, with the key that made it.
func TestScanPairsVerify(t *testing.T) {
	keys := map[string]string{
		"debian": "pgp/release-key.asc", "kernel": "pgp/release-key.asc", "pgp": "pgp/release-key.asc", "sums": "pgp/release-key.asc",
		"minisign": "minisign/release.pub", "ssh": "ssh/release.pub", "pkcs7": "x509/release.pem", "x509": "x509/release.pem",
		"x509/raw.sig": "x509/raw.pub", "sums/SHA256SUMS.minisig": "minisign/release.pub",
	}
	for item, err := range Scan([]string{"testdata/tree"}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		key, ok := keys[item.Name]
		if !ok {
			key = keys[path.Dir(item.Name)]
		}
		signature, err := os.ReadFile(item.Signature)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := all.Formats().Parse(t.Context(), "", signature, [][]byte{[]byte(read(t, key))}, formats.Policy{Now: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Errorf("%s: %v", item.Name, err)
			continue
		}
		if _, err := parsed.Verify(t.Context(), openArtifact(t, item)); err != nil {
			t.Errorf("%s over %s: %v", item.Name, item.Artifact, err)
		}
	}
}

func openArtifact(t *testing.T, item Item) formats.Artifact {
	t.Helper()
	if item.Artifact == "" {
		return formats.Artifact{}
	}
	file, _, err := Open(item.Artifact)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	var r io.Reader = file
	if item.Decompress {
		r = container.NewReader(container.XZ, file, 1<<20)
	}
	return formats.FromReader(r)
}
