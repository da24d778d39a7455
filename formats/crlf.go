// SPDX-License-Identifier: Apache-2.0

package formats

import "io"

// crlfReader turns every line end that is not CRLF yet into CRLF, as canonical text
// signatures hash it. A CR that is not a line end's is kept, as RFC 9580 says nothing of it; gpg drops
// those before a line end and at the end of the file, so its text signatures over files
// with such CRs are refused here.
type crlfReader struct {
	src     io.Reader
	in      [4096]byte
	out     []byte // not yet handed out, at most twice len(in)
	pending []byte
	lastCR  bool
	err     error
}

func (c *crlfReader) Read(p []byte) (int, error) {
	for len(c.pending) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		var n int
		n, c.err = c.src.Read(c.in[:])
		c.out = c.out[:0]
		for _, b := range c.in[:n] {
			if b == '\n' && !c.lastCR {
				c.out = append(c.out, '\r')
			}
			c.out = append(c.out, b)
			c.lastCR = b == '\r'
		}
		c.pending = c.out
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}
