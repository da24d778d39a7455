// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

const (
	// mostLeast is how many signatures are enough to tell what one takes.
	mostLeast = 12_000
	// usualReceipt is the size of a receipt where none was made before, in bytes.
	usualReceipt = 8 << 10
	// wantedSignatures in wantedTime are what a backfill is to do.
	wantedSignatures = 100_000
	wantedTime       = time.Minute
)

// measureLeast: what is left to a bare pipeline, one process for command and gateway, without anything between them: it reads the files, verifies each
// signature twice, once for each of the two, stores the rows that a gateway does, and writes a file as large as a receipt. It makes and verifies no
// receipt, and asks and answers nobody.
func measureLeast(t *testing.T, r *report, batched cost) {
	items := mixedItems(min(*signatures, mostLeast))
	tree, out := layTree(t, items), t.TempDir()
	bare := newBareLoop(t, openSQLite(t, filepath.Join(t.TempDir(), "bare.db")), gatewaytest.NewLog())
	rows := bare.rows.makeRows(items)
	file := make([]byte, cmp.Or(batched.receiptBytes, usualReceipt))
	_, _ = rand.Read(file)
	s := measure(0, 0, len(items), func() {
		bare.store(rows, func(i int) {
			it := tree.readItem(items[i], i)
			bare.verify(it)
			bare.verify(it)
		}, func(i int) {
			check(os.WriteFile(filepath.Join(out, fmt.Sprint(i)), file, 0o644))
		})
	})
	each := perEntry(s.client, len(items))
	allowed := wantedTime * time.Duration(runtime.NumCPU()) / wantedSignatures
	least := row{
		what:    fmt.Sprintf("what is left to a bare pipeline, CPU for each of %d", len(items)),
		gateway: formatCPU(batched.cpu), beside: formatCPU(each),
		target: fmt.Sprintf("%d in %.0f s: %s", wantedSignatures, wantedTime.Seconds(), formatCPU(allowed)),
	}
	if batched.cpu > 0 {
		least.ratio = float64(batched.cpu) / float64(each)
	}
	r.add(least, row{
		what:    fmt.Sprintf("– %d signatures with nothing else to do on %d processors", wantedSignatures, runtime.NumCPU()),
		gateway: formatSeconds(batched.cpu * wantedSignatures / time.Duration(runtime.NumCPU())),
		beside:  formatSeconds(each * wantedSignatures / time.Duration(runtime.NumCPU())),
	})
}

// readItem returns item i as its files have it.
func (tr *tree) readItem(it item, i int) item {
	artifact, signature := tr.pathsOf(i)
	it.signature = must(os.ReadFile(signature))
	if artifact != "" {
		it.artifact = must(os.ReadFile(artifact))
	}
	return it
}
