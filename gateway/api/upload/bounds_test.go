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

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// bounds are the values of bounds.go, as docs/architecture.md shows them.
var bounds = map[string]string{
	"MaxMetadata": formatSize(MaxMetadata), "MaxMetadataFields": fmt.Sprint(MaxMetadataFields), "MaxHeader": formatSize(MaxHeader),
	"MaxParts": fmt.Sprint(MaxParts), "MaxPartHeader": formatSize(MaxPartHeader), "MaxField": formatSize(MaxField), "MaxKeys": formatSize(MaxKeys),
	"MaxReplay": formatSize(MaxReplay), "ReplayMemory": formatSize(ReplayMemory),
	"MaxJSON": formatSize(MaxJSON), "MaxJSONLabels": formatSize(MaxJSONLabels),
	"MaxRekorJSON": formatSize(MaxRekorJSON), "MaxRekorTokens": fmt.Sprint(MaxRekorTokens), "MaxRekorStoring": fmt.Sprint(MaxRekorStoring), "MaxSubmitStoring": fmt.Sprint(MaxSubmitStoring),
	"MaxShortString": formatSize(MaxShortString), "MaxLongStrings": fmt.Sprint(MaxLongStrings), "MaxLongRest": formatSize(MaxLongRest),
	"MaxLine": formatSize(MaxLine), "MaxBatchAnswers": formatSize(MaxBatchAnswers), "MaxBatchWaiting": fmt.Sprint(MaxBatchWaiting),
	"MaxMessage": formatSize(MaxMessage), "MaxMessageFields": fmt.Sprint(MaxMessageFields), "MaxChunk": formatSize(MaxChunk),
	"MaxBatchParallel": fmt.Sprint(MaxBatchParallel), "MaxBatchWorkers": fmt.Sprint(MaxBatchWorkers), "MaxBatchHeld": formatSize(MaxBatchHeld),
	"MaxIDs":     fmt.Sprint(MaxIDs),
	"MaxStreams": fmt.Sprint(MaxStreams), "MaxRequests": fmt.Sprint(MaxRequests),
	"CallWindow": formatSize(CallWindow), "ConnectionWindow": formatSize(ConnectionWindow),
	"IdleTimeout": IdleTimeout.String(), "MaxWatch": MaxWatch.String(), "MaxRekorWait": MaxRekorWait.String(),
	"LingerTime": LingerTime.String(), "LingerIdle": LingerIdle.String(), "LingerIdleStream": LingerIdleStream.String(), "LingerBytes": formatSize(LingerBytes), "LingerMost": fmt.Sprint(LingerMost),
	"ConnectionMemory": formatSize(ConnectionMemory), "CallConnectionMemory": formatSize(CallConnectionMemory),
	"RequestMemory": formatSize(RequestMemory), "CallMemory": formatSize(CallMemory), "AnswerMemory": formatSize(AnswerMemory), "FormMemory": formatSize(FormMemory),
	"LineMemory": formatSize(LineMemory), "WaitMemory": formatSize(WaitMemory), "AnswerLineMemory": fmt.Sprintf("%d B", AnswerLineMemory),
	"JSONCopies": fmt.Sprint(JSONCopies),
}

func formatSize(n int64) string {
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

// TestSums: what a request is counted with beforehand is at least what each of its parts may be at once.
func TestSums(t *testing.T) {
	const parsed = 16 // how much larger the shortest header lines are once they are parsed
	for name, c := range map[string]struct{ counted, most int64 }{
		"a connection":        {ConnectionMemory, MaxMetadata * parsed},
		"an HTTP/2 one":       {ConnectionMemory, ConnectionWindow + 4*MaxMetadata},
		"a call":              {CallMemory, CallWindow + MaxMetadata},
		"a form":              {FormMemory, MaxPartHeader * parsed},
		"the largest message": {MaxMessage, formats.MaxSignatureSize + formats.MaxKeySize + MaxChunk},
		"a batch":             {MaxBatchHeld, MaxMessage},
		"a batch over HTTP":   {MaxBatchHeld, MaxLine},
		"lines":               {LineMemory, lineBuffer + writeBuffer},
	} {
		if c.counted < c.most {
			t.Errorf("%s is counted with %d bytes and may hold %d", name, c.counted, c.most)
		}
	}
}
