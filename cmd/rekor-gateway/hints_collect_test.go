// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hintCollector finds the text of every hint in the sources, by following what reaches the hint of a refusal: literals,
// constants, local variables, parameters of helpers, what helpers return, and fields called hint, Hint or Remedy.
type hintCollector struct {
	t        *testing.T
	packages map[string]*hintPackage // by folder
	exported map[string]hintSink     // sinks that other packages call
	found    map[string][]string     // the messages that stand beside each hint
}

// hintPackage is one folder's code.
type hintPackage struct {
	functions map[string]*ast.FuncDecl
	texts     map[string]ast.Expr // constants and variables of the package
	structs   map[string]*ast.StructType
	sinks     map[string]hintSink // functions that pass a parameter on as a hint
}

// hintSink says which arguments of a function are the message and the hint.
type hintSink struct{ message, hint int }

// commonSinks are called from everywhere.
var commonSinks = map[string]hintSink{
	"NewError": {1, 2}, "WrapError": {2, 3}, "withHint": {0, 1}, "WithHint": {0, 1}, "fail": {1, 2}, "Fail": {1, 2}, "Malformed": {0, 1},
}

// hintFields are the fields that hints are kept in.
var hintFields = []string{"hint", "Hint", "Remedy", "hints"}

// collectHints returns every hint below the roots with the messages it stands beside.
func collectHints(t *testing.T, roots ...string) map[string][]string {
	c := &hintCollector{t: t, packages: map[string]*hintPackage{}, exported: maps.Clone(commonSinks), found: map[string][]string{}}
	for _, root := range roots {
		c.readTree(root)
	}
	for before := -1; before != c.countSinks(); { // helpers of helpers
		before = c.countSinks()
		for _, p := range c.packages {
			c.visitPackage(p)
		}
	}
	for hint, messages := range c.found {
		slices.Sort(messages)
		c.found[hint] = slices.Compact(messages)
	}
	return c.found
}

func (c *hintCollector) countSinks() int {
	n := len(c.exported)
	for _, p := range c.packages {
		n += len(p.sinks)
	}
	return n
}

func (c *hintCollector) readTree(root string) {
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{"testdata", "compare", "formatstest", "rekortest", "gatewaytest", "logtest", "storetest", "stocktest", "receipttest"}, e.Name()):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		c.addFile(filepath.Dir(path), file)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *hintCollector) addFile(dir string, file *ast.File) {
	p := c.packages[dir]
	if p == nil {
		p = &hintPackage{map[string]*ast.FuncDecl{}, map[string]ast.Expr{}, map[string]*ast.StructType{}, map[string]hintSink{}}
		c.packages[dir] = p
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			for p.functions[name] != nil { // methods of several types
				name += "'"
			}
			p.functions[name] = d
		case *ast.GenDecl:
			p.addSpecs(d.Specs)
		}
	}
}

func (p *hintPackage) addSpecs(specs []ast.Spec) {
	for _, s := range specs {
		switch s := s.(type) {
		case *ast.ValueSpec:
			for i, n := range s.Names {
				if i < len(s.Values) {
					p.texts[n.Name] = s.Values[i]
				}
			}
		case *ast.TypeSpec:
			if t, ok := s.Type.(*ast.StructType); ok {
				p.structs[s.Name.Name] = t
			}
		}
	}
}

func (c *hintCollector) visitPackage(p *hintPackage) {
	for _, name := range slices.Sorted(maps.Keys(p.functions)) {
		f := p.functions[name]
		if f.Body != nil {
			c.visitCode(p, f, f.Body)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.texts)) {
		c.visitCode(p, nil, p.texts[name])
	}
}

// visitCode looks at every call and every field in code, of the function f or of none.
func (c *hintCollector) visitCode(p *hintPackage, f *ast.FuncDecl, code ast.Node) {
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := c.findSink(p, n); ok && s.hint < len(n.Args) {
				c.follow(p, f, n.Args[s.hint], p.wordsOf(f, n.Args[s.message]))
			}
		case *ast.CompositeLit:
			c.visitLiteral(p, f, n, n.Type)
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if field, ok := left.(*ast.SelectorExpr); ok && slices.Contains(hintFields, field.Sel.Name) {
					c.follow(p, f, n.Rhs[min(i, len(n.Rhs)-1)], "")
				}
			}
		}
		return true
	})
}

// visitLiteral finds fields by name, and by place in the structs of this package.
func (c *hintCollector) visitLiteral(p *hintPackage, f *ast.FuncDecl, l *ast.CompositeLit, kind ast.Expr) {
	if array, ok := kind.(*ast.ArrayType); ok {
		for _, element := range l.Elts {
			if inner, ok := element.(*ast.CompositeLit); ok && inner.Type == nil {
				c.visitLiteral(p, f, inner, array.Elt)
			}
		}
	}
	place := p.findField(kind)
	for i, element := range l.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if name, ok := pair.Key.(*ast.Ident); ok && slices.Contains(hintFields, name.Name) {
				c.follow(p, f, pair.Value, "")
			}
		} else if i == place {
			c.follow(p, f, element, p.wordsOf(f, l.Elts[max(0, i-1)]))
		}
	}
}

