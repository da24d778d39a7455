// SPDX-License-Identifier: Apache-2.0

package client

import (
	"io"
)

// noteReads returns s with an artifact that calls progress for each read: what was read before has been taken.
func noteReads(s Submission, progress func()) Submission {
	open := s.Artifact
	if open == nil {
		return s
	}
	s.Artifact = func() (io.ReadCloser, error) {
		artifact, err := open()
		if err != nil {
			return nil, err
		}
		return &notedReader{artifact, progress}, nil
	}
	return s
}

type notedReader struct {
	io.ReadCloser
	progress func()
}

func (r *notedReader) Read(p []byte) (int, error) {
	r.progress()
	return r.ReadCloser.Read(p)
}
