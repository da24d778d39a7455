// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// offline is a file of the commands' tests.
func offline(name string) string { return filepath.Join("../../testdata/offline", name) }

// copyFile copies a file of the tests' own.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, must(os.ReadFile(from)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newTestRun returns a run without a gateway, which has the key of makeTree's signatures, and remembers what it reads.
func newTestRun(t *testing.T, trustedRoot string) *runner {
	t.Helper()
	f := &Options{TrustedRoot: trustedRoot, Which: "all", Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
		return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
	}}
	told := output.NewNotes(io.Discard)
	b := f.newLocalRun(must(loadKeys(t.Context(), []string{offline("x509.pub")})), told)
	b.trust.set(must(f.loadTrust(t.Context(), nil, told)))
	b.known = &knownReceipts{path: "known"}
	b.judge.settled = &b.known.settled
	return b
}

// makeTree makes n times the same signature over the same file.
func makeTree(t *testing.T, n int) string {
	t.Helper()
	tree := t.TempDir()
	for i := range n {
		if err := os.Mkdir(filepath.Join(tree, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, offline("artifact"), filepath.Join(tree, fmt.Sprint(i), "app"))
		copyFile(t, offline("x509.sig"), filepath.Join(tree, fmt.Sprint(i), "app.sig"))
	}
	return tree
}
