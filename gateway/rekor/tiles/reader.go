// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/crypto/cryptobyte"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Limits on what is read, in bytes.
const (
	maxCheckpoint = 64 << 10
	maxTile       = layout.TileWidth * sha256.Size
	// maxEntry is what the two bytes of length in front of an entry can say.
	maxEntry         = 1<<16 - 1
	defaultMaxBundle = layout.EntryBundleWidth * (2 + maxEntry)
)

const (
	defaultReadTimeout = 10 * time.Second
	readTries          = 3
	firstReadWait      = 100 * time.Millisecond
	maxRedirects       = 3
)

// ErrNotFound: the host has no such tile, bundle or checkpoint. It is matched with errors.Is.
var ErrNotFound = errors.New("not found")

// ReaderConfig says where a log's tiles are read, and within which bounds.
type ReaderConfig struct {
	// URL is what /checkpoint and /tile/ are below: http or https, without user, query or
	// fragment.
	URL string
	// RootCAs are trusted for https; nil means the system's.
	RootCAs *x509.CertPool
	// UserAgent is the User-Agent header of all requests.
	UserAgent string
	// Timeout bounds one request. Zero is 10 seconds.
	Timeout time.Duration
	// MaxBundle bounds an entry bundle, in bytes. Zero is the most that the format can hold,
	// 16 MiB: 256 entries of 65,535 bytes, each with its length.
	MaxBundle int64
	// Answered, when set, is called with the HTTP status of each answer, redirects aside. It must not block.
	Answered func(status int)
}

// Reader gets checkpoints, tiles and entry bundles, none of them authenticated, by the paths of
// C2SP tlog-tiles. Its errors are gateway.ErrUnavailable, or gateway.ErrBadAnswer for what is
// over its size limit; what is not there is ErrNotFound, too. It is safe for concurrent use.
type Reader struct {
	base   *url.URL
	client *http.Client
	cfg    ReaderConfig
}

// NewReader returns a reader; it does not connect yet.
func NewReader(cfg ReaderConfig) (*Reader, error) {
	base, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 || cfg.MaxBundle < 0 {
		return nil, errors.New("timeout and size limit of a tile reader must not be negative")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultReadTimeout
	}
	if cfg.MaxBundle == 0 {
		cfg.MaxBundle = defaultMaxBundle
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 2 * scanWorkers
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Reader{
		base:   base,
		client: &http.Client{Transport: transport, CheckRedirect: keepHost},
		cfg:    cfg,
	}, nil
}

// ParseURL reads an http or https URL without user, query or fragment.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not a plain http or https URL", u.Redacted())
	}
	return u, nil
}

// keepHost keeps redirects on the configured host.
func keepHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirect to another host refused")
	}
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// Close ends idle connections.
func (r *Reader) Close() { r.client.CloseIdleConnections() }

// Checkpoint returns the signed note that the host serves now, of at most 64 KiB.
func (r *Reader) Checkpoint(ctx context.Context) ([]byte, error) {
	return r.getResource(ctx, layout.CheckpointPath, maxCheckpoint)
}

// Tile returns a tile's hashes, 32 bytes each. Partial is how many are wanted, 0 for all 256; a
// full tile is returned where the partial one is gone.
func (r *Reader) Tile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
	return r.getPartialOrFull(ctx, partial, maxTile, func(p uint8) string { return layout.TilePath(level, index, p) })
}

// Bundle returns an entry bundle: entries, each after its length in two bytes. Partial is as
// Tile's.
func (r *Reader) Bundle(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	return r.getPartialOrFull(ctx, partial, r.cfg.MaxBundle, func(p uint8) string { return layout.EntriesPath(index, p) })
}

// PublishedTile returns a tile as the host has it: Tile without looking for the full one. What is not of its width is gateway.ErrBadAnswer.
func (r *Reader) PublishedTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
	path := layout.TilePath(level, index, partial)
	raw, err := r.getResource(ctx, path, maxTile)
	if err == nil && len(raw) != tileWidth(partial)*sha256.Size {
		return nil, fmt.Errorf("%w: reading %s: it is not %d hashes", gateway.ErrBadAnswer, path, tileWidth(partial))
	}
	return raw, err
}

// PublishedBundle is PublishedTile for an entry bundle.
func (r *Reader) PublishedBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	path := layout.EntriesPath(index, partial)
	raw, err := r.getResource(ctx, path, r.cfg.MaxBundle)
	if err == nil && !hasEntries(raw, tileWidth(partial)) {
		return nil, fmt.Errorf("%w: reading %s: it is not %d entries", gateway.ErrBadAnswer, path, tileWidth(partial))
	}
	return raw, err
}

// hasEntries reports whether an entry bundle has so many entries, and nothing else.
func hasEntries(raw []byte, want int) bool {
	rest := cryptobyte.String(raw)
	for range want {
		var entry cryptobyte.String
		if !rest.ReadUint16LengthPrefixed(&entry) {
			return false
		}
	}
	return rest.Empty()
}

// getPartialOrFull reads the full resource where the partial one is gone: a log may remove
// partial ones once the full one is there.
func (r *Reader) getPartialOrFull(ctx context.Context, partial uint8, limit int64, path func(uint8) string) ([]byte, error) {
	raw, err := r.getResource(ctx, path(partial), limit)
	if partial != 0 && errors.Is(err, ErrNotFound) {
		return r.getResource(ctx, path(0), limit)
	}
	return raw, err
}

// getResource reads a path below the base URL, trying again when that may help.
func (r *Reader) getResource(ctx context.Context, path string, limit int64) ([]byte, error) {
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

func (r *Reader) getOnce(ctx context.Context, path string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("User-Agent", r.cfg.UserAgent)
	if path == layout.CheckpointPath {
		req.Header.Set("Cache-Control", "no-cache")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if r.cfg.Answered != nil {
		r.cfg.Answered(resp.StatusCode)
	}
	if err := checkStatus(resp.StatusCode); err != nil {
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

// checkStatus returns nil for 200, and an error to try again with for what may pass.
func checkStatus(status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return backoff.Permanent(ErrNotFound)
	case status == http.StatusTooManyRequests || status >= 500:
		return fmt.Errorf("status %d", status)
	default:
		return backoff.Permanent(fmt.Errorf("status %d", status))
	}
}