// findField returns the place of the hint in a struct's literal, or -1.
func (p *hintPackage) findField(kind ast.Expr) int {
	if name, ok := kind.(*ast.Ident); ok && p.structs[name.Name] != nil {
		kind = p.structs[name.Name]
	}
	s, ok := kind.(*ast.StructType)
	if !ok {
		return -1
	}
	place := 0
	for _, field := range s.Fields.List {
		for _, name := range field.Names {
			if slices.Contains(hintFields, name.Name) {
				return place
			}
			place++
		}
		if len(field.Names) == 0 {
			place++
		}
	}
	return -1
}

func (c *hintCollector) findSink(p *hintPackage, call *ast.CallExpr) (hintSink, bool) {
	name := calledName(call)
	if s, ok := p.sinks[name]; ok {
		return s, true
	}
	s, ok := c.exported[name]
	return s, ok
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// follow finds the text of a hint.
func (c *hintCollector) follow(p *hintPackage, f *ast.FuncDecl, hint ast.Expr, message string) {
	if text := p.wordsOf(f, hint); text != "" {
		c.found[text] = append(c.found[text], message)
		return
	}
	switch hint := hint.(type) {
	case *ast.Ident:
		c.followName(p, f, hint.Name, message)
	case *ast.CallExpr: // what a helper returns
		if called := p.functions[calledName(hint)]; called != nil && called.Body != nil {
			for _, r := range returned(called) {
				c.follow(p, called, r, message)
			}
		}
	}
}

// followName follows a local variable, or a parameter: then f passes a hint on.
func (c *hintCollector) followName(p *hintPackage, f *ast.FuncDecl, name, message string) {
	if f == nil {
		return
	}
	if i := parameterOf(f, name); i >= 0 {
		if _, common := commonSinks[f.Name.Name]; !common {
			p.sinks[f.Name.Name] = hintSink{max(0, i-1), i}
			if f.Name.IsExported() {
				c.exported[f.Name.Name] = hintSink{max(0, i-1), i}
			}
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok {
			for i, left := range a.Lhs {
				if id, ok := left.(*ast.Ident); ok && id.Name == name && i < len(a.Rhs) && a.Rhs[i] != left {
					c.followValue(p, f, a.Rhs[i], name, message)
				}
			}
		}
		return true
	})
}

// followValue follows what a variable is set to, unless that is itself.
func (c *hintCollector) followValue(p *hintPackage, f *ast.FuncDecl, value ast.Expr, name, message string) {
	if id, ok := value.(*ast.Ident); ok && id.Name == name {
		return
	}
	c.follow(p, f, value, message)
}

func parameterOf(f *ast.FuncDecl, name string) int {
	place := 0
	for _, field := range f.Type.Params.List {
		for _, n := range field.Names {
			if n.Name == name {
				return place
			}
			place++
		}
	}
	return -1
}

func returned(f *ast.FuncDecl) (values []ast.Expr) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
			values = append(values, r.Results[len(r.Results)-1]) // (reason, hint)
		}
		return true
	})
	return values
}

// wordsOf returns a text that is known, with … for the parts of it that are not; "" for none.
func (p *hintPackage) wordsOf(f *ast.FuncDecl, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.ParenExpr:
		return p.wordsOf(f, e.X)
	case *ast.BinaryExpr:
		left, right := p.wordsOf(f, e.X), p.wordsOf(f, e.Y)
		if left == "" && right == "" {
			return ""
		}
		return cmpOr(left) + cmpOr(right)
	case *ast.Ident:
		return p.constantOf(f, e.Name)
	case *ast.SelectorExpr:
		if e.Sel.Name == "HintHistorical" {
			return "; for an old release ask the gateway's operator: only policy.historical lets it pass"
		}
	case *ast.CallExpr:
		switch calledName(e) {
		case "Sprintf", "Errorf", "New":
			return p.wordsOf(f, e.Args[0])
		}
	}
	return ""
}

func cmpOr(text string) string {
	if text == "" {
		return "…"
	}
	return text
}

// constantOf is for constants of the function, then of the package.
func (p *hintPackage) constantOf(f *ast.FuncDecl, name string) (text string) {
	if f != nil && parameterOf(f, name) >= 0 {
		return ""
	}
	if f != nil && f.Body != nil {
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Values) == 1 && s.Names[0].Name == name {
				text = p.wordsOf(nil, s.Values[0])
			}
			return true
		})
	}
	if value := p.texts[name]; text == "" && value != nil {
		text = p.wordsOf(nil, value)
	}
	return text
}
