// SPDX-License-Identifier: Apache-2.0

// Command table reads what `go test -json` says of the conformance runs of all kinds of logs, prints which cases each has passed, and fails where a test has
// failed, or a case was not run. `make conformance` runs it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	problems, err := check(os.Stdin, os.Stdout)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// event is what go doc test2json says.
type event struct{ Action, Package, Test string }

// check reads events, prints the table, and returns what is wrong.
func check(events io.Reader, out io.Writer) (problems []string, err error) {
	var passed []string
	for lines := bufio.NewReader(events); ; {
		line, err := lines.ReadBytes('\n')
		var e event
		if len(line) > 0 && json.Unmarshal(line, &e) == nil { // a build that fails says so in other words, too
			switch {
			case e.Action == "pass" && e.Test != "":
				passed = append(passed, e.Package+" "+e.Test)
			case e.Action == "fail" || e.Action == "build-fail":
				problems = append(problems, strings.TrimSpace("failed: "+e.Package+" "+e.Test))
			}
		}
		if err == io.EOF {
			return append(problems, printTable(out, passed)...), nil
		}
		if err != nil {
			return problems, err
		}
	}
}

// printTable prints how many tests each kind has passed of each case, and returns the cases that were not run.
func printTable(out io.Writer, passed []string) (missing []string) {
	var table strings.Builder
	var reasons []string
	fmt.Fprintf(&table, "%-22s%-12s%-12s%-12s%-12s\n", "case", kinds[0], kinds[1], kinds[2], kinds[3])
	for _, r := range rows {
		fmt.Fprintf(&table, "%-22s", r.name)
		for i, c := range r.cells {
			said := "-"
			if c.why != "" {
				reasons = append(reasons, fmt.Sprintf("%s, %s: %s", r.name, kinds[i], c.why))
			} else {
				n, without := count(c.tests, passed)
				said = fmt.Sprint("passed ", n)
				for _, t := range without {
					said = "MISSING"
					missing = append(missing, fmt.Sprintf("not passed: %s, %s: %s", r.name, kinds[i], t))
				}
			}
			fmt.Fprintf(&table, "%-12s", said)
		}
		fmt.Fprintln(&table)
	}
	for _, r := range reasons {
		fmt.Fprintln(&table, r)
	}
	_, _ = io.WriteString(out, table.String())
	return missing
}

// count returns how many tests have passed of those that are named, and the names of which none has.
func count(tests, passed []string) (n int, without []string) {
	for _, t := range tests {
		pkg, name, _ := strings.Cut(t, " ")
		matches := func(p string) bool {
			in, test, _ := strings.Cut(p, " ")
			return strings.HasSuffix(in, "/"+pkg) && strings.HasPrefix(test, name)
		}
		if !slices.ContainsFunc(passed, matches) {
			without = append(without, t)
		}
		for _, p := range passed {
			if matches(p) {
				n++
			}
		}
	}
	return n, without
}
