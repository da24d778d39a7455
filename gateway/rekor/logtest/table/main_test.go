// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestCells: each kind has a test for each case, or a reason why there is none.
func TestCells(t *testing.T) {
	for _, r := range rows {
		for i, c := range r.cells {
			if (len(c.tests) == 0) == (c.why == "") {
				t.Errorf("%s, %s: %+v", r.name, kinds[i], c)
			}
		}
	}
}

// TestCheck: all is well where every test has passed, and no other way.
func TestCheck(t *testing.T) {
	var all []string
	for _, r := range rows {
		for _, c := range r.cells {
			for _, test := range c.tests {
				pkg, name, _ := strings.Cut(test, " ")
				all = append(all, fmt.Sprintf(`{"Action":"pass","Package":"example.com/gateway/%s","Test":"%s"}`, pkg, name))
			}
		}
	}
	run := func(lines []string) []string {
		problems, err := check(strings.NewReader(strings.Join(lines, "\n")), new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		return problems
	}
	if got := run(all); len(got) > 0 {
		t.Errorf("where all has passed: %v", got)
	}
	if got := run(nil); len(got) < len(rows) {
		t.Errorf("where nothing was run: %v", got)
	}
	if got := run(append(all, `{"Action":"fail","Package":"p","Test":"TestConformance/Logged"}`)); len(got) != 1 {
		t.Errorf("where one fails: %v", got)
	}
	skipped := strings.Replace(strings.Join(all, "\n"), `"pass"`, `"skip"`, 1)
	if got := run(strings.Split(skipped, "\n")); len(got) != 1 {
		t.Errorf("where one is skipped: %v", got)
	}
}
