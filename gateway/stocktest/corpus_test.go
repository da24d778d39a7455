// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// corpusDir has the receipts that gateway/receipt keeps; its README.md says what is where.
const corpusDir = "../receipt/testdata/corpus"

// verdicts is what is read here of a verdicts.json.
type verdicts struct {
	Trust         string         `json:"trust"`
	Verifications []verification `json:"verifications"`
}

type verification struct {
	At              time.Time `json:"at"`
	Artifact        string    `json:"artifact"`
	Keys            []string  `json:"keys"`
	AllowHistorical bool      `json:"allow_historical"`
	SSHNamespaces   []string  `json:"ssh_namespaces"`
	TrustedRoot     string    `json:"trusted_root"`
	GatewayTrust    string    `json:"gateway_trust"`
	Verdict         string    `json:"verdict"`
}

// keptSamples are the receipts of the corpus that verify by the signer's keys, each once.
func keptSamples(t *testing.T) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusDir, "*", "verdicts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for _, file := range files {
		var list verdicts
		if err := json.Unmarshal(readFile(t, file), &list); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Verifications, func(v verification) bool {
			return v.Verdict == "ok" && len(v.Keys) > 0 && v.TrustedRoot == ""
		})
		if i >= 0 {
			dir := filepath.Dir(file)
			out = append(out, keptSample(t, dir, filepath.Join(dir, list.Trust), list.Verifications[i]))
		}
	}
	return out
}

func keptSample(t *testing.T, dir, trust string, v verification) sample {
	t.Helper()
	s := sample{
		name: filepath.Base(dir), otherRoot: parseRoot(t, filepath.Join(trust, "trusted_root_other.json")),
		options: receipt.Options{
			Registry: all.Formats(), TrustedRoot: parseRoot(t, filepath.Join(trust, "trusted_root.json")),
			Historical: formats.AllowAll(v.AllowHistorical), SSHNamespaces: v.SSHNamespaces, Now: v.At,
		},
	}
	var err error
	if s.receipt, err = receipt.Unmarshal(readFile(t, filepath.Join(dir, "receipt.json"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range v.Keys {
		s.options.ExpectedKeys = append(s.options.ExpectedKeys, readFile(t, filepath.Join(dir, name)))
	}
	if v.Artifact != "" {
		s.artifact = filepath.Join(dir, v.Artifact)
	}
	if v.GatewayTrust != "" {
		if s.options.GatewayTrust, err = trustroot.ParseGateway(readFile(t, filepath.Join(trust, v.GatewayTrust))); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func parseRoot(t *testing.T, path string) *trustroot.Root {
	t.Helper()
	root, err := trustroot.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
