// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"flag"
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
)

// contest is one format whose speed is measured.
type contest struct {
	name   string
	format string
	hash   crypto.Hash // what the signature's own hash alone costs
	make   func(document []byte) submission
	target float64 // how many times as fast as Rekor v1, at the large size
	carry  bool    // the document is in the signature: one size, and memory in proportion
}

var contests = []contest{
	{"PGP, RSA-2048/SHA-256", "pgp", crypto.SHA256, func(d []byte) submission {
		k := newPGPKey("rsa2048")
		return submission{signature: plainPGP(k).sign(k, d), keys: [][]byte{k.file}, artifact: d}
	}, usualTarget, false},
	{"SSH, P-256", "ssh", crypto.SHA512, func(d []byte) submission {
		return submission{signature: plainSSH("p256").file(d), keys: [][]byte{xssh.MarshalAuthorizedKey(sshPublic("p256"))}, artifact: d}
	}, usualTarget, false},
	{"PKCS #7, RSA-2048/SHA-256", "pkcs7", crypto.SHA256, func(d []byte) submission {
		c := plainCMS("rsa2048", crypto.SHA256, d)
		c.attributes[2] = attribute(oidMessageDigest, sum(crypto.SHA256, d))
		return submission{signature: c.file(), artifact: d}
	}, 1.5, false},
	{"X.509, P-256/SHA-256", "x509", crypto.SHA256, func(d []byte) submission {
		return submission{signature: signDigest(throwaway("p256"), crypto.SHA256, sum(crypto.SHA256, d)), keys: [][]byte{publicPEM("p256")}, artifact: d}
	}, usualTarget, false},
	{"X.509, Ed25519", "x509", crypto.SHA512, func(d []byte) submission {
		return submission{signature: signDigest(throwaway("ed25519"), 0, d), keys: [][]byte{publicPEM("ed25519")}, artifact: d}
	}, usualTarget, false},
	{"minisign, prehashed", "minisign", crypto.BLAKE2b_512, minisignContest("ED"), usualTarget, false},
	{"minisign, legacy", "minisign", crypto.SHA512, minisignContest("Ed"), 1.1, false},
	{"TUF, P-256 + Ed25519", "tuf", crypto.SHA256, func([]byte) submission {
		return plainTUF("targets", 2).submission("")
	}, usualTarget, true},
}

func minisignContest(algorithm string) func([]byte) submission {
	return func(d []byte) submission {
		m := plainMinisig()
		m.algorithm, m.document = algorithm, d
		return submission{signature: m.file(), keys: [][]byte{m.key()}, artifact: d}
	}
}

const (
	small  = 1 << 10
	large  = 64 << 20
	rounds = 7

	usualTarget = 0.95      // times as fast as Rekor v1
	maxBytes    = 128 << 10 // allocated by one verification
)

// measureSpeed prints a table: rekor-gateway, Rekor v1's packages and a plain hash take turns, and
// the best of their rounds counts, since everything that disturbs a round makes it slower. Time
// is the process's processor time, so that what else runs on the machine counts little; the
// ratio to Rekor by the clock stands beside it, and the one to Rekor with SHA-256 of the document
// besides, which Rekor's rekord entries hash before they call these packages, and rekor-gateway always states.
func measureSpeed(w io.Writer) {
	testing.Init()
	check(flag.Set("test.benchtime", "150ms"))
	fmt.Fprintf(w, "%-26s %9s  %12s %12s %12s  %8s %8s %9s %9s  %10s %11s\n",
		"", "bytes", "ours", "Rekor v1", "hash alone", "× Rekor", "× hash", "by clock", "+SHA-256", "ours B/op", "Rekor B/op")
	document := make([]byte, large)
	for i := range document {
		document[i] = byte(i * i >> 7)
	}
	for _, c := range contests {
		for _, size := range []int{small, large} {
			if c.carry && size == large {
				continue
			}
			c.run(w, document[:size])
		}
	}
}

func (c contest) run(w io.Writer, document []byte) {
	s := c.make(document)
	s.format = c.format
	ours, theirs, hash, sha256 := best{}, best{}, best{}, best{}
	for range rounds {
		ours.take(func() { mustAccept(rekorGateway(s)) })
		theirs.take(func() { mustAccept(panels[c.format][rekorV1]("", s)) })
		hash.take(func() { sum(c.hash, document) })
		sha256.take(func() { sum(crypto.SHA256, document) })
	}
	size, ratio := len(document), theirs.nanoseconds/ours.nanoseconds
	fmt.Fprintf(w, "%-26s %9d  %12s %12s %12s  %8.2f %8.2f %9.2f %9.2f  %10d %11d%s\n", c.name, size,
		ours.speed(size), theirs.speed(size), hash.speed(size),
		ratio, hash.nanoseconds/ours.nanoseconds, theirs.clock/ours.clock, (theirs.nanoseconds+sha256.nanoseconds)/ours.nanoseconds,
		ours.bytes, theirs.bytes, c.missed(size, ratio, ours.bytes))
}

// missed names the targets that were not reached.
func (c contest) missed(size int, ratio float64, bytes int64) string {
	target, out := usualTarget, ""
	if size == large {
		target = c.target
	}
	if ratio < target {
		out = fmt.Sprintf("  below %.2f× Rekor", target)
	}
	if bytes > maxBytes && !c.carry {
		out += "  above 128 KiB"
	}
	return out
}

func mustAccept(v verdict) {
	if !v.accepted {
		panic(v.String())
	}
}

// best is the quickest of several runs.
type best struct {
	nanoseconds float64 // of processor time
	clock       float64 // nanoseconds by the clock
	bytes       int64
}

func (b *best) take(f func()) {
	runtime.GC() // each pays for its own garbage
	var used time.Duration
	r := testing.Benchmark(func(t *testing.B) {
		t.ReportAllocs()
		before := processorTime()
		for t.Loop() {
			f()
		}
		used = processorTime() - before
	})
	if ns := float64(r.T.Nanoseconds()) / float64(r.N); b.clock == 0 || ns < b.clock {
		b.clock = ns
	}
	if ns := float64(used.Nanoseconds()) / float64(r.N); b.nanoseconds == 0 || ns < b.nanoseconds {
		b.nanoseconds, b.bytes = ns, r.AllocedBytesPerOp()
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// speed is MB/s of large documents and µs of small ones.
func (b *best) speed(size int) string {
	if size == small {
		return fmt.Sprintf("%.1f µs", b.nanoseconds/1e3)
	}
	return fmt.Sprintf("%.0f MB/s", float64(size)/b.nanoseconds*1e3)
}
