// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

func TestMalformedMessages(t *testing.T) {
	good := string(file(t, "text.eml"))
	boundary := good[strings.Index(good, "boundary=\"")+10:]
	boundary = boundary[:strings.IndexByte(boundary, '"')]
	first, _, _ := strings.Cut(good[strings.Index(good, "\n--"+boundary):], "\n\n--"+boundary)
	attached := base64.StdEncoding.EncodeToString(file(t, "rsa2048-attached.der"))
	from := strings.LastIndex(good, "\n\nMII") + 2
	for name, message := range map[string]string{
		"no boundary":           strings.Replace(good, "; boundary=\""+boundary+"\"", "", 1),
		"another boundary":      strings.Replace(good, boundary, "another", 1),
		"another protocol":      strings.Replace(good, "application/pkcs7-signature", "application/pgp-signature", 1),
		"not closed":            strings.Replace(good, boundary+"--", boundary, 1),
		"three parts":           strings.Replace(good, first, first+first, 1),
		"second part a text":    strings.Replace(good, "Content-Type: application/pkcs7-signature; name", "Content-Type: text/plain; name", 1),
		"not in base64":         strings.Replace(good, "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: binary", 1),
		"two media types":       "Content-Type: text/plain\n" + good,
		"header malformed":      "no field\n" + good,
		"content twice":         good[:from] + attached + good[strings.LastIndex(good, "\n\n--"):],
		"signature not base64":  good[:from] + "*" + good[from:],
		"nothing but a header":  good[:strings.Index(good, "\n\n")],
		"body missing":          good[:strings.Index(good, "\n\n")+2],
		"opaque, nothing in it": "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n",
	} {
		if message == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := pkcs7.New().Parse(context.Background(), []byte(message), nil, strict(t))
		if formats.ReasonOf(err) != formats.ReasonMalformedSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What surrounds the signed part changes nothing.
func TestMessageWrapping(t *testing.T) {
	good := file(t, "text.eml")
	want, err := run(good, nil, nil, strict(t))
	if err != nil {
		t.Fatal(err)
	}
	lean := bytes.ReplaceAll(good, []byte("\r\n"), []byte("\n"))
	for name, message := range map[string][]byte{
		"more fields":      append([]byte("Received: by a relay\n"), good...),
		"another preamble": bytes.Replace(good, []byte("This is an S/MIME signed message"), []byte("Hello"), 1),
		"LF":               lean,
		"CRLF":             bytes.ReplaceAll(lean, []byte("\n"), []byte("\r\n")),
	} {
		got, err := run(message, nil, nil, strict(t))
		if err != nil || !bytes.Equal(got.Canonical, want.Canonical) || !got.Digests[0].Equal(want.Digests[0].Digest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
