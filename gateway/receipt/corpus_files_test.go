// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// corpusInput reads a file of a format's test data, or one of the corpus's own inputs.
func corpusInput(t *testing.T, format, name string) []byte {
	t.Helper()
	if strings.HasPrefix(name, "inputs/") {
		return readFile(t, filepath.Join(corpusDir, name))
	}
	return readFile(t, filepath.Join("../../formats", format, "testdata", name))
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// files are those of a receipt's new folder.
type files struct {
	dir     string
	content map[string][]byte
}

// keep adds a file and returns its name in the folder.
func (f *files) keep(path string, b []byte) string {
	if f.content == nil {
		f.content = map[string][]byte{}
	}
	name := filepath.Base(path)
	f.content[name] = b
	return name
}

// write makes the folder, which must not be there, all at once.
func (f *files) write(t *testing.T) {
	t.Helper()
	if err := os.Mkdir(f.dir, 0o755); err != nil {
		t.Fatal(err) // it is there: nothing is overwritten
	}
	for name, b := range f.content {
		if err := os.WriteFile(filepath.Join(f.dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// keepWrong adds a file to those that no receipt has to do with, where it is missing, and returns its
// name from a receipt's folder.
func keepWrong(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(corpusDir, "wrong", name)
	if !exists(t, path) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join("..", "wrong", name)
}

// Trusted roots and gateway trust of a run, in its folder.
const (
	rootInUse       = "trusted_root.json"
	rootEnded       = "trusted_root_ended.json"        // the logs' keys ended a month after the run
	rootEndedBefore = "trusted_root_ended_before.json" // and a day before it
	rootStartsLater = "trusted_root_starts_later.json" // they begin four years after it
	rootOther       = "trusted_root_other.json"        // the same logs with another key
	trustInUse      = "gateway_trust.json"
	trustRetired    = "gateway_trust_retired.json" // only the logs' first entries count
	trustOther      = "gateway_trust_other.json"   // another gateway's, whose own log has the same name

	trustWithoutOwn    = "gateway_trust_without_own.json"    // no own log
	trustAnchorRetired = "gateway_trust_anchor_retired.json" // as trustRetired, for the anchor key alone
)

// writeTrust writes what a reader may trust of this run's logs and gateway.
func (m *maker) writeTrust() {
	f := &files{dir: filepath.Join(corpusDir, m.trust)}
	other := spki(m.t, newKey(m.t))
	root := func(name string, start, end time.Time, key []byte) {
		var keys []trustroot.LogKey
		for _, s := range m.servers {
			spki, err := s.PublicKey()
			if err != nil {
				m.t.Fatal(err)
			}
			if key != nil {
				spki = key
			}
			keys = append(keys, trustroot.LogKey{Origin: s.Origin(), SPKI: spki, Start: start, End: end})
		}
		r, err := trustroot.New(keys...)
		f.keepEncoded(m.t, name, r, err)
	}
	start := m.day.AddDate(0, -1, 0)
	root(rootInUse, start, time.Time{}, nil)
	root(rootEnded, start, m.day.AddDate(0, 1, 0), nil)
	root(rootEndedBefore, start, m.day.AddDate(0, 0, -1), nil)
	root(rootStartsLater, m.day.AddDate(4, 0, 0), time.Time{}, nil)
	root(rootOther, start, time.Time{}, other)

	trust := func(name string, spki []byte, to *int64, change func(*trustroot.Gateway) (*trustroot.Gateway, error)) {
		k := trustroot.GatewayKey{SPKI: spki, Logs: []trustroot.LogRange{{Origin: m.own.Origin, To: to}}}
		for _, s := range m.servers {
			k.Logs = append(k.Logs, trustroot.LogRange{Origin: s.Origin(), To: to})
		}
		g, err := trustroot.NewGateway(k)
		if err == nil {
			g, err = change(g)
		}
		f.keepEncoded(m.t, name, g, err)
	}
	withOwn := func(key string, to *int64) func(*trustroot.Gateway) (*trustroot.Gateway, error) {
		return func(g *trustroot.Gateway) (*trustroot.Gateway, error) { return m.trustOwn(g, key, to) }
	}
	trust(trustInUse, m.attester.SPKI(), nil, withOwn(m.own.Key, nil))
	trust(trustRetired, m.attester.SPKI(), new(int64), withOwn(m.own.Key, nil))
	trust(trustOther, other, nil, withOwn(receipttest.NewOwnLog(m.t, m.own.Origin).Key, nil))
	trust(trustAnchorRetired, m.attester.SPKI(), nil, withOwn(m.own.Key, new(int64)))
	trust(trustWithoutOwn, m.attester.SPKI(), nil, func(g *trustroot.Gateway) (*trustroot.Gateway, error) { return g, nil })
	f.write(m.t)
}

func (f *files) keepEncoded(t *testing.T, name string, of interface{ Marshal() ([]byte, error) }, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := of.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	f.keep(name, b)
}

// writeSums lists new files in SHA256SUMS. A file that has changed keeps its old sum, so that
// TestCorpusIsFrozen says so.
func writeSums(t *testing.T) {
	t.Helper()
	sums := corpusSums(t)
	path := filepath.Join(corpusDir, sumsFile)
	if exists(t, path) {
		for line := range strings.Lines(string(readFile(t, path))) {
			sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			sums[name] = sum
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[name], name)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
