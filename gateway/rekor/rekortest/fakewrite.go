// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor-tiles/v2/pkg/types/hashedrekord"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxBody is the largest entry that fits a bundle.
const maxBody = 65535

// allowed is the upstream server's default, pure Ed25519 with its panic included.
var allowed = []commonpb.PublicKeyDetails{
	commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256,
	commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256,
	commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256,
	commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
	commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
	commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512,
	commonpb.PublicKeyDetails_PKIX_ED25519,
	commonpb.PublicKeyDetails_PKIX_ED25519_PH,
}

// CreateEntry implements the upstream service.
func (f *Fake) CreateEntry(ctx context.Context, request *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	return f.addEntry(ctx, func() ([]byte, error) { return Canonicalize(request.GetHashedRekordRequestV002()) })
}

// AddBody logs a body as it is, within the same faults, for logs that are written to in other ways. Errors are gRPC's.
func (f *Fake) AddBody(ctx context.Context, body []byte) (*rekorpb.TransparencyLogEntry, error) {
	return f.addEntry(ctx, func() ([]byte, error) { return body, nil })
}

func (f *Fake) addEntry(ctx context.Context, encode func() ([]byte, error)) (*rekorpb.TransparencyLogEntry, error) {
	fault, frozen := f.takeFault()
	if frozen {
		_ = grpc.SetHeader(ctx, metadata.Pairs("x-http-code", "405"))
		return nil, status.Error(codes.Unimplemented, "log frozen")
	}
	body, err := encode()
	if err != nil {
		return nil, err
	}
	if fault != nil {
		return fault.runFault(ctx, f, body)
	}
	return f.logEntry(ctx, body)
}

func (f *Fake) takeFault() (fault *Fault, frozen bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if len(f.faults) > 0 && !f.frozen {
		fault, f.faults = &f.faults[0], f.faults[1:]
	}
	return fault, f.frozen
}

// Canonicalize checks a request with the upstream server's code and returns the entry that it
// would log, or the gRPC status that it would answer.
func Canonicalize(request *rekortilespb.HashedRekordRequestV002) (body []byte, err error) {
	defer func() {
		if recover() != nil {
			body, err = nil, status.Error(codes.Internal, "internal server error")
		}
	}()
	registry, err := signature.NewAlgorithmRegistryConfig(allowed)
	must(err)
	entry, err := hashedrekord.ToLogEntry(request, registry)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "invalid hashedrekord request")
	}
	raw, err := protojson.Marshal(entry)
	must(err)
	if body, err = jsoncanonicalizer.Transform(raw); err != nil {
		return nil, status.Error(codes.InvalidArgument, "invalid entry")
	}
	if len(body) > maxBody {
		return nil, status.Error(codes.Unknown, "failed to integrate entry")
	}
	return body, nil
}

// logEntry logs body and returns its inclusion once it is published, or says where it is already.
func (f *Fake) logEntry(ctx context.Context, body []byte) (*rekorpb.TransparencyLogEntry, error) {
	index, duplicate := f.sequenceEntry(body)
	if duplicate {
		_ = grpc.SetHeader(ctx, metadata.Pairs("x-log-index", strconv.FormatUint(index, 10)))
		return nil, status.Error(codes.AlreadyExists, "an equivalent entry already exists")
	}
	for {
		f.mu.Lock()
		size, published := f.size, f.published
		f.mu.Unlock()
		if size > index {
			return f.buildAnswer(index, size), nil
		}
		select {
		case <-published:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func (f *Fake) sequenceEntry(body []byte) (index uint64, duplicate bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index, ok := f.known[string(body)]; ok {
		return index, true
	}
	index = f.entries.appendBody(body)
	f.known[string(body)] = index
	if f.interval == 0 {
		f.publishEntries()
	}
	return index, false
}

// buildAnswer returns the log's answer for the entry at index.
func (f *Fake) buildAnswer(index, size uint64) *rekorpb.TransparencyLogEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.proveEntry(f.entries, index, size)
}

func (f *Fake) proveEntry(h *history, index, size uint64) *rekorpb.TransparencyLogEntry {
	root := h.computeRoot(size)
	return &rekorpb.TransparencyLogEntry{
		LogIndex:    int64(index),
		LogId:       &commonpb.LogId{KeyId: f.keyID},
		KindVersion: &rekorpb.KindVersion{Kind: "hashedrekord", Version: "0.0.2"},
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex: int64(index), TreeSize: int64(size), RootHash: root,
			Hashes:     h.proveInclusion(index, size),
			Checkpoint: &rekorpb.Checkpoint{Envelope: string(f.signRoot(size, root))},
		},
		CanonicalizedBody: h.bodies[index],
	}
}

// listener knows its connections, so that they can be cut.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func listenLoopback(t testing.TB) *listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &listener{Listener: l}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, conn)
		l.mu.Unlock()
	}
	return conn, err
}

func (l *listener) cutConnections() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

// StopWrites makes the log refuse connections for writing.
func (f *Fake) StopWrites() { f.server.Stop() }
