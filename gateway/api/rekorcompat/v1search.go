// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

const hintSearch = "send hash, publicKey, email or subject, and operator and or or, as rekor-cli search does"

var errSearch = problem.Malformed("the body is not a search of Rekor v1", hintSearch)

// The forms of a hash: its prefix may be left out.
var hashForms = map[string]*regexp.Regexp{
	"sha1:":   regexp.MustCompile(`^[0-9a-f]{40}$`),
	"sha256:": regexp.MustCompile(`^[0-9a-f]{64}$`),
	"sha512:": regexp.MustCompile(`^[0-9a-f]{128}$`),
}

// ServeSearch takes POST /api/v1/index/retrieve: what the log's index has, and the caller's own submissions.
func (v *V1) ServeSearch(w http.ResponseWriter, r *http.Request) error {
	raw, held, err := v.uploads.ReadRekorJSON(r, http.NewResponseController(w))
	if formats.ReasonOf(err) == problem.ReasonMalformedRequest {
		return errSearch
	}
	if err != nil {
		return err
	}
	defer held.Close()
	search, err := readSearch(raw)
	if err != nil {
		return err
	}
	log, err := v.log()
	if err != nil {
		return err
	}
	found, err := log.Search(r.Context(), search)
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return explainRead(err)
	}
	own, err := v.searchOwn(r.Context(), log, search)
	if err != nil {
		return err
	}
	texts := []string{}
	for _, id := range append(own, found...) {
		if text := id.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return writeV1(w, http.StatusOK, texts)
}

// readSearch reads what is looked for, and completes its hash and operator.
func readSearch(raw []byte) (s rekorjson.Search, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || dec.More() {
		return s, errSearch
	}
	if s.Operator == "" {
		s.Operator = "or"
	}
	if s.Operator != "or" && s.Operator != "and" || s == (rekorjson.Search{Operator: s.Operator}) {
		return s, errSearch
	}
	if s.Hash == "" {
		return s, nil
	}
	text := strings.ToLower(s.Hash)
	for prefix, form := range hashForms {
		if bare := strings.TrimPrefix(text, prefix); form.MatchString(bare) {
			s.Hash = prefix + bare
			return s, nil
		}
	}
	return s, formats.NewError(formats.ReasonMalformedDigest, "the hash is not one of SHA-1, SHA-256 or SHA-512 in hexadecimal", "send it as sha256: and 64 digits")
}

// maxOwn bounds the submissions of a caller that are looked at for one search.
const maxOwn = 100

// searchOwn returns the entries of the caller's own submissions over an artifact, newest first: the log's index knows an artifact only by what is recorded of it.
// With "and" and something else beside the hash, there are none.
func (v *V1) searchOwn(ctx context.Context, log V1Log, s rekorjson.Search) ([]rekorjson.ID, error) {
	others := s.PublicKey != nil || s.Email != "" || s.Subject != ""
	if s.Hash == "" || others && s.Operator == "and" {
		return nil, nil
	}
	digest, err := formats.ParseDigest(s.Hash)
	if err != nil { // SHA-1, by which nothing is kept
		return nil, nil
	}
	subs, _, err := v.cfg.Service.List(ctx, gateway.CallerFrom(ctx).Tenant, gateway.ListParams{Artifact: &digest, State: gateway.Logged, PageSize: maxOwn})
	if err != nil {
		return nil, err
	}
	held := gateway.HeldFrom(ctx).Part() // for one at a time, of which the ID alone is kept
	defer held.Close()
	if err := held.Grow(answerMemory); err != nil {
		return nil, err
	}
	var ids []rekorjson.ID
	for _, sub := range subs {
		id, _, err := v.readRecorded(ctx, log, sub, nil)
		switch {
		case err == nil:
			ids = append(ids, id)
		case !errors.Is(err, gateway.ErrNotFound):
			return nil, explainRead(err)
		}
	}
	return ids, nil
}
