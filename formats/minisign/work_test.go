// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
)

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	artifact, sig := read(t, "artifact.txt"), read(t, "prehashed.minisig")
	comment := []byte("untrusted comment: x\n" + strings.Repeat("trusted comment: ", 200<<10))
	for name, v := range map[string]formatstest.Vector{
		"empty lines":  {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat([]byte("\n"), 4<<20)}, 4)},
		"one line":     {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat([]byte("RWRC"), 1<<20)}, 16)},
		"long comment": {Signature: comment, Keys: slices.Repeat([][]byte{comment}, 16)},
	} {
		v.Artifact, v.Policy = artifact, policy()
		t.Run(name, func(t *testing.T) { _ = formatstest.CheckHostile(t, minisign.New(), v) })
	}
}
