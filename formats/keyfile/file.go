// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// CheckFile reads a key file of the operator's, whose chains of certificates have to be good. The error is nil or a *formats.FileFault.
func CheckFile(m *formats.Meter, data []byte) error {
	keys, err := ReadAll(m, [][]byte{data})
	for _, k := range keys {
		if k.ChainFault != nil {
			err = k.ChainFault
		}
	}
	if err == nil {
		return nil
	}
	return formats.NewFileFault(data, findFault(m, data), err)
}

// findFault returns where the first block of PEM begins that is faulty by itself, or else the first line.
func findFault(m *formats.Meter, data []byte) int {
	at := bytes.Index(data, []byte(pemBegin))
	for first := max(at, 0); at >= 0; {
		next := bytes.Index(data[at+1:], []byte(pemBegin))
		block := data[at:]
		if next >= 0 {
			block = data[at : at+1+next]
		}
		if _, err := ReadAll(m, [][]byte{block}); err != nil {
			return at
		}
		if next < 0 {
			return first
		}
		at += 1 + next
	}
	return 0
}
