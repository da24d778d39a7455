// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"io"
	"iter"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// ReadManifest yields the items of a manifest: JSON lines, or CSV with a header. An error ends it.
func ReadManifest(name string, _ io.Reader, _ Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		yield(Item{}, formats.NewError(ReasonMalformedManifest, name+" cannot be read yet", "name the folder"))
	}
}
