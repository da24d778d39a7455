// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// FetchLimits bound a download.
type FetchLimits struct {
	MaxBytes int64
	MaxTime  time.Duration // for all of it
	MaxIdle  time.Duration // without a byte
	// OnlyToTLS lets redirects lead to https alone, also from http.
	OnlyToTLS bool
}

// maxRedirects bounds how often a download is sent elsewhere.
const maxRedirects = 10

// IsURL reports whether name is a URL, of whatever scheme, and no file.
func IsURL(name string) bool { return strings.Contains(name, "://") }

// ParseFetchURL reads a URL that Fetch takes: http or https, without a password.
func ParseFetchURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("%q is not a URL such as https://example.org/app.tar.gz", raw)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("files are fetched over https and http, not over %s", u.Scheme)
	case u.User != nil:
		return nil, errors.New("a URL with a password is not fetched: it would be in lists of processes and in build logs")
	}
	return u, nil
}

// FileName returns the name of the file that u is of, or "artifact".
func FileName(u *url.URL) string {
	if name := path.Base(u.Path); name != "." && name != "/" && name != ".." {
		return name
	}
	return "artifact"
}

// Fetch downloads u to w, byte for byte as the server has it, and returns how many bytes those are.
func Fetch(ctx context.Context, u *url.URL, w io.Writer, l FetchLimits) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.MaxTime, fmt.Errorf("it took longer than %v", l.MaxTime))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	idle := time.AfterFunc(l.MaxIdle, func() { stop(fmt.Errorf("nothing came for %v", l.MaxIdle)) })
	defer idle.Stop()
	n, err := fetchBody(ctx, u, w, l, func() { idle.Reset(l.MaxIdle) })
	if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return n, fmt.Errorf("fetching %s: %w", u, err)
	}
	return n, nil
}

func fetchBody(ctx context.Context, u *url.URL, w io.Writer, l FetchLimits, progress func()) (int64, error) {
	limit := l.MaxBytes
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // what is signed is the file as it is stored
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, CheckRedirect: l.checkRedirect}).Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which stands before it
		}
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	switch {
	case response.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("the server answered %s", response.Status)
	case response.ContentLength > limit:
		return 0, fmt.Errorf("it has %d bytes, more than %d", response.ContentLength, limit)
	}
	n, err := io.Copy(w, &progressReader{io.LimitReader(response.Body, limit+1), progress})
	if err == nil && n > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return n, err
}

// checkRedirect lets nobody lead to another scheme, or out of TLS.
func (l FetchLimits) checkRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("it was redirected %d times", maxRedirects)
	case to.URL.Scheme != "https" && (to.URL.Scheme != "http" || via[0].URL.Scheme == "https" || l.OnlyToTLS):
		return fmt.Errorf("it was redirected from %s to %s", via[0].URL.Scheme, to.URL.Scheme)
	}
	return nil
}

// progressReader tells of every read that gave something.
type progressReader struct {
	src  io.Reader
	told func()
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if n > 0 {
		p.told()
	}
	return n, err
}

// ArtifactLimits bound an artifact that is fetched.
var ArtifactLimits = FetchLimits{MaxBytes: 16 << 30, MaxTime: time.Hour, MaxIdle: time.Minute}
