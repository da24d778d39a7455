// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// A signature over a file is recorded, and its receipt kept beside the file.
func Example() {
	c, err := client.New(client.Config{Addresses: []string{"127.0.0.1:8081"}, Retries: client.Retries{Patience: time.Minute}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	signature, err := os.ReadFile("app.tar.gz.asc")
	if err != nil {
		log.Fatal(err)
	}
	key, err := os.ReadFile("release.asc")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	answer, err := c.Submit(ctx, client.Submission{
		Header:   &pb.SubmissionHeader{Signature: signature, Keys: [][]byte{key}},
		Artifact: func() (io.ReadCloser, error) { return os.Open("app.tar.gz") },
	})
	if err != nil {
		log.Fatal(err)
	}
	logged, err := c.Await(ctx, answer.GetSubmission().GetId())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("app.tar.gz.receipt.json", []byte(logged.GetReceiptJson()), 0o644); err != nil {
		log.Fatal(err)
	}
}

// Several replicas, each with a certificate for its own name. One that is down or not ready gets no calls.
func ExampleNew_replicas() {
	c, err := client.New(client.Config{
		Addresses: []string{"gateway-1.example.org:8081", "gateway-2.example.org:8081", "gateway-3.example.org:8081"},
		TLS:       &tls.Config{},
		Retries:   client.Retries{Patience: time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
}

// A refusal says why, and what to do about it.
func ExampleError() {
	c, stop := exampleClient(&pb.SubmitBatchResponse{})
	defer stop()
	_, err := c.Get(context.Background(), "0b6f6c80-6f1c-4c0e-9d43-0d7d6f1f5a01")
	var refusal *client.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Reason, refusal.Temporary)
		fmt.Println(refusal.Hint)
	}
	// Output:
	// NOT_FOUND false
	// why
}

// Many submissions go over one stream. The answers come in any order.
func ExampleClient_SubmitBatch() {
	c, stop := exampleClient(&pb.SubmitBatchResponse{Submission: &pb.Submission{Id: "id"}, Created: true})
	defer stop()
	releases := map[string][]byte{"1.0": []byte("signature of 1.0"), "1.1": []byte("signature of 1.1")}
	submissions := func(yield func(client.Submission) bool) {
		for version, signature := range releases {
			s := client.Submission{
				Header:   &pb.SubmissionHeader{Signature: signature, Keys: [][]byte{[]byte("key")}, Priority: "backfill"},
				Artifact: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(version))), nil },
			}
			if !yield(s) {
				return
			}
		}
	}
	accepted := 0
	for result, err := range c.SubmitBatch(context.Background(), submissions) {
		if err != nil {
			log.Fatal(err) // the gateway cannot be reached
		}
		if result.Err != nil {
			log.Print("submission ", result.Index, ": ", result.Err)
			continue
		}
		accepted++
	}
	fmt.Println(accepted, "accepted")
	// Output: 2 accepted
}

// Receipts of many submissions, such as those that a batch has accepted, in calls of MaxIDs.
func ExampleClient_GetAll() {
	c, stop := exampleClient(nil)
	defer stop()
	ids := []string{"1.0", "1.1", "none"}
	for some := range slices.Chunk(ids, client.MaxIDs) {
		err := c.GetAll(context.Background(), some, func(id string, s *pb.Submission, err error) {
			switch {
			case err != nil:
				fmt.Println(id, err) // this one was refused
			case s.GetState() == pb.Submission_LOGGED:
				fmt.Println(id, s.GetReceiptJson())
			default:
				fmt.Println(id, "is to be asked for again later")
			}
		})
		if err != nil {
			log.Fatal(err) // what was not given yet is asked for again
		}
	}
	// Output:
	// 1.0 receipt of 1.0
	// 1.1 is to be asked for again later
	// none NOT_FOUND: there is no such submission
}

// A submission is followed until it is logged.
func ExampleClient_Watch() {
	c, stop := exampleClient(nil)
	defer stop()
	for submission, err := range c.Watch(context.Background(), "id") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(submission.GetState())
	}
	// Output:
	// PENDING
	// LOGGED
}

// exampleClient returns a client of a gateway that answers every submission of a batch alike.
func exampleClient(answer *pb.SubmitBatchResponse) (*client.Client, func()) {
	r, err := startReplica(func(s *grpc.Server) {
		pb.RegisterGatewayServiceServer(s, &fake{
			get: func(context.Context, int64) (*pb.Submission, error) { return nil, errNotFound },
			batch: func(_ int64, stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
				return answerAlike(stream, answer)
			},
			getAll: func(_ []string, send func(*pb.GetSubmissionsResponse) error) error {
				return errors.Join(
					send(&pb.GetSubmissionsResponse{Submission: &pb.Submission{Id: "1.0", State: pb.Submission_LOGGED, ReceiptJson: proto.String("receipt of 1.0")}}),
					send(&pb.GetSubmissionsResponse{Index: 1, Submission: &pb.Submission{Id: "1.1", State: pb.Submission_PENDING}}),
					send(&pb.GetSubmissionsResponse{Index: 2, Problem: &pb.Problem{Reason: "NOT_FOUND", Message: "there is no such submission"}}))
			},
			watch: func(_ int64, send func(*pb.Submission) error) error {
				return errors.Join(send(&pb.Submission{State: pb.Submission_PENDING}), send(&pb.Submission{State: pb.Submission_LOGGED}))
			},
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{r.address}})
	if err != nil {
		log.Fatal(err)
	}
	return c, func() { _ = c.Close(); r.Stop() }
}
