// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
	"github.com/rekor-gateway/rekor-gateway/formats/tuf"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// now is every judge's clock, as far as it can be set: shortly after the test data was made.
var now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// submission is what all judges are given.
type submission struct {
	format    string
	base      string // what it was made from
	kind      string // what was done to it
	signature []byte
	keys      [][]byte
	artifact  []byte      // nil: carried in the signature
	origin    *submission // when only the signature was changed: what it was made from

	keyrings  []string              // PGP: files that gpgv reads in place of keys
	signify   bool                  // minisign: signify is the tool
	namespace string                // SSH: what the verifier expects; "" is "file"
	hash      crypto.Hash           // X.509: what the verifier is told; 0 is SHA-256
	scheme    formats.Scheme        // X.509: PSS or Ed25519ph; "" is the key's usual one
	policy    func(*formats.Policy) // changes rekor-gateway's strict default
}

func (s submission) String() string { return s.format + ": " + s.base + ", " + s.kind }

// verdict is a judge's answer.
type verdict struct {
	accepted bool
	absent   bool   // the judge has no means to take such a submission
	detail   string // the refusal, or why there is no verdict
	reason   formats.Reason
	verified *formats.Verified
}

func accept() verdict                { return verdict{accepted: true} }
func refuse(err error) verdict       { return verdict{detail: err.Error()} }
func notApplicable(w string) verdict { return verdict{absent: true, detail: w} }

// judged is accept for nil.
func judged(err error) verdict {
	if err != nil {
		return refuse(err)
	}
	return accept()
}

func (v verdict) String() string {
	switch {
	case v.absent:
		return "n/a (" + v.detail + ")"
	case v.accepted:
		return "accepts"
	case v.reason != "":
		return "refuses (" + string(v.reason) + ")"
	}
	return "refuses (" + v.detail + ")"
}

// The judges' names, as docs/strictness.md has them.
const (
	ownTool = "own tool"
	library = "library"
	rekorV1 = "Rekor v1.5.4"
)

// judge decides on one submission in a folder of its own.
type judge func(dir string, s submission) verdict

// panels are the judges beside rekor-gateway, by format.
var panels = map[string]map[string]judge{
	"pgp":      {ownTool: gpgVerify, library: goCryptoVerify, rekorV1: rekorPGP},
	"minisign": {ownTool: minisignVerify, library: goMinisignVerify, rekorV1: rekorMinisign},
	"ssh":      {ownTool: sshKeygenVerify, library: sshsigVerify, rekorV1: rekorSSH},
	"pkcs7":    {ownTool: opensslCMSVerify, library: mozillaVerify, rekorV1: rekorPKCS7},
	"x509":     {ownTool: opensslVerify, library: cryptoVerify, rekorV1: rekorX509},
	"tuf":      {ownTool: noTUFTool, library: goTUFVerify, rekorV1: rekorTUF},
}

// ask returns j's verdict; a judge that panics refuses, and says so.
func ask(j judge, dir string, s submission) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{detail: fmt.Sprintf("PANIC: %v", p)}
		}
	}()
	return j(dir, s)
}

// plugins are rekor-gateway's formats.
var plugins = formats.NewRegistry(minisign.New(), pgp.New(), pkcs7.New(), ssh.New(), tuf.New(), x509.New())

// stream is the artifact as it comes over a network: not a thing that lies in memory and can be
// had in one piece.
func (s submission) stream() io.Reader { return struct{ io.Reader }{bytes.NewReader(s.artifact)} }

// rekorGateway is the verdict of the format's plugin under the strict policy. A broken promise of
// the plugin's (a value beside an error, an untyped refusal) is a panic.
func rekorGateway(s submission) verdict {
	p := formats.Policy{Now: now}
	if s.policy != nil {
		s.policy(&p)
	}
	f, err := plugins.Get(s.format)
	if err != nil {
		panic(err)
	}
	parsed, err := formats.NewRegistry(f).Parse(context.Background(), f.Name(), s.signature, s.keys, p)
	if err != nil {
		return typedRefusal(err, parsed != nil)
	}
	artifact := formats.Artifact{}
	if s.artifact != nil {
		artifact = formats.FromReader(s.stream())
	}
	v, err := parsed.Verify(context.Background(), artifact)
	if err != nil {
		return typedRefusal(err, v != nil)
	}
	return verdict{accepted: true, verified: v}
}

func typedRefusal(err error, hasValue bool) verdict {
	var e *formats.Error
	if !errors.As(err, &e) || hasValue {
		panic(fmt.Sprintf("a refusal without a type, or a value beside it: %v", err))
	}
	return verdict{detail: e.Message, reason: e.Reason}
}
