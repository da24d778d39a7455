// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// sniff writes b in pieces and returns the checks, or the one that fails.
func sniff(t testing.TB, b []byte, piece int) (checks []string, failed string) {
	t.Helper()
	var s Sniffer
	_, _ = s.Write(nil)
	for part := range slices.Chunk(b, max(piece, 1)) {
		if n, err := s.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	s.window.straighten()
	k := s.window.recognise()
	checks, err := s.Finish()
	if (err != nil) != (k != nil) || err != nil && formats.ReasonOf(err) != formats.ReasonProtocolConfusion {
		t.Fatalf("recognised %v, error %v", k, err)
	}
	if k == nil {
		return checks, ""
	}
	return nil, k.check
}

func recognised(t testing.TB, b []byte, piece int) string {
	t.Helper()
	_, failed := sniff(t, b, piece)
	return failed
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// made is what real tools signed: testdata/make.sh, and the attributes of formats/x509.
var made = map[string]string{
	"certificate.bin": "not-x509", "csr.bin": "not-x509", "crl.bin": "not-x509", "ocsp.bin": "not-x509", "crmf.bin": "not-x509", "spkac.bin": "not-x509",
	"tstinfo.bin": "not-tsp", "openpgp.bin": "not-openpgp", "minisign.bin": "not-minisign",
	"sshsig.bin": "not-sshsig", "ssh-certificate.bin": "not-ssh-certificate", "ssh-userauth.bin": "not-ssh-userauth",
	"tls12-server.bin": "not-tls", "tls12-client.bin": "not-tls", "dtls12-client.bin": "not-tls", "tls13-server.bin": "not-tls", "tls13-client.bin": "not-tls",
	"dsse.bin": "not-dsse", "jws.bin": "not-jws", "cose.bin": "not-cose", "sigsum.bin": "not-sigsum",
	"checkpoint.bin": "not-checkpoint", "cosignature.bin": "not-checkpoint",
	"../../x509/testdata/attributes.bin": "not-cms-attributes",
}

func TestRecognisesWhatToolsSign(t *testing.T) {
	for name, want := range made {
		b := read(t, filepath.Join("testdata", name))
		for _, piece := range []int{1, 7, 64, 4096} {
			if got := recognised(t, b, piece); got != want {
				t.Errorf("%s in pieces of %d: %q, want %s", name, piece, got, want)
			}
		}
	}
}

// What has a length is recognised with that length alone, so that a file that merely starts like it is accepted.
func TestLengthsMustFit(t *testing.T) {
	for _, name := range []string{"certificate.bin", "csr.bin", "crl.bin", "ocsp.bin", "crmf.bin", "spkac.bin", "tstinfo.bin", "openpgp.bin", "dsse.bin", "tls12-server.bin"} {
		b := read(t, filepath.Join("testdata", name))
		for _, other := range [][]byte{append(bytes.Clone(b), '\n'), b[:len(b)-1]} {
			if got := recognised(t, other, len(other)); got != "" {
				t.Errorf("%s with %d bytes instead of %d: %s", name, len(other), len(b), got)
			}
		}
	}
}

// SEQUENCE, SET and the like around content, in DER.
func der(tag byte, content ...[]byte) []byte {
	body := slices.Concat(content...)
	switch {
	case len(body) < 0x80:
		return append([]byte{tag, byte(len(body))}, body...)
	case len(body) < 0x10000:
		return append(binary.BigEndian.AppendUint16([]byte{tag, 0x82}, uint16(len(body))), body...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(len(body))), body...)
}

const artifact = "a release, version 1.0\n"

// trailer4 is that of a version 4 signature with hashed subpackets of n bytes.
func trailer4(n int) string {
	hashed := append(binary.BigEndian.AppendUint16([]byte{4, 0, 1, 10}, uint16(n)), make([]byte, n)...)
	return string(binary.BigEndian.AppendUint32(append(hashed, 4, 0xff), uint32(len(hashed))))
}

func trailer6(n int) string {
	hashed := append(binary.BigEndian.AppendUint32([]byte{6, 0, 1, 10}, uint32(n)), make([]byte, n)...)
	return string(binary.BigEndian.AppendUint32(append(hashed, 6, 0xff), uint32(len(hashed))))
}

// trailer5 has a literal packet's fields, which the length counts or not.
func trailer5(n int, literal string, counted bool) string {
	hashed := append(binary.BigEndian.AppendUint16([]byte{5, 0, 1, 10}, uint16(n)), make([]byte, n)...)
	length := len(hashed)
	if counted {
		length += len(literal)
	}
	return string(binary.BigEndian.AppendUint64(append(append(hashed, literal...), 5, 0xff), uint64(length)))
}

const (
	trailer3Of2025 = "\x00\x67\x74\x85\x80"
	rpmHeader      = "\x8e\xad\xe8\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" + "0123456789abcdef" + "data"
	zipEnd         = "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x10\x00\x00\x00\x20\x00\x00\x00\x00\x00"
)

// Kinds that no tool at hand makes, variants of those that one does, and their neighbours among files.
func TestRecognisesVariants(t *testing.T) {
	big := strings.Repeat("x", 100<<10)
	long := strings.Repeat("a line of text\n", 20<<10)
	tar := make([]byte, 3*512)
	copy(tar[257:], "ustar")
	attribute := "\x30\x0d\x06\x09" + messageDigest + "\x31\x00"
	other := "\x30\x82\x01\x00\x06\x01\x2a" + string(make([]byte, 253))
	header := "eyJhbGciOiJFUzI1NiJ9" // {"alg":"ES256"}
	hash := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for name, c := range map[string]struct{ artifact, want string }{
		"empty": {"", ""}, "one byte": {"S", ""}, "text": {artifact, ""},

		"v4 without subpackets": {artifact + trailer4(0), "not-openpgp"}, "v4 of no file": {trailer4(20), "not-openpgp"},
		"v4 as long as can be": {artifact + trailer4(65535), "not-openpgp"}, "v4 after a large file": {big + trailer4(100), "not-openpgp"},
		"v4 of another length": {artifact + trailer4(20)[1:], ""}, "v4 cut in front": {trailer4(20)[3:], ""},
		"v6": {"0123456789abcdef" + artifact + trailer6(40), "not-openpgp"}, "v6 of another length": {artifact + trailer6(40)[1:], ""},
		"v5 of a key": {artifact + trailer5(30, "", false), "not-openpgp"}, "v5 of a file": {artifact + trailer5(30, "b\x00\x00\x00\x00\x00", false), "not-openpgp"},
		"v5 of a file with name":  {artifact + trailer5(30, "b\x04name\x00\x00\x00\x00", false), "not-openpgp"},
		"v5 that counts the name": {artifact + trailer5(30, "b\x04name\x00\x00\x00\x00", true), "not-openpgp"},
		"v5 of another length":    {artifact + trailer5(30, "b\x05name\x00\x00\x00\x00", false), ""},

		"v3 after text": {artifact + trailer3Of2025, "not-openpgp-v3"}, "v3 after long text": {long + trailer3Of2025, "not-openpgp-v3"},
		"v3 after an archive": {string(tar) + trailer3Of2025, "not-openpgp-v3"}, "v3 after a zip file": {"PK" + zipEnd + trailer3Of2025, "not-openpgp-v3"},
		"v3 after xz": {"\xfd7zXZ\x00...YZ" + trailer3Of2025, "not-openpgp-v3"}, "v3 after an RPM header": {rpmHeader + trailer3Of2025, "not-openpgp-v3"},
		"v3 after binary data": {"\x00\x01\x02\x03" + trailer3Of2025, ""}, "v3 after a short text": {"short\n" + trailer3Of2025, ""},
		"v3 of another type": {artifact + "\x10" + trailer3Of2025[1:], ""}, "v3 before PGP": {artifact + "\x00\x01\x02\x03\x04", ""},

		"SSHSIG of nothing": {"SSHSIG\x00\x00\x00\x04file", "not-sshsig"}, "a text about SSHSIG": {"SSHSIG is a format\n", ""},
		"security key":       {"\xe3\x06\x10\xe8\xa1\x62\x11\x59\x60\xfe\x1e\xc2\x23\xe6\x52\x9c\x9f\x4b\x6e\x80\x20\x0d\xcb\x5e\x5c\x32\x1c\x8a\xf1\xe2\xb1\xbf\x01" + strings.Repeat("x", 36), "not-sshsig"},
		"log-in, SHA-1":      {"\x00\x00\x00\x14" + big[:20] + "\x32\x00\x00\x00\x01u\x00\x00\x00\x0essh-connection\x00\x00\x00\x23publickey-hostbound-v00@openssh.com\x01", "not-ssh-userauth"},
		"log-in of a host":   {"\x00\x00\x00\x20" + big[:32] + "\x32\x00\x00\x00\x01u\x00\x00\x00\x0essh-connection\x00\x00\x00\x09hostbased", "not-ssh-userauth"},
		"log-in by password": {"\x00\x00\x00\x20" + big[:32] + "\x32\x00\x00\x00\x01u\x00\x00\x00\x0essh-connection\x00\x00\x00\x08password", ""},

		"SET": {"\x31\x0f" + attribute, "not-cms-attributes"}, "SET with a long length": {"\x31\x82\x00\x0f" + attribute, "not-cms-attributes"},
		"SET of endless length": {"\x31\x80" + attribute, "not-cms-attributes"}, "second attribute": {"\x31\x82\x01\x13" + other + attribute, "not-cms-attributes"},
		"SET of another kind": {"\x31\x03\x02\x01\x01", ""}, "a text that starts with 1": {"1.0", ""},
		"length past the end": {"\x31\xff", ""}, "SEQUENCE of attributes": {"\x30\x0f" + attribute, ""},

		"delegated credential": {strings.Repeat(" ", 64) + "TLS, server delegated credentials\x00", "not-tls"},
		"authenticator":        {strings.Repeat(" ", 64) + "Exported Authenticator\x00", "not-tls"}, "a heading": {strings.Repeat(" ", 64) + "TLS 1.3, server CertificateVerify\n", ""},

		"JWS without payload": {header + ".", "not-jws"}, "JWS of a large payload": {header + "." + big, "not-jws"},
		"whole JWS": {header + ".eyJ9.c2ln", ""}, "whole JWS of a large payload": {header + "." + big + ".c2ln", ""},
		"JWS, payload as it is":    {"eyJhbGciOiJFUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19." + artifact, "not-jws"},
		"JWS, b64 of another type": {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","b64":1}`)) + ".eyJ9", "not-jws"},
		"a header without alg":     {"eyJ0eXAiOiJKV1QifQ.eyJ9", ""}, "a domain name": {"example.org", ""}, "JWS and a line end": {header + ".eyJ9\n", ""},

		"COSE_Sign": {"\x85\x69Signature\x41\xa0\x41\xa0\x40\x40", "not-cose"}, "countersignature": {"\x86\x72CounterSignatureV2\x40\x40\x40\x40\x80", "not-cose"},
		"COSE_Mac": {"\x84\x63MAC\x40\x40\x40", ""}, "another array": {"\x84\x6aSignature1\x01", ""},

		"DSSE of a large body": {"DSSEv1 4 type 102400 " + big, "not-dsse"}, "DSSE of nothing": {"DSSEv1 0  0 ", "not-dsse"},
		"a text about DSSE": {"DSSEv1 is a format\n", ""}, "DSSE of a negative length": {"DSSEv1 -1 type 0 ", ""},

		"checkpoint with extensions": {"log\n0\n" + hash + "\nmore\n", "not-checkpoint"}, "subtree": {"subtree/v1\n\x00", "not-checkpoint"},
		"signed checkpoint":    {"log\n7\n" + hash + "\n\n— log AAAA\n", ""},
		"a size with a zero":   {"log\n07\n" + hash + "\n", ""},
		"a hash of 31 bytes":   {"log\n7\n" + hash[:40] + "\n", ""},
		"cosignature, no time": {"cosignature/v1\nlog\n7\n" + hash + "\n", ""},
		"sigsum token":         {"sigsum.org/v1/submit-token\x00" + big[:32], "not-sigsum"}, "a link": {"sigsum.org/v1/tree-leaf\n", ""},

		"TUF":                       {`{"_type":"timestamp","expires":"2030-01-01T00:00:00Z","meta":{},"spec_version":"1.0.31","version":1}`, "not-tuf"},
		"TUF with bare line ends":   {"{\"_type\":\"root\",\"consistent_snapshot\":true,\"keys\":{\"k\":{\"keyval\":{\"public\":\"-----BEGIN\n\"}}},\"spec_version\":\"1.0.31\",\"version\":12}", "not-tuf"},
		"Notary":                    {`{"_type":"Targets","delegations":{},"expires":"2030-01-01T00:00:00Z","targets":{},"version":1}`, "not-tuf"},
		"large TUF":                 {`{"_type":"targets","delegations":{"x":"` + big + `"},"expires":"2030-01-01T00:00:00Z","targets":{},"version":1,"x-custom":{}}`, "not-tuf"},
		"TUF with white space":      {`{"_type": "timestamp", "expires": "2030-01-01T00:00:00Z", "version": 1}`, ""},
		"a statement by in-toto":    {`{"_type":"https://in-toto.io/Statement/v1","expires":"","version":1}`, ""},
		"TUF metadata, signed":      {`{"signatures":[],"signed":{"_type":"root","expires":"2030-01-01T00:00:00Z","version":1}}`, ""},
		"JSON of another kind":      {`{"_type":"root","children":[]}`, ""},
		"large JSON":                {`{"_type":"root","children":["` + big + `"]}`, ""},
		"CRL, large":                {string(der(0x30, der(2, []byte{1}), der(0x30, der(6, []byte{42})), der(0x30), der(0x17, []byte("260101000000Z")), der(0x30, []byte(big)))), "not-x509"},
		"certificate without names": {string(der(0x30, der(2, []byte{1}), der(0x30, der(6, []byte{42})), der(0x30), der(0x30, der(0x18), der(0x18)))), "not-x509"},
	} {
		for _, piece := range []int{1, 1000, 32 << 10, 1 << 20} {
			if got := recognised(t, []byte(c.artifact), piece); got != c.want {
				t.Errorf("%s in pieces of %d: %q, want %q", name, piece, got, c.want)
			}
		}
	}
}

// TestChecks: all kinds are stated for a file that is none, but for what it may be all the same.
func TestChecks(t *testing.T) {
	all, _ := sniff(t, []byte(artifact), 5)
	if len(all) != len(kinds) || !slices.IsSorted(all) {
		t.Errorf("checks %q", all)
	}
	for _, c := range all {
		if !strings.HasPrefix(c, CheckPrefix) {
			t.Errorf("%s has another prefix", c)
		}
	}
	doubtful, _ := sniff(t, []byte("\x00\x01\x02\x03"+trailer3Of2025), 5)
	if len(doubtful) != len(all)-1 || slices.Contains(doubtful, "not-openpgp-v3") {
		t.Errorf("checks of what may be a version 3 trailer: %q", doubtful)
	}
}

// Memory does not grow with the artifact.
func TestMemoryIsBounded(t *testing.T) {
	var s Sniffer
	chunk := make([]byte, 100<<10)
	_, _ = s.Write(chunk)
	allocated := testing.AllocsPerRun(200, func() { _, _ = s.Write(chunk) })
	if n := cap(s.window.head) + cap(s.window.tail); n > headSize+tailSize || allocated > 0 {
		t.Errorf("%d bytes are kept, %f allocations a write", n, allocated)
	}
}

// FuzzSniffer: no panic; the verdict and the checks do not depend on how the bytes come.
func FuzzSniffer(f *testing.F) {
	for name := range made {
		f.Add(read(f, filepath.Join("testdata", name)), 3, 0)
	}
	f.Add([]byte(artifact+trailer4(30)), 5, 70000)
	f.Add([]byte(rpmHeader+trailer3Of2025), 1, 0)
	f.Add([]byte(trailer5(30, "b\x04name\x00\x00\x00\x00", true)), 2, 1)
	f.Fuzz(func(t *testing.T, b []byte, piece, front int) {
		if front > 0 { // so that the end counts beyond the first 64 KiB
			b = append(make([]byte, front%(200<<10)), b...)
		}
		checks, failed := sniff(t, b, len(b))
		again, failedAgain := sniff(t, b, min(piece, 1<<20))
		if failed != failedAgain || !slices.Equal(checks, again) {
			t.Errorf("%q as a whole, %q in pieces of %d", failed, failedAgain, piece)
		}
	})
}

// TestGroupExchange: a TLS 1.2 key exchange in a group of numbers, of which a server signs the randoms and three numbers.
func TestGroupExchange(t *testing.T) {
	number := func(n int) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(n)), bytes.Repeat([]byte{0xab}, n)...)
	}
	signed := slices.Concat(bytes.Repeat([]byte{7}, randoms), number(256), number(1), number(256))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"whole":             {signed, "not-tls"},
		"a byte more":       {append(bytes.Clone(signed), 0), ""},
		"a byte less":       {signed[:len(signed)-1], ""},
		"a short prime":     {slices.Concat(signed[:randoms], number(8), number(1), number(8)), ""},
		"a large generator": {slices.Concat(signed[:randoms], number(64), number(65), number(64)), ""},
	} {
		if got := recognised(t, c.b, 4096); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestMinisign: the signature of a trusted comment is over a signature and a line of text; a comment that may be one
// is not said to be none.
func TestMinisign(t *testing.T) {
	signature := string(read(t, filepath.Join("testdata", "minisign.bin"))[:ed25519Size])
	largeScalar := signature[:ed25519Size-1] + "\x20"
	noPoint := "\x02" + strings.Repeat("\x00", 31) + signature[32:]
	text := strings.Repeat("a", ed25519Size-1) + "\n"
	for name, c := range map[string]struct {
		artifact string
		want     string
		stated   bool
	}{
		"a comment":              {signature + "shipped by somebody\tgeprüft", "not-minisign", false},
		"the longest":            {signature + strings.Repeat("x", longestComment), "not-minisign", false},
		"longer than any":        {signature + strings.Repeat("x", longestComment+1), "", true},
		"a short comment":        {signature + "1.0", "", false},
		"no comment":             {signature, "", false},
		"a comment in Latin-1":   {signature + "gepr\xfcft", "", false},
		"two lines":              {signature + "line\nline\n", "", true},
		"binary data":            {signature + "\x00\x01\x02\x03", "", true},
		"no scalar":              {largeScalar + "a comment", "", true},
		"no point":               {noPoint + "a comment", "", true},
		"two lines of text":      {text + "a comment", "", true},
		"less than a signature":  {signature[1:], "", true},
		"a signature's own file": {"untrusted comment: verify with key.pub\n" + base64.StdEncoding.EncodeToString([]byte(signature)), "", true},
	} {
		checks, failed := sniff(t, []byte(c.artifact), 100)
		if failed != c.want || slices.Contains(checks, "not-minisign") != c.stated {
			t.Errorf("%s: %q, checks %q", name, failed, checks)
		}
	}
}

// TestSecurityKey: what a security key signs for another application than "ssh:" cannot be told from a file of that size, so
// nothing that SSH signs is said to be excluded.
func TestSecurityKey(t *testing.T) {
	application, message := sha256.Sum256([]byte("ssh:work")), sha256.Sum256([]byte("a blob"))
	data := func(flags byte) []byte {
		return slices.Concat(application[:], []byte{flags, 0, 0, 0, 9}, message[:])
	}
	ssh := []string{"not-ssh-certificate", "not-ssh-userauth", "not-sshsig"}
	for name, c := range map[string]struct {
		artifact []byte
		stated   bool
	}{
		"touched": {data(0x01), false}, "verified": {data(0x05), false}, "not touched": {data(0x00), false}, "backed up": {data(0x1d), false},
		"other flags": {data(0x21), true}, "a byte more": {append(data(0x01), 0), true}, "a byte less": {data(0x01)[1:], true},
		"a checksum": {[]byte(strings.Repeat("0123456789abcdef", 4) + "  f1\n"), true},
	} {
		checks, failed := sniff(t, c.artifact, 100)
		if failed != "" {
			t.Errorf("%s is taken for %s", name, failed)
		}
		for _, check := range ssh {
			if slices.Contains(checks, check) != c.stated {
				t.Errorf("%s: %s, want it stated: %t", name, check, c.stated)
			}
		}
	}
}

// TestVersion3Types: not-openpgp-v3 is left out for each type of signature whose data the artifact can be.
func TestVersion3Types(t *testing.T) {
	const time, key = "\x67\x74\x85\x80", "\x99\x01\x0d\x03"
	for name, c := range map[string]struct {
		artifact string
		stated   bool
	}{
		"a file": {"\x7fELF\x00\x00" + time, false}, "a text": {"\x7fELF\x00\x01" + time, false}, "nothing": {"\x02" + time, false},
		"a time": {"\x7fELF\x00\x40" + time, false}, "a certification": {key + "user\x10" + time, false}, "a positive certification": {key + "user\x13" + time, false},
		"a subkey": {key + key + "\x18" + time, false}, "a direct key signature": {key + "\x1f" + time, false}, "a key's revocation": {key + "\x20" + time, false},
		"a subkey's revocation": {key + key + "\x28" + time, false}, "a certification's revocation": {key + "user\x30" + time, false},
		"a confirmation": {"\x88\x00\x00\x00\x05" + "\x03\x00" + time + "\x50" + time, false}, "an unknown type": {key + "\x60" + time, true},
		"a version number": {"a release, version 1.0\n", true}, "a certification of no key": {"\x7fELF\x13" + time, true}, "before PGP": {key + "user\x10\x01\x02\x03\x04", true},
	} {
		checks, failed := sniff(t, []byte(c.artifact), 100)
		if failed != "" || slices.Contains(checks, "not-openpgp-v3") != c.stated {
			t.Errorf("%s: %q, checks %q", name, failed, checks)
		}
	}
}

// TestLargeHeads: where what tells a JSON Web Signature or TUF metadata may lie beyond what is kept, that is not excluded.
func TestLargeHeads(t *testing.T) {
	big := strings.Repeat("x", headSize)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","x5c":["` + big + `"]}`))
	for name, c := range map[string]struct {
		artifact, check string
		stated          bool
	}{
		"JWS with a large header":    {header + ".eyJ9", "not-jws", false},
		"base64url as far as seen":   {strings.Repeat("A", headSize+1), "not-jws", false},
		"base64url as long as kept":  {strings.Repeat("A", headSize), "not-jws", true},
		"base64 with padding, large": {header + "==\n" + big, "not-jws", false},
		"base64 in lines":            {strings.Repeat(strings.Repeat("A", 76)+"\n", 2000), "not-jws", true},

		"TUF that ends in another member": {`{"_type":"targets","delegations":{"a":"` + big + `"},"expires":"2030-01-01T00:00:00Z","version":1,"x":"` + strings.Repeat("y", 2000) + `"}`, "not-tuf", false},
		"TUF after a large member":        {`{"A":"` + big + `","_type":"targets","expires":"2030-01-01T00:00:00Z","version":1}`, "not-tuf", false},
		"TUF whose role is cut":           {`{"A":"` + big[:headSize-20] + `","_type":"targets","expires":"2030-01-01T00:00:00Z","version":1}`, "not-tuf", false},
		"JSON of another kind":            {`{"packages":"` + big + `"}`, "not-tuf", true},
		"JSON of another type":            {`{"_type":"link","packages":"` + big + `"}`, "not-tuf", true},
		"JSON of another end":             {`{"_type":"targets","packages":"` + big + `"}` + "\n", "not-tuf", true},
	} {
		checks, failed := sniff(t, []byte(c.artifact), 5000)
		if failed != "" || slices.Contains(checks, c.check) != c.stated {
			t.Errorf("%s: %q, checks %q", name, failed, checks)
		}
	}
}

// TestDatagramTranscript: the messages that a client of DTLS 1.2 signs have longer headers.
func TestDatagramTranscript(t *testing.T) {
	hello := func(kind byte, number, offset byte, fragment int, version string) []byte {
		body := version + strings.Repeat("r", 40)
		header := []byte{kind, 0, 0, byte(len(body)), 0, number, 0, 0, offset, 0, 0, byte(fragment)}
		return append(header, body...)
	}
	const v12 = "\xfe\xfd"
	client, server := hello(1, 1, 0, 42, v12), hello(2, 1, 0, 42, v12)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"both":                   {slices.Concat(client, server), "not-tls"},
		"more":                   {slices.Concat(client, server, []byte{11, 0, 0, 0}), "not-tls"},
		"a client alone":         {client, ""},
		"two clients":            {slices.Concat(client, client), ""},
		"a fragment":             {slices.Concat(hello(1, 1, 0, 41, v12), server), ""},
		"a later fragment":       {slices.Concat(hello(1, 1, 9, 42, v12), server), ""},
		"a version of no kind":   {slices.Concat(hello(1, 1, 0, 42, "\x05\x00"), server), ""},
		"TLS in datagram's form": {slices.Concat(hello(1, 1, 0, 42, "\x03\x03"), server), ""},
	} {
		if got := recognised(t, c.b, 4096); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
