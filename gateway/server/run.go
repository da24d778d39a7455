// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
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
	work.Go(func() { s.followReadiness(working) })
	work.Go(func() { s.followTrust(working) })
	if s.signals != nil {
		work.Go(func() { s.signals.Hear(working, s.domain.hear) })
	}

	failed := make(chan error, 3)
	for _, serve := range []func() error{s.serveHTTP, s.serveGRPC, s.serveAdmin} {
		serving.Go(func() {
			if err := serve(); err != nil {
				failed <- err
			}
		})
	}
	a := s.Addresses()
	s.logger.Info("serving", "http", a.HTTP, "grpc", a.GRPC, "admin", a.Admin)

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
	var err error
	if s.listeners.httpSecure {
		err = s.http.ServeTLS(s.listeners.http, "", "")
	} else {
		err = s.http.Serve(s.listeners.http)
	}
	return wrapServeError("HTTP", err)
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

// stopCalls ends both public listeners. Calls that wait for the log may wait for the drain time;
// deliveries still run meanwhile.
func (s *Server) stopCalls() {
	s.stopping.Store(true)
	s.health.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if err := s.http.Shutdown(ctx); err != nil {
			s.logger.Warn("HTTP requests were cut off", "after", s.drain)
			_ = s.http.Close()
		}
	})
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
