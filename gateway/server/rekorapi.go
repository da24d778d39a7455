// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// newRekorV2 returns Rekor v2's own API, or nil where it is off.
func (s *Server) newRekorV2(cfg *config.Config) *rekorcompat.V2 {
	if cfg.RekorAPI.V2 == "" {
		return nil
	}
	return rekorcompat.NewV2(rekorcompat.V2Config{
		Service: s.service, Upload: s.uploadConfig(cfg), Panics: s.panics, Logger: s.logger,
		Await: func(ctx context.Context, stored gateway.Submission, wait time.Duration) (gateway.Submission, error) {
			return api.AwaitLog(ctx, s.service, stored, wait)
		},
		Log: func() rekorcompat.Log {
			if log := s.rekorLog.Load(); log != nil {
				return log
			}
			return nil
		},
	})
}

// useRekorLog has the log with this ID be the one of Rekor v2's own API; "" is none. The configuration names none of another kind.
func (s *Server) useRekorLog(id string) {
	log, _ := s.logs[id].(*rekorv2.Log)
	s.rekorLog.Store(log)
}
