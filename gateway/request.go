// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
)

// Request is a submission but for the artifact's bytes.
type Request struct {
	Tenant         string
	Caller         string // whose policy applies, by his name; "" where there is no access control
	Signature      []byte
	Keys           [][]byte
	Format         string            // "" to find it from the signature
	Digest         *formats.Digest   // the artifact's, in place of its bytes
	SignedDigest   *formats.Digest   // of what the format really signs, in place of the bytes
	Representation Representation    // "" for the best possible
	Way            Way               // "" for that of the policy
	Spooled        *Blob             // the artifact, where its sender has spooled it already; its bytes are read all the same. Who has spooled it drops it
	Decompress     container.Kind    // the artifact is the file inside of what is sent; "" for none
	Labels         map[string]string // kept only when this is no repeat (SubmissionFields.Labels)
	Priority       Priority          // no part of what is recorded: a repeat with another one is the same submission
	// KnownOnly lets signatures of the file pass that are by none of Keys; see formats.Policy.
	KnownOnly bool
	// PublishCertificate logs the signer's certificate, with all it names, not the bare key.
	PublishCertificate bool
	// NeedsWhole asks for Description.Whole in the plan, which otherwise is made where a log of Rekor v1 records it.
	NeedsWhole bool
}
