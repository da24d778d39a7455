// SPDX-License-Identifier: Apache-2.0

package api

import (
	"mime"
	"regexp"
	"testing"
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9_+][A-Za-z0-9._+~-]*\.receipt\.json$|^receipt\.json$`)

// FuzzHeaders: whatever a client writes into Accept, If-None-Match and a file name, a quality is one, and a file name is
// plain.
func FuzzHeaders(f *testing.F) {
	f.Add("application/json;q=0.5, */*", "../a b\"c.tar.gz")
	f.Add("gzip;q=NaN", "....")
	f.Fuzz(func(t *testing.T, header, name string) {
		if q := readQuality([]string{header}, "gzip"); !(q >= 0 && q <= 1) {
			t.Errorf("quality %v", q)
		}
		matchesTag([]string{header}, makeTag([]byte(name)))
		_, params, err := mime.ParseMediaType(receiptDisposition(name))
		if file := params["filename"]; err != nil || !plainName.MatchString(file) || len(file) > maxName+len(".receipt.json") {
			t.Errorf("%q is called %q, %v", name, file, err)
		}
	})
}
