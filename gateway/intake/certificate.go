// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

var errNoCertificate = formats.NewError(gateway.ReasonNoCertificate, "there is no certificate that could be logged",
	"send the signer's certificate as the key, or do not ask to publish it")

// noteWhole notes in the receipt what an entry of the log's own makes public beside keys and signatures.
func noteWhole(w *gateway.Whole, r *receiptpb.Receipt) {
	public, ok := publishedWhole[w.Format]
	if note := publishedNote + public; ok && !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
}

// publishedWhole says what becomes public in entries of Rekor v1's own, by format.
var publishedWhole = map[string]string{"pgp": "the user ID of the PGP key", "tuf": "the TUF metadata and its root"}

const publishedNote = "public in the log for ever: "

// notePublished notes in the receipt what the caller asked to make public.
func (d *Draft) notePublished(p formats.Projection, r *receiptpb.Receipt) error {
	if !d.request.PublishCertificate {
		return nil
	}
	cert, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return errNoCertificate
	}
	r.Notes = append(r.Notes, publishedNote+strings.Join(listPublished(cert), ", "))
	return nil
}

// listPublished lists what a certificate says of people and hosts.
func listPublished(c *x509.Certificate) []string {
	out := []string{
		fmt.Sprintf("certificate subject %q", c.Subject), fmt.Sprintf("issuer %q", c.Issuer),
		"serial number " + c.SerialNumber.String(),
	}
	for _, e := range c.EmailAddresses {
		out = append(out, fmt.Sprintf("e-mail address %q", e))
	}
	for _, n := range c.DNSNames {
		out = append(out, fmt.Sprintf("host name %q", n))
	}
	for _, u := range c.URIs {
		out = append(out, fmt.Sprintf("URI %q", u))
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "address "+ip.String())
	}
	return out
}

// PublicationWarning is what a plan says to a caller who wants to publish a certificate.
const PublicationWarning = "the whole certificate becomes public for ever: its subject and issuer, serial number, e-mail addresses and host names; " +
	"stock verifiers refuse a logged certificate without a trusted timestamp"
