// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// buildSubmission returns what will be sent: a digest in place of the artifact where the format
// allows it and no flag says otherwise.
func (a *attempt) buildSubmission(ctx context.Context) (client.Submission, error) {
	signature, keys, err := a.readInputs(ctx)
	if err != nil {
		return client.Submission{}, err
	}
	if err := refuseSecrets(ctx, signature, keys); err != nil {
		return client.Submission{}, err
	}
	h, err := a.buildHeader(signature, keys)
	if err != nil {
		return client.Submission{}, err
	}
	s := client.Submission{Header: h}
	switch {
	case a.digest != "":
		h.Digest = a.digest
	case a.sendBytes || a.decompress != "":
		if a.path != "" { // formats that carry their artifact need none
			s.Artifact = a.sendArtifact
		}
	default:
		defer a.notes.SayWaiting("verifying the signature over " + a.artifact)()
		err = a.chooseDigest(ctx, &s)
	}
	return s, err
}

// refuseSecrets keeps private keys on this machine, also where the gateway alone judges.
func refuseSecrets(ctx context.Context, signature []byte, keys [][]byte) error {
	m, err := formats.StartWork(ctx, "")
	if err != nil {
		return err
	}
	if err := formats.CheckSecret(m.Unlimited(), "as the signature", signature); err != nil {
		return err
	}
	for _, k := range keys {
		if err := formats.CheckSecret(m.Unlimited(), "as a key", k); err != nil {
			return err
		}
	}
	return nil
}

// chooseDigest verifies the signature over the artifact on this machine, and puts a digest into the
// header in place of the artifact. Where no digest is enough, the artifact itself is sent.
func (a *attempt) chooseDigest(ctx context.Context, s *client.Submission) error {
	h := s.Header
	parsed, err := a.parseHere(ctx, h)
	if err != nil {
		return err
	}
	verified, err := a.verifyHere(ctx, parsed)
	if err != nil {
		return err
	}
	a.parsed, a.verified = parsed, verified
	way := func() gateway.Way { return gateway.Way(evidence.NameWay(h.GetWay())) }
	if evidence.Choose(ctx, h, parsed, verified, a.path != "", way) {
		a.notes.Say("note: the artifact itself is sent: no digest of it is enough for this signature")
		s.Artifact = a.sendArtifact
	}
	return nil
}

// parseHere reads the signature on this machine, as leniently as any gateway may.
func (a *attempt) parseHere(ctx context.Context, h *pb.SubmissionHeader) (formats.Parsed, error) {
	return all.Formats().Parse(ctx, h.GetFormat(), h.GetSignature(), h.GetKeys(), formats.Policy{
		Now: time.Now(), Historical: formats.AllowAll(true), SSHNamespaces: a.namespaces, KnownOnly: a.which == "known",
	})
}

// verifyHere verifies the signature over the artifact on this machine.
func (a *attempt) verifyHere(ctx context.Context, parsed formats.Parsed) (*formats.Verified, error) {
	var artifact formats.Artifact
	if a.path != "" {
		file, err := a.openArtifact()
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // only read
		artifact = formats.FromReader(file)
	} else if parsed.Describe().Need != formats.NeedNone {
		return nil, withHint(fmt.Errorf("the artifact is missing"), "name the signed file with --artifact, or its digest with --digest")
	}
	return parsed.Verify(ctx, artifact)
}
