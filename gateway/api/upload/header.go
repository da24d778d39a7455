// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Header is all of a submission but its artifact, as every way in (gRPC, JSON, form) gives it.
type Header struct {
	Signature      []byte
	Keys           [][]byte
	Format         string // "" to find it from the signature
	Digest         string // ALG:HEX
	SignedDigest   string // ALG:HEX
	Representation string // "NATIVE", "PROJECTED", "ATTESTED" or ""
	Way            string // "DIRECT", "BATCHED" or ""
	Labels         map[string]string
	Decompress     string // "gzip", "xz" or ""
	Signatures     string // "all", "known" or ""
	Priority       string // "interactive", "backfill" or ""
	// PublishCertificate logs the signer's certificate, not the bare key.
	PublishCertificate bool
}

// Submission is what a request brought. Close it once nothing of it is needed any more.
type Submission struct {
	Header   Header
	Artifact formats.Artifact // the zero value where none was sent
	// ArtifactName is the file name that came with the artifact, without folders; "" is none.
	ArtifactName string

	held   *gateway.Held
	replay io.Closer // what is kept of the artifact; nil: nothing
}

// Close frees the memory and the spool file that s holds. Closing again does nothing.
func (s *Submission) Close() {
	if s.replay != nil {
		_ = s.replay.Close() // a file is unlinked already
	}
	s.held.Close()
	*s = Submission{} // whoever waits for the log with s at hand keeps nothing alive
}
