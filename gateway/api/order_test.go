// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// permute calls f with the fields in every order.
func permute(fields []field, f func([]field)) {
	var choose func(chosen, left []field)
	choose = func(chosen, left []field) {
		if len(left) == 0 {
			f(chosen)
		}
		for i := range left {
			choose(append(slices.Clone(chosen), left[i]), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	choose(nil, fields)
}

// Parts may come in any order while the artifact fits the replay buffer, in memory or in a file; a larger one
// is the first or the last part, or lacks its key.
func TestPartsInAnyOrder(t *testing.T) {
	const replay = 100 << 10
	s := serveWith(t, func(c *HTTPConfig) { c.Upload.Replay = replay })
	for name, size := range map[string]int{"in memory": 10, "in a file": replay - 1} {
		sig, key, artifact, format := parts(t, strings.Repeat("x", size))
		id := ""
		permute([]field{sig, key, artifact, format, {"label", "a=b"}}, func(order []field) {
			a := s.post("/v1/submissions", order...)
			if id == "" {
				id = a.text("id")
			}
			if a.status >= 300 || a.text("id") != id || a.body["labels"].(map[string]any)["a"] != "b" {
				t.Errorf("%s, order %s: %d %.200s", name, namesOf(order), a.status, a.raw)
			}
		})
	}
	sig, key, artifact, format := parts(t, strings.Repeat("x", replay+1))
	label := field{"label", "a=b"}
	for _, c := range []struct {
		order  []field
		status int
		reason string
	}{
		{[]field{sig, key, format, label, artifact}, http.StatusCreated, ""},
		{[]field{artifact, sig, key, format, label}, http.StatusOK, ""},
		{[]field{sig, format, artifact, label, key}, http.StatusOK, ""},
		{[]field{sig, key, format, artifact, label}, http.StatusBadRequest, "MALFORMED_REQUEST"},
		{[]field{{"signature", "what is this"}, key, artifact, format}, http.StatusUnsupportedMediaType, "UNKNOWN_FORMAT"},
	} {
		t.Log(namesOf(c.order))
		s.expect(s.post("/v1/submissions", c.order...), c.status, c.reason)
	}
	if left, _ := os.ReadDir(s.spoolDir); len(left) != 0 {
		t.Errorf("%d spool files are left behind", len(left))
	}
}

func namesOf(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, " ")
}
