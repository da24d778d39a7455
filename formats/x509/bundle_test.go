// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	plugin "github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// bundleDay is within the day for which the certificate of the bundles is valid.
func bundleDay(t testing.TB) formats.Policy {
	return formats.Policy{Now: bundleCertificate(t).NotBefore.Add(time.Hour)}
}

func bundleCertificate(t testing.TB) *x509.Certificate {
	return certificate(t, "bundles/certificate.pem")
}

// submitBundle parses without looking at what the registry would take off, and verifies over artifact.bin.
func submitBundle(t testing.TB, bundle []byte, keys [][]byte, p formats.Policy) (formats.Description, *formats.Verified, error) {
	t.Helper()
	if !plugin.New().Detect(bundle) {
		t.Error("not recognised")
	}
	s, err := plugin.New().Parse(t.Context(), bundle, keys, p)
	if err != nil {
		return formats.Description{}, nil, err
	}
	v, err := s.Verify(t.Context(), formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
	return s.Describe(), v, err
}

// bundleVectors are what cosign wrote.
func bundleVectors(t testing.TB) []formatstest.Vector {
	artifact := file(t, "artifact.bin")
	var out []formatstest.Vector
	for _, key := range []string{"p256", "p384", "rsa", "ed25519", "certificate"} {
		for _, name := range []string{key + ".json", key + "-cosign.json"} {
			v := formatstest.Vector{
				Name: name, Signature: file(t, "bundles/"+name), Artifact: artifact, Policy: bundleDay(t), Projects: true,
			}
			if key != "certificate" {
				v.Keys = [][]byte{file(t, "bundles/"+key+".pem")}
			}
			a := formats.SHA256
			if key == "p384" {
				a = formats.SHA384
			}
			if key != "ed25519" {
				h := a.New()
				h.Write(artifact)
				v.Digest = &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
			}
			out = append(out, v)
		}
	}
	return out
}

func TestBundleConformance(t *testing.T) {
	formatstest.Run(t, formatstest.Suite{Format: plugin.New(), Vectors: bundleVectors(t)})
}

// A bundle is recorded as the raw signature in it would be.
func TestBundleIsItsSignature(t *testing.T) {
	for _, vector := range bundleVectors(t) {
		d, v, err := submitBundle(t, vector.Signature, vector.Keys, vector.Policy)
		if err != nil {
			t.Fatalf("%s: %v", vector.Name, err)
		}
		if !strings.HasPrefix(d.Variant, "Sigstore bundle v0.3, ") && !strings.HasPrefix(d.Variant, "cosign bundle, ") {
			t.Errorf("%s: variant %q", vector.Name, d.Variant)
		}
		raw, err := plugin.New().Parse(t.Context(), signatureIn(t, vector.Signature), v.Keys, vector.Policy)
		if err != nil {
			t.Fatalf("%s: %v", vector.Name, err)
		}
		w, err := raw.Verify(t.Context(), formats.FromReader(bytes.NewReader(vector.Artifact)))
		if err != nil || !bytes.Equal(w.Canonical, v.Canonical) || len(w.Projections) != len(v.Projections) || len(v.Form) == 0 {
			t.Errorf("%s: another signature: %v", vector.Name, err)
		}
	}
}

func signatureIn(t testing.TB, bundle []byte) []byte {
	t.Helper()
	var b struct {
		Base64Signature  []byte `json:"base64Signature"`
		MessageSignature struct {
			Signature []byte `json:"signature"`
		} `json:"messageSignature"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	return append(b.Base64Signature, b.MessageSignature.Signature...)
}

// edit replaces text in a bundle; it has to be there once.
func edit(t testing.TB, bundle []byte, from, to string) []byte {
	t.Helper()
	if bytes.Count(bundle, []byte(from)) != 1 {
		t.Fatalf("%q is there %d times", from, bytes.Count(bundle, []byte(from)))
	}
	return bytes.Replace(bundle, []byte(from), []byte(to), 1)
}

const mediaType = `"application/vnd.dev.sigstore.bundle.v0.3+json"`

// chainOf makes a bundle of version 0.1 or 0.2 of one of 0.3.
func chainOf(t testing.TB, bundle []byte, version string) []byte {
	out := edit(t, bundle, mediaType, `"application/vnd.dev.sigstore.bundle+json;version=`+version+`"`)
	out = edit(t, out, `"certificate":{"rawBytes":`, `"x509CertificateChain":{"certificates":[{"rawBytes":`)
	return edit(t, out, `"}}, "messageSignature"`, `"}]}}, "messageSignature"`)
}

// entry is a log entry that nobody believes; with the fields of the specification.
const entry = `, "tlogEntries":[{"logIndex":"-1","logId":{"keyId":"AAAA"},"kindVersion":{"kind":"hashedrekord","version":"0.0.1"},` +
	`"integratedTime":"1","inclusionPromise":{"signedEntryTimestamp":"AAAA"},"canonicalizedBody":"AAAA"}],` +
	`"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AAAA"}]}`

func TestBundleForms(t *testing.T) {
	key, keyless, old := file(t, "bundles/p256.json"), file(t, "bundles/certificate.json"), file(t, "bundles/certificate-cosign.json")
	pub := [][]byte{file(t, "bundles/p256.pem")}
	cert64 := base64.StdEncoding.EncodeToString(bundleCertificate(t).Raw)
	digest := string(key[bytes.Index(key, []byte(`"messageDigest"`)):bytes.Index(key, []byte(`, "signature"`))]) + ", "
	for name, c := range map[string]struct {
		bundle []byte
		keys   [][]byte
		want   formats.Reason
	}{
		"v0.1":                       {chainOf(t, keyless, "0.1"), nil, ""},
		"v0.2":                       {chainOf(t, keyless, "0.2"), nil, ""},
		"v0.3, older media type":     {edit(t, keyless, mediaType, `"application/vnd.dev.sigstore.bundle+json;version=0.3"`), nil, ""},
		"pretty":                     {indent(t, keyless), nil, ""},
		"white space around":         {append([]byte("\n "), append(bytes.Clone(key), " \n\n"...)...), pub, ""},
		"snake case":                 {edit(t, key, `"verificationMaterial"`, `"verification_material"`), pub, ""},
		"log entries":                {edit(t, key, `="}}, "messageSignature"`, `="}`+entry+`}, "messageSignature"`), pub, ""},
		"no digest":                  {edit(t, key, digest, ""), pub, ""},
		"the key of the certificate": {keyless, pub, ""},
		"the certificate as key":     {keyless, [][]byte{file(t, "bundles/certificate.pem")}, ""},
		"cosign, DER in cert":        {edit(t, old, certIn(t, old), cert64), nil, ""},
		"cosign, PEM in cert":        {edit(t, old, certIn(t, old), strings.ReplaceAll(string(file(t, "bundles/certificate.pem")), "\n", `\n`)), nil, ""},
		"cosign, key in cert":        {edit(t, old, certIn(t, old), base64.StdEncoding.EncodeToString(pub[0])), nil, ""},
		"cosign, log entry":          {edit(t, old, `"}`, `","rekorBundle":{"SignedEntryTimestamp":"AAAA","Payload":{"body":"AAAA","integratedTime":1,"logIndex":2,"logID":"x"}}}`), nil, ""},
		"cosign, no log entry":       {edit(t, old, `"}`, `","rekorBundle":null}`), nil, ""},

		"no key":                   {key, nil, formats.ReasonMissingKey},
		"another key":              {key, [][]byte{file(t, "bundles/rsa.pem")}, formats.ReasonMalformedSignature},
		"not the certificate's":    {keyless, [][]byte{file(t, "bundles/rsa.pem")}, formats.ReasonKeyMismatch},
		"v0.4":                     {edit(t, key, "v0.3", "v0.4"), pub, formats.ReasonUnsupportedVersion},
		"no version":               {edit(t, key, mediaType, `""`), pub, formats.ReasonUnsupportedVersion},
		"v0.3 with a chain":        {edit(t, chainOf(t, keyless, "0.1"), "version=0.1", "version=0.3"), nil, formats.ReasonMalformedSignature},
		"v0.1 with a certificate":  {edit(t, keyless, mediaType, `"application/vnd.dev.sigstore.bundle+json;version=0.1"`), nil, formats.ReasonMalformedSignature},
		"empty chain":              {emptyChain(t, keyless), nil, formats.ReasonMalformedSignature},
		"an unknown member":        {edit(t, key, `{"mediaType"`, `{"other":1,"mediaType"`), pub, formats.ReasonMalformedSignature},
		"a member twice":           {edit(t, key, `{"mediaType"`, `{"mediaType":"","mediaType"`), pub, formats.ReasonMalformedSignature},
		"a member twice, inside":   {edit(t, key, `{"hint"`, `{"hint":"a","hint"`), pub, formats.ReasonMalformedSignature},
		"a member in two cases":    {edit(t, key, `{"mediaType"`, `{"media_type":"","mediaType"`), pub, formats.ReasonMalformedSignature},
		"cut short":                {key[:len(key)-2], pub, formats.ReasonMalformedSignature},
		"two bundles":              {append(bytes.Clone(key), key...), pub, formats.ReasonTrailingData},
		"another digest":           {edit(t, key, digestIn(t, key), base64.StdEncoding.EncodeToString(make([]byte, 32))), pub, formats.ReasonArtifactMismatch},
		"a short digest":           {edit(t, key, digestIn(t, key), "AAAA"), pub, formats.ReasonMalformedSignature},
		"a digest of SHA-3":        {edit(t, key, "SHA2_256", "SHA3_256"), pub, formats.ReasonUnsupportedAlgorithm},
		"a digest of another kind": {edit(t, key, "SHA2_256", "SHA2_512"), pub, formats.ReasonMalformedSignature},
		"signature not in base64":  {edit(t, key, `"signature":"`, `"signature":"!`), pub, formats.ReasonMalformedSignature},
		"no signature":             {edit(t, key, base64.StdEncoding.EncodeToString(signatureIn(t, key)), ""), pub, formats.ReasonMalformedSignature},
		"another's signature":      {edit(t, key, base64.StdEncoding.EncodeToString(signatureIn(t, key)), base64.StdEncoding.EncodeToString(file(t, "p256.sig"))), pub, formats.ReasonSignatureInvalid},
		"an attestation": {[]byte(`{"mediaType":` + mediaType + `,"verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"AAAA","payloadType":"x","signatures":[{"sig":"AAAA"}]}}`),
			pub, formats.ReasonUnsupportedSignature},
		"nested":                          {edit(t, key, `{"hint"`, `{"other":`+strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)+`,"hint"`), pub, formats.ReasonTooLarge},
		"cosign, unknown member":          {edit(t, old, `"}`, `","other":1}`), nil, formats.ReasonMalformedSignature},
		"cosign, signature not in base64": {edit(t, old, `"base64Signature":"`, `"base64Signature":"!`), nil, formats.ReasonMalformedSignature},
		"cosign, no key":                  {file(t, "bundles/p256-cosign.json"), nil, formats.ReasonMissingKey},
		"cosign, cert not in base64":      {edit(t, old, certIn(t, old), "!"), nil, formats.ReasonMalformedSignature},
		"cosign, cert is something else":  {edit(t, old, certIn(t, old), "AAAA"), nil, formats.ReasonMalformedKey},
	} {
		t.Run(name, func(t *testing.T) {
			d, v, err := submitBundle(t, c.bundle, c.keys, bundleDay(t))
			if got := formats.ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if err == nil && (len(v.Projections) != 1 || strings.Contains(name, "log entries") != strings.Contains(strings.Join(d.Notes, " "), "log entries") && !strings.Contains(name, "cosign")) {
				t.Errorf("%d projections, notes %q", len(v.Projections), d.Notes)
			}
		})
	}
}

func indent(t testing.TB, bundle []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, bundle, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func certIn(t testing.TB, bundle []byte) string {
	var b struct {
		Cert string `json:"cert"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	return b.Cert
}

func digestIn(t testing.TB, bundle []byte) string {
	var b struct {
		MessageSignature struct {
			MessageDigest struct {
				Digest string `json:"digest"`
			} `json:"messageDigest"`
		} `json:"messageSignature"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	return b.MessageSignature.MessageDigest.Digest
}

func emptyChain(t testing.TB, bundle []byte) []byte {
	chain := chainOf(t, bundle, "0.2")
	from, to := bytes.Index(chain, []byte(`[{"rawBytes"`)), bytes.Index(chain, []byte(`"}]}`))
	return append(append(bytes.Clone(chain[:from]), '['), chain[to+2:]...)
}

// TestBundleExpired: a certificate that has expired refuses, unless the key itself is sent; then it is no more than its key. With
// the keys of a receipt the bundle verifies at any time.
func TestBundleExpired(t *testing.T) {
	later := formats.Policy{Now: bundleCertificate(t).NotAfter.Add(time.Hour)}
	for _, name := range []string{"bundles/certificate.json", "bundles/certificate-cosign.json"} {
		bundle := file(t, name)
		_, _, err := submitBundle(t, bundle, nil, later)
		if formats.ReasonOf(err) != formats.ReasonKeyExpired {
			t.Errorf("%s: %v", name, err)
		}
		for _, key := range []string{"bundles/p256.pem", "bundles/certificate.pem"} {
			if _, _, err := submitBundle(t, bundle, [][]byte{file(t, key)}, later); err != nil {
				t.Errorf("%s with %s: %v", name, key, err)
			}
		}
		_, v, err := submitBundle(t, bundle, nil, bundleDay(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := submitBundle(t, bundle, v.Keys, later); err != nil {
			t.Errorf("%s: with a receipt's keys: %v", name, err)
		}
		historical := later
		historical.Historical.Allow = formats.AllExceptions
		if _, _, err := submitBundle(t, bundle, nil, historical); err != nil {
			t.Errorf("%s: historical: %v", name, err)
		}
	}
}

// TestBundleDigest: by a digest of the kind that the bundle names, which has to be the same.
func TestBundleDigest(t *testing.T) {
	for _, c := range []struct {
		bundle, key, content string
		algorithm            formats.DigestAlgorithm
		want                 formats.Reason
	}{
		{"p256.json", "p256.pem", "artifact.bin", formats.SHA256, ""},
		{"p256.json", "p256.pem", "text.txt", formats.SHA256, formats.ReasonArtifactMismatch},
		{"p384.json", "p384.pem", "artifact.bin", formats.SHA384, ""},
		{"p384.json", "p384.pem", "artifact.bin", formats.SHA256, formats.ReasonWrongDigestAlgorithm},
		{"p384-cosign.json", "p384.pem", "artifact.bin", formats.SHA384, ""},
	} {
		s, err := plugin.New().Parse(t.Context(), file(t, "bundles/"+c.bundle), [][]byte{file(t, "bundles/"+c.key)}, bundleDay(t))
		if err != nil {
			t.Fatal(err)
		}
		content := []byte("another")
		if c.content == "artifact.bin" {
			content = file(t, c.content)
		}
		h := c.algorithm.New()
		h.Write(content)
		_, err = s.Verify(t.Context(), formats.FromDigest(formats.Digest{Algorithm: c.algorithm, Value: h.Sum(nil)}))
		if got := formats.ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s by %s: %v", c.bundle, c.algorithm, err)
		}
	}
}

// The policy's keys win over the key in a bundle, and its roots over a key by itself.
func TestBundlePolicy(t *testing.T) {
	bundle, p := file(t, "bundles/certificate.json"), bundleDay(t)
	p.Keys = map[string][][]byte{"x509": {file(t, "bundles/rsa.pem")}}
	_, _, err := submitBundle(t, bundle, nil, p)
	if formats.ReasonOf(err) != formats.ReasonKeyNotTrusted {
		t.Error(err)
	}
	p.Keys = map[string][][]byte{"x509": {file(t, "bundles/p256.pem")}}
	if _, _, err := submitBundle(t, bundle, nil, p); err != nil {
		t.Error(err)
	}
	if _, _, err := submitBundle(t, file(t, "bundles/p256.json"), nil, p); err != nil {
		t.Error(err)
	}
	rooted := bundleDay(t)
	rooted.Roots = x509.NewCertPool()
	if _, _, err = submitBundle(t, bundle, nil, rooted); formats.ReasonOf(err) != formats.ReasonKeyNotTrusted {
		t.Error(err)
	}
	rooted.Roots.AddCert(bundleCertificate(t))
	if _, _, err = submitBundle(t, bundle, nil, rooted); err != nil {
		t.Error(err)
	}
}

// Files of other formats are no bundles.
func TestBundleDetection(t *testing.T) {
	for name, text := range map[string]string{
		"TUF metadata":               `{"signatures":[],"signed":{"messageSignature":1}}`,
		"TUF metadata with a member": `{"messageSignature":1,"signatures":[],"signed":{}}`,
		"a member further in":        `{"a":{"messageSignature":1},"b":["base64Signature"]}`,
		"a value of that name":       `{"a":"messageSignature"}`,
		"an array":                   `[{"messageSignature":1}]`,
		"a DSSE envelope":            `{"payload":"","payloadType":"","signatures":[]}`,
		"cut off before the first":   `{"messageSig`,
		"no JSON":                    `messageSignature`,
	} {
		if plugin.New().Detect([]byte(text)) {
			t.Errorf("%s: taken for a bundle", name)
		}
	}
}

// TestBundleHostileWork: what is made to take long does not, and stops.
func TestBundleHostileWork(t *testing.T) {
	key := file(t, "bundles/p256.json")
	fill := func(value string) []byte {
		return edit(t, key, `="}}, "messageSignature"`, `="}, "tlogEntries":[`+value+`]}, "messageSignature"`)
	}
	repeat := func(s string) string { return strings.TrimSuffix(strings.Repeat(s+",", (4<<20-1000)/(len(s)+1)), ",") }
	names := make([]string, 0, 400_000)
	for i := range 300_000 {
		names = append(names, fmt.Sprintf(`"%d":0`, i))
	}
	for name, bundle := range map[string][]byte{
		"entries":  fill(repeat("{}")),
		"numbers":  fill(repeat("1")),
		"names":    fill("{" + strings.Join(names, ",") + "}"),
		"nested":   fill(strings.Repeat("[", 2<<20-1000) + strings.Repeat("]", 2<<20-1000)),
		"text":     fill(`{"canonicalizedBody":"` + strings.Repeat("AAAA", 1<<20-1000) + `"}`),
		"blanks":   append(bytes.Repeat([]byte(" "), 4<<20-2000), key...),
		"open":     []byte(`{"verificationMaterial":` + strings.Repeat(`{"a":`, 800_000)),
		"raw keys": edit(t, chainOf(t, file(t, "bundles/certificate.json"), "0.1"), `"}]}}`, `"},`+repeat(`{"rawBytes":"MAA="}`)[:3<<20/20*20-1]+`]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			v := formatstest.Vector{Signature: bundle, Keys: [][]byte{file(t, "bundles/p256.pem")}, Artifact: file(t, "artifact.bin"), Policy: bundleDay(t)}
			_ = formatstest.CheckHostile(t, plugin.New(), v)
		})
	}
}

// FuzzBundle: no panic, no value beside an error, every refusal typed; what verifies projects to what the standard library
// verifies, and white space changes nothing; work in proportion to the input.
func FuzzBundle(f *testing.F) {
	for _, v := range bundleVectors(f) {
		f.Add(v.Signature)
	}
	f.Add(chainOf(f, file(f, "bundles/certificate.json"), "0.1"))
	f.Add(edit(f, file(f, "bundles/p256.json"), `="}}, "messageSignature"`, `="}`+entry+`}, "messageSignature"`))
	artifact, keys, p := file(f, "artifact.bin"), [][]byte{file(f, "bundles/p256.pem")}, bundleDay(f)
	f.Fuzz(func(t *testing.T, bundle []byte) {
		ctx, check := formatstest.CheckWork(t, bundle)
		defer check()
		s, err := plugin.New().Parse(ctx, bundle, keys, p)
		if err != nil {
			if s != nil || formats.ReasonOf(err) == "" {
				t.Errorf("a value beside an error, or an untyped one: %v", err)
			}
			return
		}
		v, err := s.Verify(ctx, formats.FromReader(bytes.NewReader(artifact)))
		if err != nil {
			return
		}
		for _, projection := range v.Projections {
			if err := projection.VerifyDigest(); err != nil {
				t.Error(err)
			}
		}
		if !json.Valid(bundle) {
			return
		}
		_, w, err := submitBundle(t, indent(t, bundle), keys, p)
		if err != nil || !bytes.Equal(w.Form, v.Form) || !bytes.Equal(w.Canonical, v.Canonical) {
			t.Errorf("with other white space: %v", err)
		}
	})
}
