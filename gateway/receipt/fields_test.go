// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestEveryFieldIsListed: no field of a receipt is without a reason to believe it, or not to.
func TestEveryFieldIsListed(t *testing.T) {
	left := map[string]bool{}
	for path := range fields {
		left[path] = true
	}
	visitFields((&receiptpb.Receipt{}).ProtoReflect().Descriptor(), "", func(path string) {
		if fields[path] == "" {
			t.Errorf("%s is not listed", path)
		}
		delete(left, path)
	})
	for path := range left {
		t.Errorf("%s is listed and no field", path)
	}
}

// visitFields visits the path of every field below m that is listed by itself: those of this
// module's own messages are followed, except where the message as a whole is listed.
func visitFields(m protoreflect.MessageDescriptor, prefix string, visit func(path string)) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		path := prefix + string(f.Name())
		own := f.Message() != nil && f.Message().ParentFile().Package() == m.ParentFile().Package()
		if own && fields[path] == "" {
			visitFields(f.Message(), path+".", visit)
			continue
		}
		visit(path)
	}
}

// TestEveryFieldIsDocumented: docs/receipts.md says what every field of a receipt is, in "The file".
func TestEveryFieldIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/receipts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "\n## The file\n")
	section, _, found := strings.Cut(section, "\n## ")
	if !found {
		t.Fatal(`docs/receipts.md has no section "The file"`)
	}
	visitFields((&receiptpb.Receipt{}).ProtoReflect().Descriptor(), "", func(path string) {
		parts := strings.Split(path, ".")
		for i := range parts {
			parts[i] = jsonName(parts[i])
		}
		top, last := parts[0], parts[len(parts)-1]
		for _, row := range strings.Split(section, "\n") {
			if strings.HasPrefix(row, "| `") && containsWord(row, top) && containsWord(row, last) {
				return
			}
		}
		t.Errorf("docs/receipts.md has no row for %s", strings.Join(parts, "."))
	})
}

// jsonName returns the protobuf field's name as JSON has it: submissionId for submission_id.
func jsonName(field string) string {
	words := strings.Split(field, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func containsWord(s, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(s)
}
