// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"log"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// A submission over gRPC is a header, then the artifact in chunks, then one answer.
func Example_submit() {
	conn, err := grpc.NewClient("127.0.0.1:8081", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	stream, err := pb.NewGatewayServiceClient(conn).Submit(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(name)
		if err != nil {
			log.Fatal(err)
		}
		return b
	}
	header := &pb.SubmissionHeader{Signature: read("app.tar.gz.asc"), Keys: [][]byte{read("release.asc")}}
	parts := []*pb.SubmitRequest{
		{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: header}}},
		{Part: &pb.SubmitRequest_Chunk{Chunk: read("app.tar.gz")}}, // at most 1 MiB each
	}
	for _, p := range parts {
		if err := stream.Send(p); err != nil {
			break // the answer says why
		}
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		log.Fatal(err) // a status with ErrorInfo: a reason, and a hint in its metadata
	}
	log.Print(answer.GetSubmission().GetState(), answer.GetSubmission().GetId())
}
