// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// quick asks again at once when a token needs it, and not otherwise.
var quick = pace{refresh: time.Hour, retry: time.Hour, least: 0, keep: 24 * time.Hour, wait: 20 * time.Second}

func start(t *testing.T, i *Issuer) *Issuer {
	t.Helper()
	first := i.state.Load()
	i.Start()
	t.Cleanup(i.Close)
	<-first.replaced
	return i
}

func configOf(remote *issuertest.Issuer) Config { return Config{URL: remote.URL, CA: remote.CA()} }

// TestRotation: a new key is known as soon as a token has it, and one that is withdrawn is good no longer.
func TestRotation(t *testing.T) {
	remote := issuertest.Start(t)
	i := start(t, newIssuer(t, configOf(remote), quick))
	first := remote.Token(us, nil)
	token, err := Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := i.Verify(token)
	if err != nil || !i.Trusts(keys, time.Now()) {
		t.Fatal(err)
	}
	remote.Rotate(1)
	if err := errors.Join(verify(i, remote.Token(us, nil)), verify(i, first)); err != nil {
		t.Errorf("both keys are published: %v", err)
	}
	if i.Trusts(keys, time.Now()) {
		t.Error("what was judged by the keys of before stays judged")
	}
	remote.Rotate(0)
	if err := verify(i, remote.Token(us, nil)); err != nil {
		t.Error(err)
	}
	if err := verify(i, first); !errors.Is(err, ErrBadToken) {
		t.Errorf("a key that is withdrawn: %v", err)
	}
}

// TestSameKeys: a fetch that brings nothing new leaves what was judged.
func TestSameKeys(t *testing.T) {
	remote := issuertest.Start(t)
	i := newIssuer(t, configOf(remote), usual)
	if err := i.refreshKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := i.state.Load().keys
	if err := i.refreshKeys(t.Context()); err != nil || !i.Trusts(keys, time.Now()) {
		t.Errorf("%v", err)
	}
}

