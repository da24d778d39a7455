// SPDX-License-Identifier: Apache-2.0

// Command go records a signature over gRPC, and keeps the receipt beside the artifact.
//
//	go run ./docs/examples/go HOST:PORT[,HOST:PORT…] SIGNATURE KEY ARTIFACT
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go run ./docs/examples/go HOST:PORT[,HOST:PORT…] SIGNATURE KEY ARTIFACT")
		os.Exit(2)
	}
	if err := run(strings.Split(os.Args[1], ","), os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var refusal *client.Error
		if errors.As(err, &refusal) && refusal.Hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", refusal.Hint)
		}
		os.Exit(1)
	}
}

func run(addresses []string, signatureFile, keyFile, artifact string) error {
	signature, err := os.ReadFile(signatureFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{Addresses: addresses, Retries: client.Retries{Patience: time.Minute}})
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is lost
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	answer, err := c.Submit(ctx, client.Submission{
		Header:   &pb.SubmissionHeader{Signature: signature, Keys: [][]byte{key}},
		Artifact: func() (io.ReadCloser, error) { return os.Open(artifact) },
	})
	if err != nil {
		return err
	}
	logged, err := c.Await(ctx, answer.GetSubmission().GetId())
	if err != nil {
		return err
	}
	return os.WriteFile(artifact+".receipt.json", []byte(logged.GetReceiptJson()), 0o600)
}
