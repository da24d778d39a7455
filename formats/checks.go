// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// checks has what sumChecked is of the projections for which VerifyDigest has succeeded lately, and CheckOnce's sums; nil remembers nothing. It belongs to the
// process and not to a call, since it says no more than that a key has signed these bytes, which nothing that happens later changes.
var checks atomic.Pointer[lru.Cache[[sha256.Size]byte, struct{}]]

// RememberChecks has this process remember the last n signatures that VerifyDigest has found good, and what CheckOnce has, some 150 bytes each, so that the
// very same key, scheme, digest and signature are not computed on again: a command that verifies a signature before it sends it verifies it once more
// with its receipt, and a TUF root's signature with each file below it. A signature that was not found good is computed on each time.
func RememberChecks(n int) error {
	memory, err := lru.New[[sha256.Size]byte, struct{}](n)
	if err == nil {
		checks.Store(memory)
	}
	return err
}

// CheckOnce calls check, unless it has returned nil lately for the same parts and RememberChecks has this process remember that. kind says what is
// checked; no two checks have the same. It is for what neither time nor a policy changes.
func CheckOnce(kind string, check func() error, parts ...[]byte) error {
	if checks.Load() == nil {
		return check()
	}
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(kind)}, parts...) {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		_, _ = h.Write(part)
	}
	sum := [sha256.Size]byte(h.Sum(nil))
	if isRemembered(sum) {
		return nil
	}
	err := check()
	if err == nil {
		rememberCheck(sum)
	}
	return err
}

// isRemembered reports whether what has this sum was found good.
func isRemembered(sum [sha256.Size]byte) bool {
	memory := checks.Load()
	return memory != nil && memory.Contains(sum)
}

func rememberCheck(sum [sha256.Size]byte) {
	if memory := checks.Load(); memory != nil {
		memory.Add(sum, struct{}{})
	}
}
