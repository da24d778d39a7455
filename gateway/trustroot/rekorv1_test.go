// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

func TestSplitRekorV1(t *testing.T) {
	for origin, want := range map[string]int64{
		"rekor.example - 1193050959916656506": 1193050959916656506, "a - 1": 1,
		"rekor.example": 0, "rekor.example - ": 0, "rekor.example - 0": 0, "rekor.example - -1": 0, "rekor.example - 01": 0, "rekor.example - +1": 0, " - 1": 0,
		"rekor.example - 9223372036854775808": 0, "a - 1 - 2": 0, "rekor.example -1": 0, "a - 1\n": 0,
	} {
		host, tree, ok := SplitRekorV1(origin)
		if tree != want || ok != (want > 0) || ok && !strings.HasPrefix(origin, host+" - ") {
			t.Errorf("%q: %q, %d, %t", origin, host, tree, ok)
		}
	}
}

// TestLogsOf: a host's ECDSA key is the key of each of its trees, and of no other host's; and a key of another kind is of none.
func TestLogsOf(t *testing.T) {
	ks := keys(t)
	root, err := New(
		LogKey{Origin: "v1.example", SPKI: spki(t, ks["p256"]), Start: start, End: start.Add(time.Hour)},
		LogKey{Origin: "v1.example", SPKI: spki(t, ks["ed25519"]), Start: start},
		LogKey{Origin: "ed.example", SPKI: spki(t, ks["ed25519"]), Start: start},
	)
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(spki(t, ks["p256"]))
	for _, origin := range []string{"v1.example - 1", "v1.example - 2"} {
		logs := root.LogsOf(origin)
		if len(logs) != 1 {
			t.Fatalf("%s: %d logs", origin, len(logs))
		}
		l := logs[0]
		if l.Origin != origin || !l.IsRekorV1() || l.KeyHash != binary.BigEndian.Uint32(id[:]) || l.Verifier.Name() != "v1.example" || l.Verifier.KeyHash() != l.KeyHash || !l.End.Equal(start.Add(time.Hour)) {
			t.Errorf("%s: %+v", origin, l)
		}
		if again, ok := root.Log(origin, l.KeyHash); !ok || again.Origin != origin {
			t.Errorf("%s is not found by its key: %+v", origin, again)
		}
		if list := root.Verifiers(origin); len(list) != 1 || list[0] != l.Verifier && list[0].KeyHash() != l.KeyHash {
			t.Errorf("%s: %d verifiers", origin, len(list))
		}
	}
	for _, origin := range []string{"other.example - 1", "ed.example - 1", "v1.example - 0"} {
		if logs := root.LogsOf(origin); len(logs) != 0 {
			t.Errorf("%s: %d logs", origin, len(logs))
		}
	}
	for _, l := range root.LogsOf("v1.example") {
		if l.IsRekorV1() {
			t.Errorf("%s is a tree of Rekor v1", l.Origin)
		}
	}
}
