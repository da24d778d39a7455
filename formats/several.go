// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxSignatures bounds the signatures of one file. Bitcoin Core's releases have two dozen.
const MaxSignatures = 64

// MaxHashes bounds how many hashes of the artifact the signatures of one file may need. Those made with
// the same hash function share one.
const MaxHashes = 8

// Unchecked is a signature of the file that none of the keys made. It is let pass when Policy.KnownOnly says so, and
// nothing of it was verified: not even that it is by the key it names.
type Unchecked struct {
	// Issuer is the key that the signature names, in the format's own derived form: hex, never text.
	Issuer string
}

// Each returns the descriptions of the file's signatures, in the order in which they stand in the
// file: d itself when it is of one. It is never empty.
func (d Description) Each() []Description {
	if len(d.Parts) == 0 {
		return []Description{d}
	}
	return d.Parts
}

// Each returns what was verified of each signature, in the order of Description.Each.
func (v *Verified) Each() []*Verified {
	if len(v.Parts) == 0 {
		return []*Verified{v}
	}
	return v.Parts
}

// CombineDescriptions returns the description of a file that holds the signatures described by parts, at least one,
// and those in unchecked. All parts need the same of the artifact. With one part it is that, and the file's
// unchecked ones.
func CombineDescriptions(parts []Description, unchecked []Unchecked) Description {
	if len(parts) == 1 {
		d := parts[0]
		d.Unchecked = unchecked
		return d
	}
	d := Description{
		Format: parts[0].Format, Variant: combineVariants(parts), Need: parts[0].Need, Digests: slices.Clone(parts[0].Digests),
		Threshold: 1, Parts: parts, Unchecked: unchecked,
		NotProjectable: NewError(ReasonNotProjectable, "the file holds several signatures, and each is recorded by itself", ""),
	}
	var algorithms []string
	for _, p := range parts {
		d.Digests = slices.DeleteFunc(d.Digests, func(a DigestAlgorithm) bool { return !slices.Contains(p.Digests, a) })
		algorithms = appendMissing(algorithms, p.Algorithm)
		d.Signers = appendSigners(d.Signers, p.Signers)
		d.Findings = appendMissing(d.Findings, p.Findings...)
		d.Notes = appendMissing(d.Notes, p.Notes...)
	}
	d.Algorithm = strings.Join(algorithms, ", ")
	return d
}

// combineVariants counts the signatures, and says their variant when it is that of all.
func combineVariants(parts []Description) string {
	count := fmt.Sprintf("%d signatures", len(parts))
	for _, p := range parts {
		if p.Variant != parts[0].Variant {
			return count
		}
	}
	return count + ", " + parts[0].Variant
}

// CombineVerified returns what was verified of a file whose signatures are parts, in the order of the
// description's, all over the same artifact. keys is the key material of all signers, as for Verified.Keys: it must be
// taken by one Parse. With one part it is that.
func CombineVerified(parts []*Verified, keys [][]byte) *Verified {
	if len(parts) == 1 {
		return parts[0]
	}
	v := &Verified{Digests: parts[0].Digests, Size: parts[0].Size, Keys: keys, Parts: parts}
	var canonical, forms [][]byte
	hasForm := false
	for _, p := range parts {
		v.Signers = appendSigners(v.Signers, p.Signers)
		v.Checks = appendMissing(v.Checks, p.Checks...)
		v.Notes = appendMissing(v.Notes, p.Notes...)
		canonical = append(canonical, p.Canonical)
		forms = append(forms, p.Form)
		hasForm = hasForm || p.Form != nil
	}
	v.Canonical = joinSorted(canonical)
	if hasForm {
		form := sha256.Sum256(joinSorted(forms))
		v.Form = form[:]
	}
	return v
}

func appendMissing[T comparable](list []T, more ...T) []T {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

func appendSigners(list, more []Signer) []Signer {
	for _, m := range more {
		if !slices.ContainsFunc(list, func(s Signer) bool { return bytes.Equal(s.SPKI, m.SPKI) }) {
			list = append(list, m)
		}
	}
	return list
}

// joinSorted returns the parts, sorted, each after its length: the order in which signatures stand in a file
// makes no other file.
func joinSorted(parts [][]byte) []byte {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, bytes.Compare)
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

// NameSignature returns err with the number of the signature that it is about in front, where a file holds n of them. Errors
// that are no *Error are returned as they are.
func NameSignature(err error, i, n int) error {
	var refusal *Error
	if n == 1 || !errors.As(err, &refusal) {
		return err
	}
	return WrapError(err, refusal.Reason, fmt.Sprintf("signature %d of %d: %s", i+1, n, refusal.Message), refusal.Hint)
}
