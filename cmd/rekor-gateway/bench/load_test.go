// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const deadline = 5 * time.Minute // for one measurement

// inParallel calls f with 0 to n-1, at most so many at once.
func inParallel(n, atOnce int, f func(worker, i int) error) error {
	var next atomic.Int64
	var running sync.WaitGroup
	failed := make(chan error, atOnce)
	for worker := range atOnce {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(worker, i); err != nil {
					failed <- fmt.Errorf("call %d: %w", i, err)
					return
				}
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed
}

// logConnections is how many a gateway has to its log.
const logConnections = 4

// writeBare sends items straight to the log, so many at once, over as many connections as a gateway has.
func writeBare(log *rekortest.Server, items []item, inFlight int) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	clients := make([]rekortilespb.RekorClient, logConnections)
	for i := range clients {
		conn := must(grpc.NewClient(log.GRPCURL()[len("http://"):], grpc.WithTransportCredentials(insecure.NewCredentials())))
		defer conn.Close()
		clients[i] = rekortilespb.NewRekorClient(conn)
	}
	return inParallel(len(items), inFlight, func(worker, i int) error {
		_, err := clients[worker%len(clients)].CreateEntry(ctx, items[i].logRequest())
		return err
	})
}

// logRequest is what the log takes of an X.509 item.
func (i item) logRequest() *rekortilespb.CreateEntryRequest {
	return &rekortilespb.CreateEntryRequest{Spec: &rekortilespb.CreateEntryRequest_HashedRekordRequestV002{
		HashedRekordRequestV002: &rekortilespb.HashedRekordRequestV002{
			Digest: i.digest,
			Signature: &rekortilespb.Signature{Content: i.signature, Verifier: &rekortilespb.Verifier{
				KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
				Verifier:   &rekortilespb.Verifier_PublicKey{PublicKey: &rekortilespb.PublicKey{RawBytes: i.spki}},
			}},
		},
	}}
}

// submitWaiting sends items by Submit, so many at once, and waits for each one's receipt. It calls took, if given, with how long
// each took from its last byte on.
func submitWaiting(clients []pb.GatewayServiceClient, items []item, inFlight int, took func(i int, d time.Duration)) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return inParallel(len(items), inFlight, func(worker, i int) error {
		d, err := submitOne(ctx, clients[worker%len(clients)], items[i])
		for status.Code(err) == codes.Unavailable { // too much to do: that is to be sent again
			time.Sleep(500 * time.Millisecond)
			d, err = submitOne(ctx, clients[worker%len(clients)], items[i])
		}
		if err == nil && took != nil {
			took(i, d)
		}
		return err
	})
}

// submitOne sends one item and waits for its receipt. It returns how long that took from its last byte on.
func submitOne(ctx context.Context, client pb.GatewayServiceClient, i item) (time.Duration, error) {
	stream, err := client.Submit(ctx)
	if err != nil {
		return 0, err
	}
	start := &pb.SubmitStart{Header: i.header(), Wait: durationpb.New(time.Minute), OmitReceiptJson: true} // as whoever sends thousands a second
	if err := stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: start}}); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	sent := time.Now()
	answer, err := stream.CloseAndRecv()
	if err == nil && answer.GetSubmission().GetReceipt() == nil {
		err = fmt.Errorf("no receipt: %v", answer.GetSubmission().GetState())
	}
	return time.Since(sent), err
}

// batchStreams is how many SubmitBatch calls share the items: each verifies 64 at once.
const batchStreams = 8

// submitBatch sends items by SubmitBatch and waits until all are accepted. It returns their IDs.
func submitBatch(clients []pb.GatewayServiceClient, items []item) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	ids := make([]string, len(items))
	err := inParallel(batchStreams, batchStreams, func(worker, part int) error {
		stream, err := clients[worker%len(clients)].SubmitBatch(ctx)
		if err != nil {
			return err
		}
		received := make(chan error, 1)
		go func() { received <- receiveBatch(stream, ids) }()
		for i := part; i < len(items); i += batchStreams {
			if err := stream.Send(&pb.SubmitBatchRequest{Ref: fmt.Sprint(i), Header: items[i].header(), Artifact: items[i].artifact}); err != nil {
				return errors.Join(err, <-received)
			}
		}
		return errors.Join(stream.CloseSend(), <-received)
	})
	return ids, err
}

func receiveBatch(stream grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse], ids []string) error {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p := answer.GetProblem(); p != nil {
			return fmt.Errorf("%s: %s (%s)", p.GetReason(), p.GetMessage(), p.GetHint())
		}
		var i int
		if _, err := fmt.Sscan(answer.GetRef(), &i); err != nil {
			return err
		}
		ids[i] = answer.GetSubmission().GetId()
	}
}
