// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	xocsp "golang.org/x/crypto/ocsp"
)

// openPGP wants an artifact, a binary detached RSA signature and a binary keyring.
func openPGP(files ...string) signed {
	ring := must(openpgp.ReadKeyRing(bytes.NewReader(read(files[2]))))
	sig := must(packet.Read(bytes.NewReader(read(files[1])))).(*packet.Signature)
	return signed{append(read(files[0]), sig.HashSuffix...), sig.RSASignature.Bytes(), ring[0].PrimaryKey.PublicKey}
}

func certificate(files ...string) signed {
	c := must(x509.ParseCertificate(readPEM(files[0])))
	return signed{c.RawTBSCertificate, c.Signature, readKey(files[1])}
}

func request(files ...string) signed {
	c := must(x509.ParseCertificateRequest(readPEM(files[0])))
	return signed{c.RawTBSCertificateRequest, c.Signature, readKey(files[1])}
}

func revocationList(files ...string) signed {
	c := must(x509.ParseRevocationList(readPEM(files[0])))
	return signed{c.RawTBSRevocationList, c.Signature, readKey(files[1])}
}

func ocsp(files ...string) signed {
	r := must(xocsp.ParseResponse(read(files[0]), nil))
	return signed{r.TBSResponseData, r.Signature, readKey(files[1])}
}

// challenge wants a line SPKAC=BASE64 by openssl spkac.
func challenge(files ...string) signed {
	encoded := strings.TrimPrefix(strings.TrimSpace(string(read(files[0]))), "SPKAC=")
	var c struct {
		Challenge, Algorithm asn1.RawValue
		Signature            asn1.BitString
	}
	_ = must(asn1.Unmarshal(must(base64.StdEncoding.DecodeString(encoded)), &c))
	return signed{c.Challenge.FullBytes, c.Signature.Bytes, readKey(files[1])}
}

// crmf wants a CMP message with one certificate request (RFC 4210, 5.1; RFC 4211, section 3).
func crmf(files ...string) signed {
	var message struct{ Header, Body asn1.RawValue }
	_ = must(asn1.UnmarshalWithParams(append([]byte{}, read(files[0])...), &message, "")) // what follows is not read
	var requests []struct {
		Request asn1.RawValue
		Proof   struct {
			Algorithm asn1.RawValue
			Signature asn1.BitString
		} `asn1:"tag:1"`
	}
	_ = must(asn1.Unmarshal(message.Body.Bytes, &requests))
	return signed{requests[0].Request.FullBytes, requests[0].Proof.Signature.Bytes, readKey(files[1])}
}
