// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// TestEveryReasonHasARow reads the sources of everything that may refuse: each reason declared
// there has a row, is declared once, and is never written as a bare string. Each problem of an
// entry has words as well.
func TestEveryReasonHasARow(t *testing.T) {
	d := declarations{t: t, at: map[string]string{}}
	for _, root := range []string{"../../../formats", "../../../gateway"} {
		d.readTree(root)
	}
	for _, known := range []formats.Reason{
		formats.ReasonWeakAlgorithm, container.ReasonContainerTooDense, gateway.ReasonNoCertificate, gateway.ReasonMalformedLabel,
		formats.Reason(gateway.ProblemUnknown), receipt.ReasonClaimMismatch, ReasonMalformedRequest,
	} {
		if d.at[string(known)] == "" {
			t.Errorf("%s was not found: this test does not look where reasons are", known)
		}
	}
	for reason, position := range d.at {
		if _, ok := rows[formats.Reason(reason)]; !ok {
			t.Errorf("%s: %s has no row in the table of reasons", position, reason)
		}
	}
	for reason := range rows {
		if d.at[string(reason)] == "" {
			t.Errorf("%s has a row and is declared nowhere", reason)
		}
	}
}

// TestEveryReasonHasWords: the error reference says when each reason is given and what to do.
func TestEveryReasonHasWords(t *testing.T) {
	for _, d := range Describe() {
		if d.When == "" || d.Do == "" || strings.ContainsAny(d.When+d.Do, "|\n") {
			t.Errorf("%s: no words, or some that break the table: %q, %q", d.Reason, d.When, d.Do)
		}
	}
	for reason := range words {
		if _, ok := rows[reason]; !ok {
			t.Errorf("%s has words and no row", reason)
		}
	}
}

// declarations are the reasons and entry problems found in sources, with their positions.
type declarations struct {
	t  *testing.T
	at map[string]string
}

func (d *declarations) readTree(root string) {
	d.t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == "testdata" {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		d.readFile(path)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *declarations) readFile(path string) {
	d.t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		d.t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, value := range n.Values {
				problem := strings.HasPrefix(n.Names[i].Name, "Problem") && file.Name.Name == "gateway"
				text := reasonIn(value, problem || isReason(n.Type))
				if text == "" {
					continue
				}
				d.add(text, files.Position(n.Pos()).String())
				if problem && EntryMessage(text) == "" {
					d.t.Errorf("%s: the problem %s has no words for callers", files.Position(n.Pos()), text)
				}
			}
		case *ast.CallExpr:
			d.refuseBareReason(n, files)
		}
		return true
	})
}

func (d *declarations) add(reason, position string) {
	if earlier := d.at[reason]; earlier != "" {
		d.t.Errorf("%s: %s is declared at %s, too", position, reason, earlier)
	}
	d.at[reason] = position
}

// refuseBareReason finds NewError("REASON", …) and WrapError(err, "REASON", …), whose reason
// no declaration would show.
func (d *declarations) refuseBareReason(call *ast.CallExpr, files *token.FileSet) {
	position := map[string]int{"NewError": 0, "WrapError": 1}
	argument, ok := position[lastName(call.Fun)]
	if !ok || argument >= len(call.Args) {
		return
	}
	if text := reasonIn(call.Args[argument], true); text != "" {
		d.t.Errorf("%s: declare %s as a constant", files.Position(call.Pos()), text)
	}
}

// reasonIn returns the text of a literal: "TEXT" where a reason is expected, Reason("TEXT") anywhere.
func reasonIn(value ast.Expr, expected bool) string {
	if call, ok := value.(*ast.CallExpr); ok && len(call.Args) == 1 && isReason(call.Fun) {
		return reasonIn(call.Args[0], true)
	}
	literal, ok := value.(*ast.BasicLit)
	if !ok || !expected || literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}

func isReason(e ast.Expr) bool { return lastName(e) == "Reason" }

// lastName is "Name" of Name and of package.Name.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
