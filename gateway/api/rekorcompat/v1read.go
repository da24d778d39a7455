// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// Paths of Rekor v1's API.
const (
	V1Path         = "/api/v1/"
	V1LogPath      = V1Path + "log"
	V1KeyPath      = V1LogPath + "/publicKey"
	V1ProofPath    = V1LogPath + "/proof"
	V1EntriesPath  = V1LogPath + "/entries"
	V1RetrievePath = V1EntriesPath + "/retrieve"
	V1IndexPath    = V1Path + "index/retrieve"
	PingPath       = "/ping"
)

var (
	errV1NotFound = formats.NewError(problem.ReasonNotFound, "the log has no such entry", "check its index or UUID; what was sent just now may not be included yet")
	errV1Tree     = formats.NewError(problem.ReasonNotFound, "the log has no such tree", "GET "+V1LogPath+" names them")
	errV1Proof    = formats.NewError(problem.ReasonNotFound, "the log has no such tree, or none of that size", "GET "+V1LogPath+" names the trees and their sizes")
	errV1ID       = problem.Malformed("the UUID is not 64 hexadecimal digits, nor 80 of which the first 16 are a tree's number", "it is what an answer's Location ends with")
	errV1Index    = problem.Malformed("logIndex is not a number of 0 or more", "send ?logIndex=N")
	errV1Sizes    = problem.Malformed("firstSize and lastSize are not sizes of a tree, of which the second is not the smaller one", "send ?firstSize=N&lastSize=M, with 0 < N ≤ M")
	errV1TreeID   = problem.Malformed("treeID is not a positive number", "GET "+V1LogPath+" names it")
)

const cacheState = "private, max-age=1"

// ServeLog takes GET /api/v1/log.
func (v *V1) ServeLog(w http.ResponseWriter, r *http.Request) error {
	log, err := v.log()
	if err != nil {
		return err
	}
	info, err := log.Info(r.Context())
	if err != nil {
		return explainRead(err)
	}
	w.Header().Set("Cache-Control", cacheState)
	return writeV1(w, http.StatusOK, info)
}

// ServeKey takes GET /api/v1/log/publicKey?treeID=N.
func (v *V1) ServeKey(w http.ResponseWriter, r *http.Request) error {
	tree, err := readTreeID(r.URL.Query())
	if err != nil {
		return err
	}
	log, err := v.log()
	if err != nil {
		return err
	}
	key, err := log.PublicKey(r.Context(), tree)
	if err != nil {
		return explainNotFound(err, errV1Tree)
	}
	write(w, http.StatusOK, "application/x-pem-file", key)
	return nil
}

// ServeProof takes GET /api/v1/log/proof?firstSize=N&lastSize=M&treeID=T.
func (v *V1) ServeProof(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	tree, err := readTreeID(q)
	if err != nil {
		return err
	}
	first, err := readNumber(q, "firstSize", 1)
	if err != nil {
		return errV1Sizes
	}
	last, err := readNumber(q, "lastSize", 0)
	if err != nil || first < 1 || first > last {
		return errV1Sizes
	}
	log, err := v.log()
	if err != nil {
		return err
	}
	proof, err := log.Proof(r.Context(), tree, first, last)
	if err != nil {
		return explainNotFound(err, errV1Proof)
	}
	return writeV1(w, http.StatusOK, proof)
}

// ServeEntryByIndex takes GET /api/v1/log/entries?logIndex=N.
func (v *V1) ServeEntryByIndex(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	index, err := readNumber(q, "logIndex", 0)
	if err != nil || !q.Has("logIndex") {
		return errV1Index
	}
	return v.serveEntry(w, func(log V1Log) (rekorjson.ID, rekorjson.Entry, error) {
		return log.EntryByIndex(r.Context(), int64(index))
	})
}

// ServeEntryByID takes GET /api/v1/log/entries/{id}.
func (v *V1) ServeEntryByID(w http.ResponseWriter, r *http.Request) error {
	id, err := rekorjson.ParseID(r.PathValue("id"))
	if err != nil {
		return errV1ID
	}
	return v.serveEntry(w, func(log V1Log) (rekorjson.ID, rekorjson.Entry, error) { return log.EntryByID(r.Context(), id) })
}

func (v *V1) serveEntry(w http.ResponseWriter, read func(V1Log) (rekorjson.ID, rekorjson.Entry, error)) error {
	log, err := v.log()
	if err != nil {
		return err
	}
	id, entry, err := read(log)
	if err != nil {
		return explainNotFound(err, errV1NotFound)
	}
	return writeV1(w, http.StatusOK, rekorjson.Entries{id.String(): entry})
}

// ServePing takes GET /ping, as the log's server has it.
func (v *V1) ServePing(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// readTreeID reads the tree that is asked for, 0 where none is named.
func readTreeID(q url.Values) (int64, error) {
	if !q.Has("treeID") {
		return 0, nil
	}
	tree, err := readNumber(q, "treeID", 0)
	if err != nil || tree == 0 {
		return 0, errV1TreeID
	}
	return int64(tree), nil
}

// readNumber reads a number from 0 to the largest of int64.
func readNumber(q url.Values, name string, byDefault uint64) (uint64, error) {
	if !q.Has(name) {
		return byDefault, nil
	}
	n, err := strconv.ParseUint(q.Get(name), 10, 64)
	if err != nil || n > math.MaxInt64 || len(q[name]) > 1 {
		return 0, problem.Malformed("the query is malformed", "send each parameter once, in decimal")
	}
	return n, nil
}

// explainNotFound says what is not there, in words that are not about submissions.
func explainNotFound(err, notFound error) error {
	if errors.Is(err, gateway.ErrNotFound) {
		return notFound
	}
	return explainRead(err)
}

// writeV1 sends an answer as JSON.
func writeV1(w http.ResponseWriter, status int, answer any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return err
	}
	write(w, status, "application/json", body.Bytes())
	return nil
}
