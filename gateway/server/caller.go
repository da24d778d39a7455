// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// defaultCaller is the caller of every request where there is no access control.
var defaultCaller = gateway.Caller{Tenant: gateway.DefaultTenant, May: gateway.AllRights}

// newTable returns the callers of a configuration.
func newTable(cfg *config.Config) (*auth.Table, error) {
	members := make([]auth.Member, 0, len(cfg.Callers))
	for _, c := range cfg.Callers {
		m := auth.Member{Names: c.ClientCert.SAN, Caller: gateway.Caller{Name: c.Name, Tenant: c.Tenant, May: c.Rights(), Priority: c.HighestPriority()}, Anonymous: c.Anonymous}
		var err error
		if m.Tokens, err = convertTokens(c.TokenSHA256); err == nil {
			m.PathTokens, err = convertTokens(c.PathTokenSHA256)
		}
		if err != nil {
			return nil, fmt.Errorf("callers: %s: %w", c.Name, err)
		}
		for _, l := range cfg.Listeners {
			if l.Caller == c.Name {
				m.Listeners = append(m.Listeners, l.Listen)
			}
		}
		if m.Rule, err = loadRule(c.OIDC); err != nil {
			return nil, fmt.Errorf("callers: %s: %w", c.Name, err)
		}
		members = append(members, m)
	}
	table, err := auth.NewTable(members)
	if err != nil {
		return nil, fmt.Errorf("callers: %w", err)
	}
	return table, nil
}

func convertTokens(texts []string) ([]auth.Token, error) {
	tokens := make([]auth.Token, 0, len(texts))
	for i, text := range texts {
		t, err := config.ParseToken(text)
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i, err)
		}
		tokens = append(tokens, auth.Token{Hash: t.SHA256, Until: t.Until})
	}
	return tokens, nil
}

// identifyRecorded is identifyAt, with the refusals recorded.
func (s *Server) identifyRecorded(listener string) func(*http.Request) (middleware.Identity, error) {
	identify := s.identifyAt(listener)
	return func(r *http.Request) (middleware.Identity, error) {
		who, err := identify(r)
		s.audit.noteDenied(r.Context(), err)
		return who, err
	}
}

// identifyAt returns what says who sends an HTTP request, or returns the refusal. It reads nothing of the body. listener is the address of
// the one at which everybody is the same caller, or "".
func (s *Server) identifyAt(listener string) func(*http.Request) (middleware.Identity, error) {
	return func(r *http.Request) (who middleware.Identity, err error) {
		inPath := auth.PathTokenFrom(r.Context())
		if s.callers.IsOpen() && inPath == nil && listener == "" {
			return middleware.Identity{Caller: callerNamed(r.Header.Get)}, nil
		}
		if err := auth.CheckQuery(r.URL.RawQuery); err != nil {
			return who, err
		}
		if inPath == nil && api.IsOpenPath(r.URL.Path) {
			return who, nil
		}
		who.Caller, who.Lifetime, err = s.callers.IdentifyFor(auth.Credentials{
			Authorization: r.Header["Authorization"], Certificate: leafOf(r.TLS), Path: inPath, Listener: listener,
		})
		return who, err
	}
}

// identifyCall says who makes a gRPC call, and for how long he may go on, or returns the refusal. It reads no message.
func (s *Server) identifyCall(ctx context.Context, method string) (_ gateway.Caller, lifetime context.Context, err error) {
	if s.callers.IsOpen() {
		named := callerNamed(func(name string) string { return firstOf(metadata.ValueFromIncomingContext(ctx, name)) })
		return named, context.Background(), nil
	}
	right, known := api.CallRight(method)
	if known && right == gateway.NoRight {
		return gateway.Caller{}, context.Background(), nil
	}
	caller, lifetime, err := s.callers.IdentifyFor(auth.Credentials{
		Authorization: metadata.ValueFromIncomingContext(ctx, "authorization"), Certificate: leafOf(connectionOf(ctx)),
	})
	if err != nil {
		return caller, nil, err
	}
	if !known {
		right = gateway.AllRights
	}
	return caller, lifetime, auth.CheckRight(gateway.WithCaller(ctx, caller), right)
}

func (s *Server) identifyStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	caller, lifetime, err := s.identifyCall(stream.Context(), info.FullMethod)
	gateway.NoteFrom(stream.Context()).NoteCaller(caller)
	ctx := gateway.WithCaller(stream.Context(), caller)
	if err != nil {
		return s.refuseCaller(contextStream{stream, ctx}, err)
	}
	if !lasts(info.FullMethod) {
		return handle(service, contextStream{stream, gateway.WithLifetime(ctx, lifetime)})
	}
	return handleWithin(lifetime, ctx, func(ctx context.Context) error { return handle(service, contextStream{stream, ctx}) })
}

// refuseCaller refuses a call that gets nowhere near limitStream, and counts it: for its address where nobody is known. Where that has had
// more than the limit, it is told that instead.
func (s *Server) refuseCaller(stream contextStream, err error) error {
	s.audit.noteDenied(stream.ctx, err)
	note := new(rateNote)
	if limited := s.countRequest(context.WithValue(stream.ctx, rateNoteKey{}, note)); limited != nil {
		err = limited
	}
	stream.SetTrailer(note.listRateFields())
	return problem.FromError(err).GRPCError()
}

// leafOf returns the client's certificate, where one was verified.
func leafOf(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

// connectionOf returns the TLS of a call's connection, or nil.
func connectionOf(ctx context.Context) *tls.ConnectionState {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	return &info.State
}

// lasts tells calls that may go on for long from those that have one answer.
func lasts(method string) bool {
	return method == pb.GatewayService_WatchSubmission_FullMethodName || method == pb.GatewayService_SubmitBatch_FullMethodName
}

// handleWithin ends what handle does when lifetime ends, and refuses then. It is not for every call: all of a caller's share
// the lock in lifetime.
func handleWithin(lifetime, ctx context.Context, handle func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(lifetime, func() { cancel(auth.ErrTakenBack) })()
	err := handle(ctx)
	if err != nil && context.Cause(ctx) == auth.ErrTakenBack { //nolint:errorlint // it is set as it is
		return problem.FromError(auth.ErrTakenBack).GRPCError()
	}
	return err
}

// contextStream is a stream with a context that knows more.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s contextStream) Context() context.Context { return s.ctx }