// TestFlood: however many tokens with unknown keys come, the issuer is asked once in a while, and tokens by known keys are not held up.
func TestFlood(t *testing.T) {
	remote := issuertest.Start(t)
	p := usual
	p.wait = 20 * time.Second
	i := start(t, newIssuer(t, configOf(remote), p))
	own := remote.Key()
	payload, err := json.Marshal(remote.Claims(us, nil))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for k := range 50 {
				unknown := issuertest.Sign(t, jose.ES256, jose.JSONWebKey{Key: own.Key, KeyID: fmt.Sprint("unknown-", n, k)}, string(payload), nil)
				if err := verify(i, unknown); !errors.Is(err, ErrBadToken) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	all.Wait()
	if err := verify(i, remote.Token(us, nil)); err != nil {
		t.Error(err)
	}
	if n := remote.Asked(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// TestBadTokensAskNobody: what is bad for another reason is refused before its key is looked for.
func TestBadTokensAskNobody(t *testing.T) {
	remote := issuertest.Start(t)
	i := start(t, newIssuer(t, configOf(remote), quick))
	remote.Rotate(0) // every key is new
	for _, more := range []map[string]any{{"exp": 1}, {"nbf": 9999999999}, {"aud": "else"}, {"iss": "else"}} {
		if err := verify(i, remote.Token(us, more)); !errors.Is(err, ErrBadToken) {
			t.Errorf("%v: %v", more, err)
		}
	}
	if n := remote.Asked(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// TestIssuerDown: known keys stay good for a day, others are not judged, and nothing is let through.
func TestIssuerDown(t *testing.T) {
	remote := issuertest.Start(t)
	var ahead atomic.Int64
	i := newIssuer(t, configOf(remote), quick)
	i.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	start(t, i)
	known := remote.Token(us, map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()})
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	remote.Rotate(1)
	for range 3 {
		if err := verify(i, remote.Token(us, nil)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a new key: %v", err)
		}
		if err := verify(i, known); err != nil {
			t.Errorf("a known key: %v", err)
		}
	}
	keys := i.state.Load().keys
	ahead.Store(int64(quick.keep - time.Minute))
	if err := verify(i, known); err != nil || !i.Trusts(keys, i.now()) {
		t.Errorf("within a day: %v", err)
	}
	ahead.Store(int64(quick.keep + time.Minute))
	if err := verify(i, known); !errors.Is(err, ErrUnavailable) || i.Trusts(keys, i.now()) {
		t.Errorf("after a day: %v", err)
	}
	remote.Answer(nil)
	if err := verify(i, known); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
}

// TestIssuerDownAtStart: it is told, and mended by itself.
func TestIssuerDownAtStart(t *testing.T) {
	remote := issuertest.Start(t)
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("down ", 1000), http.StatusBadGateway)
	})
	var log bytes.Buffer
	i := newIssuer(t, configOf(remote), quick)
	i.logger = slog.New(slog.NewTextHandler(&log, nil))
	start(t, i)
	if err := verify(i, remote.Token(us, nil)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	remote.Answer(nil)
	if err := verify(i, remote.Token(us, nil)); err != nil {
		t.Error(err)
	}
	i.Close()
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 || len(text) > 1200 {
		t.Errorf("log:\n%s", text)
	}
}

// TestIssuerHangs: only tokens by unknown keys wait, for a while, and so many of them.
func TestIssuerHangs(t *testing.T) {
	remote := issuertest.Start(t)
	p := quick
	p.wait = 50 * time.Millisecond
	i := start(t, newIssuer(t, configOf(remote), p))
	known := remote.Token(us, nil)
	remote.Rotate(1)
	remote.Answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	fresh := remote.Token(us, nil)
	var all sync.WaitGroup
	for range 2 * maxWaiting {
		all.Go(func() {
			if err := verify(i, fresh); !errors.Is(err, ErrUnavailable) {
				t.Errorf("a new key: %v", err)
			}
			if err := verify(i, known); err != nil {
				t.Errorf("a known key: %v", err)
			}
		})
	}
	all.Wait()
	for range maxWaiting {
		i.waiting <- struct{}{}
	}
	i.pace.wait = time.Hour
	if err := verify(i, fresh); !errors.Is(err, ErrUnavailable) {
		t.Errorf("when all wait: %v", err)
	}
}

// TestBadAnswers: none of them is taken for keys, nor asks anybody else.
func TestBadAnswers(t *testing.T) {
	remote, elsewhere := issuertest.Start(t), issuertest.Start(t)
	discovery := func(issuer, keys string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, keys) }
	signing := remote.Key()
	own := signing.Public()
	good, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{own}})
	if err != nil {
		t.Fatal(err)
	}
	many := jose.JSONWebKeySet{}
	for range maxKeys + 1 {
		many.Keys = append(many.Keys, own)
	}
	tooMany, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	at := remote.URL + issuertest.KeysPath
	for name, c := range map[string]struct{ discovery, keys string }{
		"keys elsewhere":         {discovery(remote.URL, elsewhere.URL+issuertest.KeysPath), string(good)},
		"keys without TLS":       {discovery(remote.URL, strings.Replace(at, "https", "http", 1)), string(good)},
		"keys with a user":       {discovery(remote.URL, strings.Replace(at, "https://", "https://u@", 1)), string(good)},
		"keys in a file":         {discovery(remote.URL, "file:///etc/passwd"), string(good)},
		"no keys' URL":           {discovery(remote.URL, ""), string(good)},
		"another issuer":         {discovery(remote.URL+"/", at), string(good)},
		"no JSON":                {"<html>", string(good)},
		"endless discovery":      {discovery(remote.URL, at) + strings.Repeat(" ", maxAnswer), string(good)},
		"endless keys":           {discovery(remote.URL, at), string(good) + strings.Repeat(" ", maxAnswer)},
		"no key":                 {discovery(remote.URL, at), `{"keys":[]}`},
		"no set":                 {discovery(remote.URL, at), `[]`},
		"too many keys":          {discovery(remote.URL, at), string(tooMany)},
		"keys of an unknown way": {discovery(remote.URL, at), `{"keys":[{"kty":"new","kid":"a"},{"kty":"EC","kid":"b"},7]}`},
	} {
		remote.Answer(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, map[string]string{issuertest.DiscoveryPath: c.discovery, issuertest.KeysPath: c.keys}[r.URL.Path])
		})
		i := newIssuer(t, configOf(remote), usual)
		if err := i.refreshKeys(t.Context()); err == nil || i.state.Load().keys != nil {
			t.Errorf("%s passes", name)
		}
	}
	for _, path := range []string{issuertest.DiscoveryPath, issuertest.KeysPath} {
		remote.Answer(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				http.Redirect(w, r, elsewhere.URL+path, http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, discovery(remote.URL, at))
		})
		if err := newIssuer(t, configOf(remote), usual).refreshKeys(t.Context()); err == nil {
			t.Errorf("%s is followed elsewhere", path)
		}
	}
	if n := elsewhere.Asked(); n != 0 {
		t.Errorf("somebody else was asked %d times", n)
	}
}

// panicking is a fault of ours.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("fault") }

// TestPanic: a fault within a fetch is a fetch that failed.
func TestPanic(t *testing.T) {
	remote := issuertest.Start(t)
	i := newIssuer(t, configOf(remote), quick)
	own := i.client.Transport
	i.client.Transport = panicking{}
	start(t, i)
	if s := i.state.Load(); !errors.Is(s.err, panics.Err) {
		t.Errorf("%v", s.err)
	}
	i.Close()
	i.client.Transport = own
	if err := i.refreshKeys(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAuthorities: the issuer has to have a certificate of those that are named, or of the system's where none are.
func TestAuthorities(t *testing.T) {
	remote := issuertest.Start(t)
	if err := newIssuer(t, Config{URL: remote.URL}, usual).refreshKeys(t.Context()); err == nil {
		t.Error("an unknown authority passes")
	}
	if err := CheckCA("no certificate"); err == nil {
		t.Error("a file without certificates passes")
	}
}

// FuzzParse: no text makes it panic, and what it takes says who it is from, for whom, and until when.
func FuzzParse(f *testing.F) {
	remote := issuertest.Start(f)
	f.Add(remote.Token(us, map[string]any{"kubernetes.io": map[string]any{"namespace": "a"}}))
	f.Add("..")
	f.Add(encode(`{"alg":"none"}`) + "." + encode(`{}`) + ".")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err == nil && (token.Issuer != token.Claims["iss"] || token.expires.IsZero() || token.keyID == "") {
			t.Errorf("%+v", token)
		}
	})
}
