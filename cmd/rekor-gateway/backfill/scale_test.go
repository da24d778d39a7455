// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// fill makes a folder of n names: files, their signatures, and the receipts of those. All signatures are links to one file, for the disk's sake.
func fill(t testing.TB, dir string, n int) {
	t.Helper()
	one := write(t, dir+"/0.sig", read(t, "ssh/app.sig"))
	for i := range n / 3 {
		name := fmt.Sprintf("%s/release-%07d.tar.gz", dir, i)
		if i%60000 == 59999 { // what file systems let one file have
			one = write(t, fmt.Sprintf("%s/%d.sig", dir, i), read(t, "ssh/app.sig"))
		}
		write(t, name, "")
		write(t, name+".receipt.json", "")
		if err := os.Link(one, name+".sig"); err != nil {
			t.Fatal(err)
		}
	}
}

// inUse returns the octets of memory that the process has from the system.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// scanCounting returns how many items there are without a problem, and the most memory that was in use.
func scanCounting(t testing.TB, root string) (items int, most uint64) {
	t.Helper()
	for item, err := range Scan([]string{root}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if item.Problem != nil {
			continue // the signature that the others are links to
		}
		if items%1000 == 0 {
			most = max(most, inUse())
		}
		items++
	}
	return items, most
}

// TestScanLargeFolder: 100,000 names in one folder.
func TestScanLargeFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	dir := t.TempDir()
	fill(t, dir, 100_000)
	if items, _ := scanCounting(t, dir); items != 33_333 {
		t.Errorf("%d signatures", items)
	}
}

// BenchmarkScan scans 200,000 files: half of them in one folder, half in folders of 1,000. It reports what a million takes.
func BenchmarkScan(b *testing.B) {
	const files = 200_000
	root := b.TempDir()
	fill(b, root+"/one", files/2)
	for i := range files / 2 / 1000 {
		fill(b, fmt.Sprintf("%s/many/%d", root, i), 1000)
	}
	var most uint64
	for b.Loop() {
		_, m := scanCounting(b, root)
		most = max(most, m)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1_000_000/files, "s/million")
	b.ReportMetric(float64(most)/(1<<20), "MiB")
}
