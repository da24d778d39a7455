// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestEveryFieldChanged changes each field of each receipt that a gateway made, one at a time. What is
// bound must be refused then; what nothing binds may only change lines that say so.
func TestEveryFieldChanged(t *testing.T) {
	for _, folder := range receiptFolders(t) {
		if strings.HasPrefix(filepath.Base(folder), "edited-") {
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			list := readVerdicts(t, folder)
			r, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range list.Verifications {
				if v.Verdict == verdictOK && (v.Name == "right key" || v.Name == "historical allowed") {
					changeFields(t, r, func() receipt.Options { return v.options(t, folder, list.Trust) })
					return
				}
			}
		})
	}
}

func changeFields(t *testing.T, r *receiptpb.Receipt, options func() receipt.Options) {
	original, err := receipt.Verify(t.Context(), r, options())
	if err != nil {
		t.Fatal(err)
	}
	visitValues(r.ProtoReflect(), "", func(path string, change func(*receiptpb.Receipt)) {
		changed := proto.CloneOf(r)
		change(changed)
		if proto.Equal(changed, r) {
			t.Fatalf("%s is not changed", path)
		}
		report, err := receipt.Verify(t.Context(), changed, options())
		bound := isBound(path, r)
		if dependsOnView(path, r) {
			bound = err != nil // some of the signatures are attested
		}
		if path == "signature.content" && err == nil {
			bound = false // the change hit what no signature is over: an unhashed subpacket, a certificate that others need
		}
		switch {
		case bound && err == nil:
			t.Errorf("%s: changed, and accepted", path)
		case !bound && err != nil:
			t.Errorf("%s: changed, and refused: %v", path, err)
		case !bound && !slices.Equal(supported(original), supported(report)):
			t.Errorf("%s: changed, and the report says other things as if they were so:\n%q\n%q", path, supported(original), supported(report))
		}
	})
}

// isBound reports whether a change of the field at path must be refused.
func isBound(path string, r *receiptpb.Receipt) bool {
	for path != "" {
		switch receipt.TrustOf(path) {
		case "fixed", "recomputed", "proven":
			return true
		case "stated":
			return isStated(path, r)
		case "said":
			return statedAnyway[path] && isStated(path, r)
		}
		path = path[:max(strings.LastIndex(path, "."), 0)]
	}
	return true
}

func isStated(path string, r *receiptpb.Receipt) bool {
	sum := r.GetFormatVersion() > 2 && sums[path]
	return r.GetRepresentation() == receiptpb.Receipt_ATTESTED && !sum
}

// sums are fields that only sum up what recorded says of each signature, where there are several.
var sums = map[string]bool{
	"signature.variant": true, "signature.algorithm": true, "checks": true, "notes": true, "findings.message": true,
}

// dependsOnView reports whether the field is bound by a statement in some of the receipt's signatures, and in some by nothing.
func dependsOnView(path string, r *receiptpb.Receipt) bool {
	attested := 0
	for _, s := range r.GetRecorded() {
		if s.GetRepresentation() == receiptpb.Receipt_ATTESTED {
			attested++
		}
	}
	mixed := attested > 0 && attested < len(r.GetRecorded())
	return mixed && !sums[path] && (receipt.TrustOf(path) == "stated" || statedAnyway[path])
}

// statedAnyway are fields that nothing needs, which a gateway's statement binds all the same.
var statedAnyway = map[string]bool{
	"signature.variant": true, "signature.algorithm": true, "signature.keys": true, "signers.fingerprint": true, "signers.algorithm": true,
	"notes": true, "policy.historical": true, "policy.ssh_namespaces": true, "policy.tuf_roots": true, "findings.message": true,
	"recorded.variant": true, "recorded.algorithm": true, "recorded.notes": true, "recorded.findings.message": true,
}

// supported are the lines of a report that do not say that only the receipt says so.
func supported(r *receipt.Report) []string {
	lines := slices.Clone(r.Proven)
	for _, l := range r.Unproven {
		if !strings.HasPrefix(l, "receipt says: ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// visitValues calls f for every set scalar below m, with the path of its field and what changes it in a
// copy of the whole receipt.
func visitValues(m protoreflect.Message, prefix string, f func(path string, change func(*receiptpb.Receipt)), at ...func(protoreflect.Message) protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		path := prefix + string(fd.Name())
		locate := func(r *receiptpb.Receipt) protoreflect.Message {
			here := r.ProtoReflect()
			for _, step := range at {
				here = step(here)
			}
			return here
		}
		switch {
		case fd.IsMap():
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				visitValues(v.List().Get(i).Message(), path+".", f, append(slices.Clip(at), func(p protoreflect.Message) protoreflect.Message {
					return p.Mutable(fd).List().Get(i).Message()
				})...)
			}
		case fd.IsList():
			for i := range v.List().Len() {
				f(path, func(r *receiptpb.Receipt) {
					list := locate(r).Mutable(fd).List()
					list.Set(i, changeValue(fd, list.Get(i)))
				})
			}
		case fd.Message() != nil:
			visitValues(v.Message(), path+".", f, append(slices.Clip(at), func(p protoreflect.Message) protoreflect.Message {
				return p.Mutable(fd).Message()
			})...)
		default:
			f(path, func(r *receiptpb.Receipt) {
				here := locate(r)
				here.Set(fd, changeValue(fd, here.Get(fd)))
			})
		}
		return true
	})
}

// changeValue returns another value of the same kind.
func changeValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BytesKind:
		b := slices.Clone(v.Bytes())
		if len(b) == 0 {
			return protoreflect.ValueOfBytes([]byte{1})
		}
		b[len(b)/2] ^= 1
		return protoreflect.ValueOfBytes(b)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(v.String() + "x")
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(v.Enum()%3 + 1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()) ^ 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(v.Int() ^ 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(v.Uint()) ^ 1)
	}
	return protoreflect.ValueOfUint64(v.Uint() ^ 1)
}
