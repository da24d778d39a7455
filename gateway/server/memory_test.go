// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/ed25519"
	"crypto/x509"
	"math"
	"math/big"
	"net/url"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// unlimitAfter has memory be as without a gateway once the test has ended, and no environment say anything of it until then.
func unlimitAfter(t *testing.T) {
	t.Helper()
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	t.Cleanup(func() {
		ballast = nil
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	})
}

// TestLimitMemory: little garbage is left alone, and what waits for that takes nothing of the limit for requests.
func TestLimitMemory(t *testing.T) {
	unlimitAfter(t)
	const requests = 1 << 30
	LimitMemory(config.Limits{MaxRequestMemory: requests})
	LimitMemory(config.Limits{MaxRequestMemory: requests}) // the second time changes nothing
	runtime.GC()
	const least = ballastSize + ballastSize*collectAt/100
	if goal := readGoal(); goal < least || goal > least+64<<20 {
		t.Errorf("collected at %d bytes, want little more than %d: the ballast and the garbage that it allows", goal, least)
	}
	if got, want := debug.SetMemoryLimit(-1), int64(requests+ownMemory+ballastSize); got != want {
		t.Errorf("limited to %d bytes, want %d", got, want)
	}
}

// TestLimitMemoryBySmallEnvironment: a limit in the environment is of what takes memory, which the ballast does not. It would be all of the limit of a small container.
func TestLimitMemoryBySmallEnvironment(t *testing.T) {
	const given = 160 << 20
	unlimitAfter(t)
	t.Setenv("GOMEMLIMIT", "160MiB")
	debug.SetMemoryLimit(given) // as the runtime does
	LimitMemory(config.Limits{MaxRequestMemory: 1 << 30})
	LimitMemory(config.Limits{MaxRequestMemory: 1 << 30}) // the second time changes nothing
	if got := debug.SetMemoryLimit(-1); got != given+ballastSize {
		t.Errorf("limited to %d bytes, want the %d that were given and the ballast", got, given)
	}
	runtime.GC()
	if goal := readGoal(); goal < ballastSize+ballastSize*collectAt/100 {
		t.Errorf("collected at %d bytes, of which the ballast is %d", goal, ballastSize)
	}
}

// TestLimitMemoryByEnvironment: what the operator says has precedence.
func TestLimitMemoryByEnvironment(t *testing.T) {
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "1GiB")
	before := debug.SetMemoryLimit(-1)
	LimitMemory(config.Limits{MaxRequestMemory: 1 << 20})
	if ballast != nil || debug.SetMemoryLimit(-1) != before {
		t.Errorf("ballast of %d bytes, limit %d, want neither", len(ballast), debug.SetMemoryLimit(-1))
	}
}

// TestRememberedFilesAreSmall: whoever may send key files cannot fill the gateway's own memory with them.
func TestRememberedFilesAreSmall(t *testing.T) {
	if err := keyfile.RememberFiles(rememberedFiles); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyfile.RememberFiles(1) })
	before := readHeap()
	for i := range 300 {
		for _, uris := range []int{1900, 3300} { // with little less than 8 and 16 KiB
			m, err := formats.StartWork(t.Context(), "")
			if err == nil {
				_, err = keyfile.Read(m, makeCertificate(t, i, uris))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if held := readHeap() - before; held > ownMemory/2 {
		t.Errorf("%d MiB are held by key files", held>>20)
	}
}

// makeCertificate returns one with that many of the shortest names that take most as they are read.
func makeCertificate(t *testing.T, serial, uris int) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c := &x509.Certificate{SerialNumber: big.NewInt(int64(serial + 1)), NotAfter: time.Now().Add(time.Hour), URIs: slices.Repeat([]*url.URL{{Scheme: "a"}}, uris)}
	der, err := x509.CreateCertificate(nil, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// readHeap returns how much memory is in use, in bytes.
func readHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// readGoal returns the heap's size, in bytes, at which it is collected next.
func readGoal() int64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	runtimemetrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
