// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// answerGets is a stand-in that accepts and logs nothing, and answers whoever asks for a submission with a refusal.
func answerGets(t *testing.T, status int, body string) string {
	g := &standIn{t: t, receipt: offline("x509.receipt.json")}
	g.pending.Store(1 << 40)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(g.start())))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/submissions/") {
			proxy.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestBackfillForgottenByTheGateway: what a gateway had accepted, and does not know after it was restored, is neither refused nor lost: the
// next run sends it again.
func TestBackfillForgottenByTheGateway(t *testing.T) {
	tree := makeTree(t, 3)
	code, out, errs := runBackfill(t.Context(), answerGets(t, http.StatusNotFound, `{"reason":"NOT_FOUND","detail":"there is no such submission"}`), tree)
	if got := readSummary(t, out); code != exitLater || got.Pending != 3 || got.Error.Reason != string(problem.ReasonNotLogged) {
		t.Errorf("exit %d, %+v\n%s%s", code, got, out, errs)
	}
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	code, out, errs = runBackfill(t.Context(), server, tree)
	if got := readSummary(t, out); code != 0 || got.Logged != 3 {
		t.Errorf("exit %d, %+v\n%s%s", code, got, out, errs)
	}
}

// TestBackfillMayNotAsk: whoever may send, and may not ask what became of it, is told so, and nothing is called refused.
func TestBackfillMayNotAsk(t *testing.T) {
	tree := makeTree(t, 3)
	code, out, errs := runBackfill(t.Context(), answerGets(t, http.StatusForbidden, `{"reason":"FORBIDDEN","detail":"the caller may not read"}`), tree)
	got := readSummary(t, out)
	if code != exitNo || got.Refused != 0 || got.Pending+got.Unsent != 3 || got.Error.Reason != string(problem.ReasonForbidden) {
		t.Errorf("exit %d, %+v\n%s%s", code, got, out, errs)
	}
}

// TestBackfillEmptyAnswer: who answers with nothing is no gateway, which is said, and is the end.
func TestBackfillEmptyAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // the trust files
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		answer := "{}"
		if strings.HasSuffix(r.URL.Path, ":batch") {
			answer = `{"line":1,"status":201,"submission":{}}`
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	code, out, errs := runBackfill(t.Context(), s.URL, makeTree(t, 1))
	got := readSummary(t, out)
	if code != exitInput || got.Refused != 0 || got.Unsent != 1 || got.Error.Reason != string(fault.ReasonNoGateway) {
		t.Errorf("exit %d, %+v\n%s%s", code, got, out, errs)
	}
}
