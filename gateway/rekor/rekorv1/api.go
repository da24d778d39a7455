// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
)

// Bounds on what a log may say, in bytes.
const (
	// answerSlack bounds an answer beside twice the body that was sent: a promise, a checkpoint and proof hashes.
	answerSlack = 32 << 10
	maxInfo     = 256 << 10 // the log's state, with a checkpoint for each of its trees
	maxProof    = 32 << 10  // a consistency proof
	maxRefusal  = 4 << 10   // what is read of an error; of its text fewer come into errors and log lines
	maxMessage  = 256
	maxHeader   = 64 << 10
)

// maxRetryAfter bounds what a log may ask for.
const maxRetryAfter = 10 * time.Minute

// What writes end with that are not answered, in metrics.
const (
	notSent  = "not_sent"
	noAnswer = "no_answer"
)

const (
	entriesPath = "api/v1/log/entries"
	infoPath    = "api/v1/log"
)

// newClient returns the client for a log. It follows no redirect: none is part of the API, and the log's host is the configured one.
func newClient(cfg Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 64
	transport.MaxResponseHeaderBytes = maxHeader
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// api is the log's HTTP API.
type api struct {
	base    *url.URL
	client  *http.Client
	timeout time.Duration // of a read
	answers logmetrics.Answers
	spare   *spare // all trees' of the log

	userAgent string // the User-Agent header of all requests
}

// errNotFound is a 404.
var errNotFound = errors.New("not found")

// errQuery is a 400 or 422: the log has nothing to say to what it was asked.
var errQuery = errors.New("not what the log can be asked")

// getJSON reads a resource into out. Errors are gateway.ErrUnavailable, and gateway.ErrBadAnswer for what is no JSON of that form, or over
// the limit in bytes.
func (a api) getJSON(ctx context.Context, path string, query url.Values, limit int, out any) error {
	return a.askJSON(ctx, http.MethodGet, path, query, nil, limit, out)
}

// askJSON is getJSON, with a question in the body. It changes nothing in the log.
func (a api) askJSON(ctx context.Context, method, path string, query url.Values, question []byte, limit int, out any) error {
	if err := a.spare.check(); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	target := a.base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(question))
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrUnavailable, err)
	}
	request.Header.Set("User-Agent", a.userAgent)
	request.Header.Set("Accept", "application/json")
	if question != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: reading %s: %w", gateway.ErrUnavailable, path, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	a.answers.CountRead(response.StatusCode)
	a.spare.note(response)
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("%w: reading %s: %w", gateway.ErrUnavailable, path, errNotFound)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: reading %s: %w", gateway.ErrUnavailable, path, errQuery)
	default:
		return fmt.Errorf("%w: reading %s: status %d", gateway.ErrUnavailable, path, response.StatusCode)
	}
	switch err := readJSON(response.Body, limit, out); {
	case errors.Is(err, gateway.ErrBadAnswer):
		return fmt.Errorf("reading %s: %w", path, err)
	case err != nil:
		return fmt.Errorf("%w: reading %s: %w", gateway.ErrUnavailable, path, err)
	}
	return nil
}

// readJSON reads an answer into out. What is no JSON of that form, or over the limit, is gateway.ErrBadAnswer.
func readJSON(body io.Reader, limit int, out any) error {
	raw, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(raw) > limit {
		return fmt.Errorf("%w: over %d bytes", gateway.ErrBadAnswer, limit)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	return nil
}

// guardedBody is a request's body. Whether it may be sent is asked when the connection begins to read it, and again where it is sent on
// another connection; then it has left this process.
type guardedBody struct {
	ctx context.Context
	io.Reader
	begun bool
	sent  *atomic.Bool
}

// Read implements io.Reader.
func (b *guardedBody) Read(p []byte) (int, error) {
	if !b.begun {
		if err := gateway.CheckSend(b.ctx); err != nil {
			return 0, err
		}
		b.begun = true
		b.sent.Store(true)
	}
	return b.Reader.Read(p)
}

// Close implements io.Closer.
func (b *guardedBody) Close() error { return nil }

// postEntry sends a request for an entry, and calls f with the log's answer. The error is ErrNotSent where nothing has left this process.
func (a api) postEntry(ctx context.Context, want entryRequest, f func(*http.Response) error) error {
	sent := new(atomic.Bool)
	newBody := func() (io.ReadCloser, error) {
		return &guardedBody{ctx: ctx, Reader: want.open(ctx), sent: sent}, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath(entriesPath).String(), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	request.Body, _ = newBody()
	request.GetBody, request.ContentLength = newBody, want.size
	request.Header.Set("User-Agent", a.userAgent)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := a.client.Do(request)
	switch {
	case err != nil && !sent.Load():
		a.answers.CountWrite(notSent)
		return fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	case err != nil:
		a.answers.CountWrite(noAnswer)
		return fmt.Errorf("outcome unknown: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	a.answers.CountWrite(strconv.Itoa(response.StatusCode))
	return f(response)
}

// refusal is how the log says an error.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// mapStatus maps an answer without an entry to the errors of gateway.Log's Add. Only one that certainly means "not logged" gets a named
// error; the rest is an unknown outcome. A 400 or 422 that is not the log's own, a proxy's, says nothing of the entry, which waits. A
// 413 is about an entry that was sent whole, with its artifact, whoever says it; others are so small that they wait until that is mended.
func mapStatus(response *http.Response, whole bool) error {
	var said refusal
	raw, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // what is cut off is no JSON
	own := json.Unmarshal(raw, &said) == nil && said.Code == response.StatusCode
	err := fmt.Errorf("status %d: %.*q", response.StatusCode, maxMessage, said.Message)
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if own {
			return fmt.Errorf("%w: %w", gateway.ErrRefused, err)
		}
		return fmt.Errorf("%w: %w: %w", gateway.ErrNotSent, gateway.ErrUnavailable, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", gateway.ErrForbidden, err)
	case http.StatusTooManyRequests:
		return &gateway.OverloadError{RetryAfter: retryAfter(response.Header)}
	case http.StatusServiceUnavailable:
		if response.Header.Get("Retry-After") != "" { // perhaps by a proxy, which had sent it on
			return fmt.Errorf("outcome unknown: %w: %w", err, &gateway.OverloadError{RetryAfter: retryAfter(response.Header), InDoubt: true})
		}
	case http.StatusRequestEntityTooLarge:
		if whole {
			return fmt.Errorf("%w: the log, or what stands before it, takes less than inline_max: %w", gateway.ErrTooLarge, err)
		}
		return fmt.Errorf("%w: %w: %w", gateway.ErrNotSent, gateway.ErrUnavailable, err)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: %w: %w", gateway.ErrNotSent, gateway.ErrUnavailable, err)
	}
	return fmt.Errorf("outcome unknown: %w", err)
}

// retryAfter returns how long the log asks to wait: seconds, or until a date.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	var wait time.Duration
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}
