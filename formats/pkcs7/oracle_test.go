// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"testing"

	oracle "go.mozilla.org/pkcs7"
)

// oracleAccepts asks a library of wide use, which is laxer. It panics on some hostile input.
func oracleAccepts(signature, artifact []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	p, err := oracle.Parse(signature)
	if err != nil {
		return false
	}
	if len(p.Content) == 0 {
		p.Content = artifact
	}
	return p.Verify() == nil
}

// Of signatures that both implement, the library must agree which artifact they are for.
func TestOracleAgrees(t *testing.T) {
	for _, name := range []string{"rsa2048.der", "rsa3072.der", "p256.der", "p384.der", "p521.der", "rsa2048-sha384.der",
		"rsa2048-sha512.der", "rsa2048-noattr.der", "rsa2048-cades.der", "rsa2048-chain.der"} {
		for _, artifact := range [][]byte{file(t, "artifact.bin"), []byte("another")} {
			_, err := run(file(t, name), nil, artifact, strict(t))
			if got := oracleAccepts(file(t, name), artifact); got != (err == nil) {
				t.Errorf("%s over %.9q: the library says %v, this package %v", name, artifact, got, err)
			}
		}
	}
	for _, name := range []string{"rsa2048-attached.der", "rsa2048-stream.ber"} {
		if _, err := run(file(t, name), nil, nil, strict(t)); err != nil || !oracleAccepts(file(t, name), nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// inNotBefore: the test data was signed within seconds of its certificate, and this package
// allows for clocks that disagree, which the library does not.
func inNotBefore(signature []byte, at int) bool {
	start := bytes.Index(signature, []byte("\x17\x0d")) // the first UTCTime
	return at >= start && at < start+15
}

// What the library refuses of altered signatures, this package refuses as well.
func TestOracleIsLaxer(t *testing.T) {
	artifact, stricter := file(t, "artifact.bin"), 0
	for _, name := range []string{"rsa2048.der", "p256.der", "rsa2048-noattr.der"} {
		signature := file(t, name)
		for i := range signature {
			altered := bytes.Clone(signature)
			altered[i] ^= 1 << (i % 8)
			_, err := run(altered, nil, artifact, strict(t))
			accepted := oracleAccepts(altered, artifact)
			if err == nil && !accepted && !inNotBefore(signature, i) {
				t.Errorf("%s: only this package accepts it with byte %d altered", name, i)
			}
			if err != nil && accepted {
				stricter++
			}
		}
	}
	t.Logf("%d alterations that only the library accepts", stricter)
}
