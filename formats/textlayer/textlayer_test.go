// SPDX-License-Identifier: Apache-2.0

package textlayer_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const armor = "-----BEGIN X-----\nAAAA\n-----END X-----"

func TestUnwrap(t *testing.T) {
	const minisign, embedded = "untrusted comment: x\nRWAA\n", "untrusted comment: x\nRWAA\nmessage\n\n"
	der := "\x30\x06\x30\x04\x04\x02ab"
	for name, c := range map[string]struct{ in, want string }{
		"plain":                         {armor, armor},
		"byte order mark":               {"\xef\xbb\xbf" + armor, armor},
		"blanks at both ends":           {" \r\n\t\n" + armor + "\n \r\n\t", armor},
		"line ends inside stay":         {"a\r\nb\r\n", "a\r\nb"},
		"base64":                        {encode(armor + "\n"), armor},
		"base64 in lines":               {encode(armor)[:20] + "\r\n" + encode(armor)[20:] + "\n", armor},
		"base64 without padding":        {strings.TrimRight(encode(armor+"\n"), "="), armor},
		"base64 of base64":              {encode(encode(armor)), encode(armor)}, // one layer
		"base64 with loose bits":        {"QUJDRB==", "QUJDRB=="},
		"both alphabets":                {"-_+/" + encode(armor), "-_+/" + encode(armor)},
		"base64 of DER":                 {encode(der), der},
		"base64 of DER and more":        {encode(der + "x"), encode(der + "x")},
		"base64 of an SSHSIG blob":      {encode("SSHSIG\x00\x00\x00\x01"), "SSHSIG\x00\x00\x00\x01"},
		"base64 of anything else":       {encode("\x00\x01\x02"), encode("\x00\x01\x02")},
		"minisign keeps its end":        {"\n" + minisign + "\n", minisign + "\n"},
		"what follows signify is exact": {embedded, embedded},
		"JSON is exact":                 {" {\"a\":1} \n", " {\"a\":1} \n"},
		"JSON with a byte order mark":   {"\xef\xbb\xbf{}\n", "{}\n"},
		"binary":                        {"\x88\x00 \n", "\x88\x00 \n"},
		"binary, begins with a mark":    {"\xef\xbb\xbf\x00\n", "\xef\xbb\xbf\x00\n"},
		"nothing":                       {"", ""},
		"blanks alone":                  {" \n", ""},
	} {
		got, err := textlayer.Unwrap([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestUTF16(t *testing.T) {
	for _, big := range []bool{false, true} {
		text := inUTF16([]byte(armor+"\n"), big)
		for _, data := range [][]byte{text, text[2:], []byte(base64.StdEncoding.EncodeToString(text))} {
			if got, err := textlayer.Unwrap(data); !errors.Is(err, textlayer.ErrUTF16) || got != nil {
				t.Errorf("%q: %q, %v", data, got, err)
			}
		}
	}
}

// FuzzUnwrap: no panic; what comes out is no longer than what came in; a mark and blanks around a text change nothing, and
// hide no private key. Time is in proportion to the input.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(armor))
	f.Add([]byte(encode(armor)))
	f.Add([]byte("untrusted comment: x\nRWQAAEIy\n"))
	f.Add(inUTF16([]byte(armor), true))
	f.Add([]byte("\x94\x3b\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		before := bytes.Clone(data)
		_, secret := textlayer.FindSecret(data)
		got, err := textlayer.Unwrap(data)
		if took := time.Since(start); took > time.Second+time.Duration(len(data))*10*time.Microsecond {
			t.Errorf("%d octets took %v", len(data), took)
		}
		if !bytes.Equal(data, before) || err == nil && len(got) > len(data) || err != nil && got != nil {
			t.Errorf("%d octets of %d, %v", len(got), len(data), err)
		}
		if bytes.Contains(data, []byte(armor)) && err == nil { // a text for certain
			again, err := textlayer.Unwrap(append([]byte("\xef\xbb\xbf"), bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))...))
			if bytes.HasPrefix(data, []byte(armor)) && (err != nil || !bytes.Equal(again, got)) {
				t.Errorf("with a mark: %q, %v", again, err)
			}
		}
		if _, still := textlayer.FindSecret([]byte(base64.StdEncoding.EncodeToString(data))); secret && !still {
			if _, layered := textlayer.DecodeBase64(data); !layered { // one layer is seen through
				t.Error("hidden by base64")
			}
		}
	})
}
