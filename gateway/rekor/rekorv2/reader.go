// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// Limits on what is read, in bytes.
const (
	maxCheckpoint = 64 << 10
	maxTile       = layout.TileWidth * sha256.Size
	maxBundle     = layout.EntryBundleWidth * (2 + hashedrekord.MaxBody)
)

const (
	readTries     = 3
	firstReadWait = 100 * time.Millisecond
	maxRedirects  = 3
)

// errNotFound is a 404.
var errNotFound = errors.New("not found")

// reader gets unauthenticated checkpoints, tiles and bundles. Its errors are ErrUnavailable, or
// ErrBadAnswer for what is over its size limit.
type reader struct {
	base    *url.URL
	client  *http.Client
	timeout time.Duration
}

func newReader(cfg Config) (*reader, error) {
	base, err := parseURL(cfg.ReadURL)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 2 * scanWorkers
	transport.MaxResponseHeaderBytes = 64 << 10
	return &reader{
		base:    base,
		client:  &http.Client{Transport: transport, CheckRedirect: sameHost},
		timeout: cfg.ReadTimeout,
	}, nil
}

// sameHost keeps redirects on the configured host.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirect to another host refused")
	}
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

func (r *reader) close() { r.client.CloseIdleConnections() }

func (r *reader) checkpoint(ctx context.Context) ([]byte, error) {
	return r.get(ctx, layout.CheckpointPath, maxCheckpoint)
}

func (r *reader) tile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
	return r.partialOrFull(ctx, partial, maxTile, func(p uint8) string { return layout.TilePath(level, index, p) })
}

func (r *reader) bundle(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	return r.partialOrFull(ctx, partial, maxBundle, func(p uint8) string { return layout.EntriesPath(index, p) })
}

// partialOrFull reads the full resource where the partial one is gone: a log may remove partial
// ones once the full one is there.
func (r *reader) partialOrFull(ctx context.Context, partial uint8, limit int64, path func(uint8) string) ([]byte, error) {
	raw, err := r.get(ctx, path(partial), limit)
	if partial != 0 && errors.Is(err, errNotFound) {
		return r.get(ctx, path(0), limit)
	}
	return raw, err
}

// get reads a path below the base URL, trying again when that may help.
func (r *reader) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = firstReadWait
	raw, err := backoff.Retry(ctx, func() ([]byte, error) { return r.getOnce(ctx, path, limit) },
		backoff.WithBackOff(wait), backoff.WithMaxTries(readTries))
	switch {
	case err == nil:
		return raw, nil
	case errors.Is(err, gateway.ErrBadAnswer):
		return nil, fmt.Errorf("reading %s: %w", path, err)
	default:
		return nil, fmt.Errorf("%w: reading %s: %w", gateway.ErrUnavailable, path, err)
	}
}

func (r *reader) getOnce(ctx context.Context, path string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("User-Agent", userAgent)
	if path == layout.CheckpointPath {
		req.Header.Set("Cache-Control", "no-cache")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := readable(resp.StatusCode); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, backoff.Permanent(fmt.Errorf("%w: over %d bytes", gateway.ErrBadAnswer, limit))
	}
	return raw, nil
}

// readable returns nil for 200, and an error to try again with for what may pass.
func readable(status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return backoff.Permanent(errNotFound)
	case status == http.StatusTooManyRequests || status >= 500:
		return fmt.Errorf("status %d", status)
	default:
		return backoff.Permanent(fmt.Errorf("status %d", status))
	}
}
