// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// newRekorV2 returns Rekor v2's own API, or nil where it is off.
func (s *Server) newRekorV2(cfg *config.Config) *rekorcompat.V2 {
	if cfg.RekorAPI.V2 == "" {
		return nil
	}
	return rekorcompat.NewV2(rekorcompat.V2Config{
		Service: s.service, Upload: s.uploadConfig(cfg), Panics: s.panics, Logger: s.logger,
		Await: func(ctx context.Context, sub *gateway.Submission, wait time.Duration) error {
			return api.AwaitLog(ctx, s.service, sub, wait)
		},
		Log: func() rekorcompat.Log {
			if log := s.rekorLog.Load(); log != nil {
				return log
			}
			return nil
		},
	})
}

// newRekorV1 returns Rekor v1's own API, or nil where it is off.
func (s *Server) newRekorV1(cfg *config.Config) *rekorcompat.V1 {
	if cfg.RekorAPI.V1 == "" {
		return nil
	}
	reads := newReadLimiter(cfg.RekorAPI.ReadRate)
	return rekorcompat.NewV1(rekorcompat.V1Config{
		Service: s.service, Upload: s.uploadConfig(cfg), Logger: s.logger,
		Await: func(ctx context.Context, sub *gateway.Submission, wait time.Duration) error {
			return api.AwaitLog(ctx, s.service, sub, wait)
		},
		Log: func() rekorcompat.V1Log {
			if s.facade != nil {
				return s.facade.Facade
			}
			if log := s.rekorV1Log.Load(); log != nil {
				return rekorcompat.NewV1Upstream(log, reads, s.service.Receipt)
			}
			return nil
		},
	})
}

// readBurst is how many seconds' reads may be at once, or what one request may ask for.
const readBurst = 5

// newReadLimiter returns what bounds the reads a second of a log of Rekor v1 for its clients; 0 is no bound.
func newReadLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(rekorcompat.MaxQueries, int(readBurst*perSecond)))
}

// useRekorLogs has the logs with these IDs be those of Rekor's own APIs; "" is none. The configuration names none of another kind.
func (s *Server) useRekorLogs(c config.RekorAPI) {
	log, _ := s.logs[c.V2].(*rekorv2.Log)
	s.rekorLog.Store(log)
	v1, _ := s.logs[c.V1].(*rekorv1.Log)
	s.rekorV1Log.Store(v1)
}
