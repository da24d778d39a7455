// SPDX-License-Identifier: Apache-2.0

// Package redislimit is a ratelimit.Limiter that several gateways share, in Redis.
package redislimit

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// keyPrefix keeps the keys apart from others in the same database. The library puts "rate:" before it.
const keyPrefix = "rekor-gateway:"

// Bounds on what a Redis that does not work costs.
const (
	tripAfter = 3               // failures in a row, before it is not asked any more
	reopen    = 5 * time.Second // before one request asks it again
	dialTime  = 2 * time.Second // for a connection, which is made beside the request that wants it
)

// DefaultPatience is how long a request waits for Redis.
const DefaultPatience = 50 * time.Millisecond

// Options are how a Limiter works.
type Options struct {
	// Patience is how long one request waits for Redis at most; 0 is DefaultPatience.
	Patience time.Duration
	// Logger is told when Redis fails, and when it works again. It is required.
	Logger *slog.Logger
}

// Limiter counts in Redis, by the generic cell rate algorithm. It goes by the clock of Redis. While Redis does not answer, most
// requests fail at once: only a few wait for it.
type Limiter struct {
	client   *redis.Client
	limiter  *redis_rate.Limiter
	breaker  *gobreaker.CircuitBreaker[*redis_rate.Result]
	patience time.Duration
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// ErrBadURL is what New returns for a URL that names no Redis. It does not say the URL, which may have a password in it.
var ErrBadURL = errors.New("not redis://HOST:PORT/DATABASE, rediss://… or unix://PATH, with options that Redis has")

// New returns a limiter that counts in the Redis at url, which is not asked yet.
func New(url string, o Options) (*Limiter, error) {
	logging.Disable() // it would write to standard error by itself, what is in the errors
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, ErrBadURL
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // a request that failed may have been counted
	options.DialTimeout, options.DialerRetries = dialTime, 1
	options.PoolTimeout, options.ReadTimeout, options.WriteTimeout = o.Patience, o.Patience, o.Patience
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(options)
	return &Limiter{client: client, limiter: redis_rate.NewLimiter(client), breaker: newBreaker(o.Logger), patience: o.Patience}, nil
}

func newBreaker(logger *slog.Logger) *gobreaker.CircuitBreaker[*redis_rate.Result] {
	return gobreaker.NewCircuitBreaker[*redis_rate.Result](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     reopen,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				logger.Warn("the rate limit's Redis does not answer; see limits.redis.on_failure for what becomes of requests")
			case to == gobreaker.StateClosed:
				logger.Info("the rate limit's Redis answers again")
			}
		},
	})
}

// Take implements ratelimit.Limiter. It waits for Redis no longer than Options.Patience, and goes on when the request that
// asks ends: callers who hang up could make Redis look broken otherwise.
func (l *Limiter) Take(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Decision, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience)
	defer cancel()
	r, err := l.breaker.Execute(func() (*redis_rate.Result, error) {
		return l.limiter.Allow(ctx, keyPrefix+key, redis_rate.Limit{Rate: limit.PerMinute, Burst: limit.Burst, Period: time.Minute})
	})
	if err != nil {
		return ratelimit.Decision{}, err
	}
	d := ratelimit.Decision{Limit: limit, Allowed: r.Allowed > 0, Reset: max(0, r.ResetAfter)}
	if !d.Allowed {
		d.RetryAfter = max(1, r.RetryAfter)
		return d, nil
	}
	d.Remaining = countRemaining(d.Reset, limit)
	return d, nil
}

// rounding is by how much times are off: Redis counts the seconds since 2017 in floating point.
const rounding = time.Microsecond

// countRemaining is how many requests may follow at once where it takes reset until all could. The library's own count is
// one less at times, by rounding.
func countRemaining(reset time.Duration, limit ratelimit.Limit) int {
	used := math.Ceil((reset - rounding).Minutes() * float64(limit.PerMinute))
	return min(max(limit.Burst-int(used), 0), limit.Burst)
}

// Close ends the connections to Redis.
func (l *Limiter) Close() error { return l.client.Close() }
