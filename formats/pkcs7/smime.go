// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"mime"
	"net/textproto"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// isMIME reports whether head starts with header fields that name a media type of S/MIME
// (RFC 8551, 3.5).
func isMIME(head []byte) bool {
	header, _, ok := splitHeader(head)
	if !ok {
		return false
	}
	kind, params := mediaType(header)
	return isPKCS7(kind, "mime") || kind == "multipart/signed" && isPKCS7(params["protocol"], "signature")
}

// unwrapMIME reads a message that isMIME has recognised. The package mime/multipart would
// parse the signed part's header fields away, which are signed; so the parts are found by
// their boundary here.
func unwrapMIME(m *formats.Meter, message []byte) (container, error) {
	header, body, _ := splitHeader(message)
	kind, params := mediaType(header)
	if isPKCS7(kind, "mime") {
		return unwrapPart(m, header, body)
	}
	return unwrapMultipart(m, body, params["boundary"])
}

func isPKCS7(mediaType, what string) bool {
	mediaType = strings.ToLower(mediaType)
	return mediaType == "application/pkcs7-"+what || mediaType == "application/x-pkcs7-"+what
}

// mediaType returns "" for anything but one well-formed Content-Type.
func mediaType(header textproto.MIMEHeader) (string, map[string]string) {
	fields := header.Values("Content-Type")
	if len(fields) != 1 {
		return "", nil
	}
	kind, params, err := mime.ParseMediaType(fields[0])
	if err != nil {
		return "", nil
	}
	return kind, params
}

// splitHeader parses the header fields and returns what follows the empty line.
func splitHeader(entity []byte) (header textproto.MIMEHeader, body []byte, ok bool) {
	end, next := bytes.Index(entity, []byte("\n\n")), 2
	if crlf := bytes.Index(entity, []byte("\n\r\n")); crlf >= 0 && (end < 0 || crlf < end) {
		end, next = crlf, 3
	}
	if end < 0 {
		return nil, nil, false
	}
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(entity[:end+next])))
	header, err := r.ReadMIMEHeader()
	return header, entity[end+next:], err == nil
}

// unwrapPart decodes a part that is a CMS value in base64.
func unwrapPart(m *formats.Meter, header textproto.MIMEHeader, body []byte) (container, error) {
	if !strings.EqualFold(header.Get("Content-Transfer-Encoding"), "base64") {
		return container{}, errMalformedSignature("the signature in the S/MIME message is not in base64")
	}
	ber, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(body)))
	if err != nil {
		return container{}, errMalformedSignature("the signature in the S/MIME message is not in base64")
	}
	return unwrapBER(m, ber, "S/MIME")
}

func unwrapMultipart(m *formats.Meter, body []byte, boundary string) (container, error) {
	parts, rest, ok := splitParts(body, boundary)
	if boundary == "" || !ok || len(parts) != 2 {
		return container{}, errMalformedSignature("the S/MIME message does not have one signed part and one signature")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return container{}, errTrailingData()
	}
	header, sig, ok := splitHeader(parts[1])
	if !ok {
		return container{}, errMalformedSignature("the header of the S/MIME signature is malformed")
	}
	if kind, _ := mediaType(header); !isPKCS7(kind, "signature") {
		return container{}, errMalformedSignature("the second part of the S/MIME message is no PKCS #7 signature")
	}
	c, err := unwrapPart(m, header, sig)
	c.mime = append([]byte{}, parts[0]...)
	return c, err
}

// splitParts returns what stands between the delimiter lines, without the line end before
// each of them, and what comes after the closing one. A preamble is dropped: it is signed by nobody.
func splitParts(body []byte, boundary string) (parts [][]byte, rest []byte, ok bool) {
	delimiter, start := []byte("--"+boundary), -1
	last := append(bytes.Clone(delimiter), "--"...)
	for at := 0; at < len(body); {
		line, next := body[at:], len(body)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
		}
		line = bytes.TrimRight(line, " \t\r")
		closing := bytes.Equal(line, last)
		if closing || bytes.Equal(line, delimiter) {
			if start >= 0 && len(parts) < 3 {
				parts = append(parts, dropLineEnd(body[start:at]))
			}
			start = next
		}
		if closing {
			return parts, body[next:], true
		}
		at = next
	}
	return nil, nil, false
}

func dropLineEnd(part []byte) []byte {
	part = bytes.TrimSuffix(part, []byte("\n"))
	return bytes.TrimSuffix(part, []byte("\r"))
}
