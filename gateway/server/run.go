// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Run serves until ctx ends, or a listener fails, and then takes the gateway down: it reports
// not ready, takes no more calls, lets those under way finish for at most the configured
// drain time, drains the deliveries, and closes the store. It returns once all of that is done
// and no goroutine is left.
func (s *Server) Run(ctx context.Context) error {
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var work, serving sync.WaitGroup
	sharing, stopSharing := context.WithCancel(context.WithoutCancel(ctx))
	work.Go(func() {
		defer stopSharing() // what is under way to the logs is within this one's share
		s.domain.Run(working)
	})
	if s.replicas != nil {
		member := s.newMembership(s.replicas, s.version)
		work.Go(func() { member.keepUntil(sharing) })
	}
	work.Go(func() { s.audit.run(working, s.store) })
	s.audit.noteOperator(gateway.AuditStarted, "rekor-gateway "+s.version+"; own keys:"+signerNames(s.own), nil)
	work.Go(func() { s.sweepBlobs(working, s.store) })
	work.Go(func() { s.followReadiness(working) })
	work.Go(func() { s.followTrust(working) })
	if s.tuf != nil {
		work.Go(func() { s.tuf.Follow(working) })
	}
	if s.signals != nil {
		work.Go(func() { s.signals.Hear(working, s.domain.hear) })
	}

	serves := []func() error{s.serveHTTP, s.serveGRPC, s.serveAdmin}
	for i := range s.listeners.callers {
		serves = append(serves, s.listeners.callers[i].serve)
	}
	failed := make(chan error, len(serves))
	for _, serve := range serves {
		serving.Go(func() {
			if err := serve(); err != nil {
				failed <- err
			}
		})
	}
	a := s.Addresses()
	s.logger.Info("serving", "http", a.HTTP, "grpc", a.GRPC, "admin", a.Admin)
	s.tellListeners(a)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.logger.Info("stopping", "drain", s.drain)
	s.stopCalls()
	stopWorking()
	work.Wait()
	err = errors.Join(err, s.admin.Close())
	serving.Wait()
	err = errors.Join(err, s.closeStores())
	s.logger.Info("stopped")
	return err
}

func (s *Server) serveHTTP() error {
	return serveOn("HTTP", s.http, s.listeners.http)
}

func (l *callersListener) serve() error {
	return serveOn("HTTP to "+l.config.Caller, l.http, l.Listener)
}

// serveOn serves TLS where the server has a certificate.
func serveOn(what string, server *http.Server, l net.Listener) error {
	if server.TLSConfig != nil {
		return wrapServeError(what, server.ServeTLS(l, "", ""))
	}
	return wrapServeError(what, server.Serve(l))
}

// tellListeners says who whoever reaches a listener is.
func (s *Server) tellListeners(a Addresses) {
	for i := range s.listeners.callers {
		l := &s.listeners.callers[i]
		level, note := slog.LevelInfo, "whoever reaches this address is this caller"
		if l.config.IsPublic() {
			level, note = slog.LevelWarn, "whoever reaches this address, from other machines too, is this caller"
		}
		s.logger.Log(context.Background(), level, note, "address", a.Listeners[i], "caller", l.config.Caller)
	}
}

func (s *Server) serveAdmin() error {
	return wrapServeError("admin", s.admin.Serve(s.listeners.admin))
}

func (s *Server) serveGRPC() error {
	if err := s.grpc.Serve(s.listeners.grpc); err != nil {
		return fmt.Errorf("serving gRPC: %w", err)
	}
	return nil
}

func wrapServeError(what string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving %s: %w", what, err)
}

// listHTTP returns the servers of all public HTTP listeners.
func (s *Server) listHTTP() []*http.Server {
	servers := []*http.Server{s.http}
	for i := range s.listeners.callers {
		servers = append(servers, s.listeners.callers[i].http)
	}
	return servers
}

// stopCalls ends the public listeners. Calls that wait for the log may wait for the drain time;
// deliveries still run meanwhile.
func (s *Server) stopCalls() {
	s.stop()
	s.health.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	var stopping sync.WaitGroup
	for _, server := range s.listHTTP() {
		stopping.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				s.logger.Warn("HTTP requests were cut off", "after", s.drain)
				_ = server.Close()
			}
		})
	}
	stopping.Go(func() {
		stop := context.AfterFunc(ctx, func() {
			s.logger.Warn("gRPC calls were cut off", "after", s.drain)
			s.grpc.Stop()
		})
		s.grpc.GracefulStop()
		stop()
	})
	stopping.Wait()
}
