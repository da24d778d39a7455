// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// TestParseWitnessKey: keys of both types are read, in one form.
func TestParseWitnessKey(t *testing.T) {
	_, logKey, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	v, err := cosign.NewVerifierForCosignatureV1(logKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(logKey, "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("witness.example+%08x+%s", v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, raw[1:]...)))
	_, large, err := cosign.GenerateMLDSAKey("witness.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{key, large} {
		if v, err := ParseWitnessKey(good); err != nil || v.Name() != "witness.example" {
			t.Errorf("%s: %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing": "", "key of a log": logKey, "another hash": strings.Replace(key, "+", "+0", 1), "another name": "x" + key, "key and more": key + "\n",
		"part of a key": key[:len(key)-8], "name with spaces": "a b" + key[strings.Index(key, "+"):], "hash in capitals": strings.ToUpper(key[:24]) + key[24:],
		"no parts": "+", "another type": fmt.Sprintf("witness.example+%08x+%s", v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{5}, raw[1:]...))),
	} {
		if _, err := ParseWitnessKey(bad); err == nil {
			t.Errorf("%s: read %q", name, bad)
		}
	}
}
