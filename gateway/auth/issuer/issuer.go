// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// Config says which issuer, and how it is asked. Those that are equal are one issuer.
type Config struct {
	URL     string // https, as tokens have it in iss
	KeysURL string // of its key set, https; "": where its discovery document says, which has to be at URL's host and port
	CA      string // PEM of the authorities that its certificate may be from; "": the system's
}

// pace bounds how often an issuer is asked, and how long anybody waits for that.
type pace struct {
	refresh time.Duration // between two fetches when all goes well
	retry   time.Duration // after a fetch that failed
	least   time.Duration // between two fetches, whatever tokens come
	keep    time.Duration // keys that could not be fetched again are good for as long
	wait    time.Duration // of a request for a fetch
}

// The bounds; docs/access.md has them.
var usual = pace{refresh: 15 * time.Minute, retry: time.Minute, least: 10 * time.Second, keep: 24 * time.Hour, wait: 2 * time.Second}

// maxWaiting bounds the requests that wait for one issuer's keys.
const maxWaiting = 64

// Refusals of Verify.
var (
	// ErrUnavailable: the issuer cannot say now whether a key is his.
	ErrUnavailable = errors.New("the issuer cannot be asked for its keys")
	// ErrBadToken: the token is not good, or not any more.
	ErrBadToken = errors.New("the token is not good")
)

// Issuer has an issuer's keys. It is safe for concurrent use.
type Issuer struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
	logger *slog.Logger
	panics *panics.Reporter
	pace   pace

	state   atomic.Pointer[state] // never nil; followKeys alone changes it
	wanted  chan struct{}         // has one when a request has met a key that is not known
	waiting chan struct{}         // has one for each request that waits

	stop    context.CancelFunc // set by Start
	stopped chan struct{}      // closed once followKeys has returned
}

// state is what the last fetch has left.
type state struct {
	keys     *KeySet // those that were fetched last; nil: none yet
	fetched  time.Time
	tried    time.Time
	err      error         // of the last fetch
	replaced chan struct{} // closed when there is a newer state
}

// Options are what issuers have in common.
type Options struct {
	Now    func() time.Time // the clock that tokens are judged by
	Logger *slog.Logger     // is told when keys cannot be fetched, and when they can again
	Panics *panics.Reporter // nil: nobody is told
}

// New returns an issuer without keys.
func New(cfg Config, o Options) (*Issuer, error) {
	client, err := newClient(cfg.CA)
	if err != nil {
		return nil, err
	}
	i := &Issuer{
		cfg: cfg, client: client, now: o.Now, logger: o.Logger, panics: o.Panics, pace: usual,
		wanted: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting),
	}
	i.state.Store(&state{replaced: make(chan struct{})})
	return i, nil
}

// CheckCA refuses what New would.
func CheckCA(ca string) error {
	_, err := newClient(ca)
	return err
}

func newClient(ca string) (*http.Client, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("there is no certificate in it")
		}
	}
	return &http.Client{
		Timeout: fetchTimeout,
		// A redirect is an answer like any other that is not 200: an error.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader,
		}},
	}, nil
}

// Start has the keys fetched, now and from time to time, until Close.
func (i *Issuer) Start() {
	ctx, stop := context.WithCancel(context.Background())
	i.stop, i.stopped = stop, make(chan struct{})
	go func() {
		defer close(i.stopped)
		i.followKeys(ctx)
	}()
}

// Close ends what Start began, and waits for it. The keys that are known stay so.
func (i *Issuer) Close() {
	if i.stop != nil {
		i.stop()
		<-i.stopped
	}
}

// followKeys is the only one that asks the issuer: whatever comes, there is one fetch at a time, and pace.least between two.
func (i *Issuer) followKeys(ctx context.Context) {
	for {
		err := i.refreshKeys(ctx)
		if !sleep(ctx, i.pace.least, nil) {
			return
		}
		rest := i.pace.refresh
		if err != nil {
			rest = i.pace.retry
		}
		if !sleep(ctx, rest-i.pace.least, i.wanted) {
			return
		}
	}
}

// sleep returns false when ctx has ended. It ends early when there is something in wake.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// refreshKeys fetches the keys, and keeps those that are known when that fails.
func (i *Issuer) refreshKeys(ctx context.Context) error {
	keys, err := i.fetchKeys(ctx)
	if ctx.Err() != nil {
		return err
	}
	former, at := i.state.Load(), i.now()
	next := &state{keys: keys, fetched: at, tried: at, err: err, replaced: make(chan struct{})}
	switch {
	case err != nil:
		next.keys, next.fetched = former.keys, former.fetched
	case former.keys.isSame(keys): // what was judged by it stays judged
		next.keys = former.keys
	}
	i.state.Store(next)
	close(former.replaced)
	i.tell(former, next)
	return err
}

// tell says when fetching begins to fail, or to work again.
func (i *Issuer) tell(former, now *state) {
	isFirst := former.tried.IsZero()
	switch {
	case now.err != nil && (former.err == nil || isFirst):
		i.logger.Warn("the keys of an issuer of callers' tokens cannot be fetched; those that are known stay good for a while", "issuer", i.cfg.URL,
			"known", now.keys.count(), "error", shorten(now.err.Error()))
	case now.err == nil && (former.err != nil || isFirst):
		i.logger.Info("the keys of an issuer of callers' tokens are known", "issuer", i.cfg.URL, "known", now.keys.count())
	}
}

// shorten bounds what an issuer's answer puts into the log.
func shorten(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// Trusts reports whether keys are those that are in use at the time now.
func (i *Issuer) Trusts(keys *KeySet, now time.Time) bool {
	s := i.state.Load()
	return s.keys == keys && i.isFresh(s, now)
}

// Fetched returns when the keys were fetched last; the zero time: never.
func (i *Issuer) Fetched() time.Time { return i.state.Load().fetched }

func (i *Issuer) isFresh(s *state, now time.Time) bool {
	return s.keys != nil && now.Before(s.fetched.Add(i.pace.keep))
}

// findKeys returns the keys that may have made t's signature, and their set. It waits for a fetch, for a short while, where
// they are not known and the issuer was not asked just now.
func (i *Issuer) findKeys(t *Token) ([]crypto.PublicKey, *KeySet, error) {
	s := i.state.Load()
	now := i.now()
	if i.isFresh(s, now) {
		if found := s.keys.find(t.keyID, t.algorithm); found != nil {
			return found, s.keys, nil
		}
	}
	if now.Sub(s.tried) >= i.pace.least {
		if !i.await(s) {
			return nil, nil, ErrUnavailable
		}
		s = i.state.Load()
	}
	switch {
	case !i.isFresh(s, now):
		return nil, nil, ErrUnavailable
	case s.keys.find(t.keyID, t.algorithm) != nil:
		return s.keys.find(t.keyID, t.algorithm), s.keys, nil
	case s.err != nil: // it may be a new one
		return nil, nil, ErrUnavailable
	}
	return nil, nil, ErrBadToken
}

// await returns false when there is no newer state than s in time.
func (i *Issuer) await(s *state) bool {
	select {
	case i.waiting <- struct{}{}:
		defer func() { <-i.waiting }()
	default:
		return false
	}
	select {
	case i.wanted <- struct{}{}:
	default: // somebody else has asked
	}
	timer := time.NewTimer(i.pace.wait)
	defer timer.Stop()
	select {
	case <-s.replaced:
		return true
	case <-timer.C:
		return false
	}
}
