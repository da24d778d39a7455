// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// bounds are the values of bounds.go, as docs/architecture.md shows them.
var bounds = map[string]string{
	"MaxMetadata": mebibytes(MaxMetadata), "MaxHeader": mebibytes(MaxHeader),
	"MaxParts": fmt.Sprint(MaxParts), "MaxPartHeader": mebibytes(MaxPartHeader), "MaxField": mebibytes(MaxField), "MaxKeys": mebibytes(MaxKeys),
	"MaxJSON":    mebibytes(MaxJSON),
	"MaxMessage": mebibytes(MaxMessage), "MaxChunk": mebibytes(MaxChunk),
	"MaxBatchParallel": fmt.Sprint(MaxBatchParallel), "MaxStreams": fmt.Sprint(MaxStreams),
	"IdleTimeout": IdleTimeout.Round(time.Second).String(), "MaxJSONHeld": mebibytes(MaxJSONHeld),
	"FormMemory": mebibytes(FormMemory), "JSONMemory": mebibytes(JSONMemory), "StreamMemory": mebibytes(StreamMemory),
	"BatchMemory": mebibytes(BatchMemory), "AllJSONMemory": mebibytes(AllJSONMemory),
}

func mebibytes(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// TestBoundsAreDocumented: docs/architecture.md has a row for each exported constant of bounds.go,
// with its value.
func TestBoundsAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	names := declaredBounds(t)
	for _, name := range names {
		value, ok := bounds[name]
		if !ok {
			t.Errorf("%s is not in this test's table", name)
		}
		if row := fmt.Sprintf("| `%s` | %s |", name, value); !strings.Contains(string(raw), row) {
			t.Errorf("docs/architecture.md lacks the row %s", row)
		}
	}
	if len(names) != len(bounds) {
		t.Errorf("%d constants in bounds.go, %d in this test", len(names), len(bounds))
	}
}

func declaredBounds(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "bounds.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].IsExported() {
			names = append(names, spec.Names[0].Name)
		}
		return true
	})
	return names
}

// TestSums: what a request may hold is at least what each of its parts may be at once.
func TestSums(t *testing.T) {
	form := int64(MaxMetadata + formats.MaxSignatureSize + formats.MaxKeySize + MaxParts*MaxField + MaxPartHeader)
	if FormMemory != form || FormMemory > 20<<20 {
		t.Errorf("a form holds %s, and its parts %s", mebibytes(FormMemory), mebibytes(form))
	}
	if StreamMemory < 3*MaxMessage || BatchMemory < MaxBatchParallel*MaxMessage || JSONMemory < 4*MaxJSON {
		t.Errorf("stream %d, batch %d, JSON %d", StreamMemory, BatchMemory, JSONMemory)
	}
	if MaxMessage < formats.MaxSignatureSize+formats.MaxKeySize+MaxChunk {
		t.Errorf("a gRPC message of %d bytes cannot hold the largest signature, key and chunk", MaxMessage)
	}
}
