// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// To verify a receipt takes the signed file, the signer's key and the log's: no network and no gateway.
func ExampleVerify() {
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/corpus/" + name)
		if err != nil {
			log.Fatal(err)
		}
		return b
	}
	r, err := receipt.Unmarshal(read("pgp-rsa3072/receipt.json"))
	if err != nil {
		log.Fatal(err)
	}
	root, err := trustroot.Parse(read("trust-1/trusted_root.json"))
	if err != nil {
		log.Fatal(err)
	}
	report, err := receipt.Verify(context.Background(), r, receipt.Options{
		Registry:     all.Formats(),
		TrustedRoot:  root,
		Artifact:     bytes.NewReader(read("pgp-rsa3072/artifact")),
		ExpectedKeys: [][]byte{read("pgp-rsa3072/rsa3072.key")},
		Now:          time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		log.Fatal(err) // a *formats.Error with a reason for machines and a hint for people
	}
	fmt.Println(report.Proven[len(report.Proven)-3])
	// Output:
	// recorded as: PROJECTED, the log says that this key signed the bytes this format really signs
}
