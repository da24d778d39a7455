// SPDX-License-Identifier: Apache-2.0

// Package recording makes the entries that logs of hashedrekord bodies have for what a gateway offers them: Rekor v2's, and the
// gateway's own. It is pure.
package recording

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ErrNoWhole refuses what would need an entry kind of the format's own.
var ErrNoWhole = formats.NewError(formats.ReasonNotProjectable, "the log has no entry kind of its own for this format", "")

// Own has Accepts and Prepare for the gateway's own log as methods, for a log that is given them.
type Own struct{}

// Accepts is the function of that name.
func (Own) Accepts(o gateway.Offer) error { return Accepts(hashedrekord.Own, o) }

// Prepare is the function of that name.
func (Own) Prepare(log string, o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	return Prepare(log, hashedrekord.Own, o)
}

// Accepts reports whether o can be a record of a log that takes list: nil, or the typed reason with the remedy; see gateway.Recorder.
func Accepts(list hashedrekord.Algorithms, o gateway.Offer) error {
	switch {
	case o.Statement != nil:
		return nil
	case o.Projection == nil:
		return ErrNoWhole
	}
	if _, err := list.KeyDetails(o.Projection.Candidate); err != nil {
		return err
	}
	return checkStrictKey(o.Projection.SPKI)
}

// Prepare makes the entry of o for the log with that ID, which takes list; see gateway.Recorder. It refuses what Rekor v2 would refuse, and
// encodings that it would take but that other programs might read differently.
func Prepare(log string, list hashedrekord.Algorithms, o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	entry, record, err := recordOf(list, o)
	if err != nil {
		return gateway.Prepared{}, nil, err
	}
	var known formats.Projection
	if o.Projection != nil {
		known = *o.Projection
	}
	prepared, err := PrepareRecord(log, list, record, known)
	return prepared, entry, err
}

func recordOf(list hashedrekord.Algorithms, o gateway.Offer) (*receiptpb.LogEntry, hashedrekord.Record, error) {
	switch {
	case o.Statement != nil:
		entry, record := receipt.Attestation(*o.Statement)
		return entry, record, nil
	case o.Projection == nil:
		return nil, hashedrekord.Record{}, ErrNoWhole
	}
	return receipt.ProjectFor(list, *o.Projection, o.Certificate)
}

// PrepareRecord checks and encodes r, which was made of known.
func PrepareRecord(log string, list hashedrekord.Algorithms, r hashedrekord.Record, known formats.Projection) (gateway.Prepared, error) {
	for _, check := range []func() error{
		func() error { return checkStrictKey(r.SPKI) },
		func() error { return checkCertificate(r) },
		func() error { return list.Verify(r, known) },
	} {
		if err := check(); err != nil {
			return gateway.Prepared{}, err
		}
	}
	body, err := encodeRecord(list, r)
	if err != nil {
		return gateway.Prepared{}, err
	}
	return gateway.Prepared{
		Log: log, LeafHash: hashedrekord.LeafHash(body), Kind: list.Kind(r), Body: body, Signature: r.Signature,
	}, nil
}

// checkStrictKey refuses a public key that is not in the one DER form that it encodes to again.
func checkStrictKey(spki []byte) error {
	if _, err := formats.ParseSPKI(spki); err != nil {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	again, err := formats.EncodeSPKI(spki)
	if err != nil || !bytes.Equal(again, spki) {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not in strict DER form",
			"send it as openssl writes it: openssl pkey -pubin -in KEY -out KEY.pem")
	}
	return nil
}

// checkCertificate refuses a certificate that is for another key.
func checkCertificate(r hashedrekord.Record) error {
	if len(r.Certificate) == 0 {
		return nil
	}
	cert, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's certificate could not be read", "")
	}
	if !bytes.Equal(cert.RawSubjectPublicKeyInfo, r.SPKI) {
		return formats.NewError(formats.ReasonKeyMismatch, "the certificate is for another key", "")
	}
	return nil
}

// encodeRecord returns the canonical body, which reads back as r: without a certificate there is nothing in it that could be
// read otherwise.
func encodeRecord(list hashedrekord.Algorithms, r hashedrekord.Record) ([]byte, error) {
	body, err := list.Body(r)
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonTooLarge,
			fmt.Sprintf("the entry is over the log's %d bytes", hashedrekord.MaxBody),
			"submit the public key instead of a large certificate")
	}
	if len(r.Certificate) == 0 {
		return body, nil
	}
	if _, err := list.Parse(body); err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedKey, "the entry does not read back as it was written", "")
	}
	return body, nil
}
