// SPDX-License-Identifier: Apache-2.0

package toy_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
)

// A format is two steps: Parse refuses all that can be refused without the artifact, Verify reads the
// artifact once. This one is as small as a format can be; a real one goes beside the others, is listed in
// package all, and is held to the seam's promises by package formatstest.
func Example() {
	artifact := []byte("a release")
	signature, key := toy.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), artifact)

	registry := formats.NewRegistry(toy.New())
	parsed, err := registry.Parse(context.Background(), "", signature, [][]byte{key}, formats.Policy{Now: time.Now()})
	if err != nil {
		log.Fatal(err)
	}
	verified, err := parsed.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(parsed.Describe().Format, verified.Size, "bytes, evidence", verified.Evidence())
	// Output:
	// toy 9 bytes, evidence BYTES
}
