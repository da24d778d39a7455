// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// How long a submission is waited for.
const (
	DefaultWait = 30 * time.Second
	MaxWait     = 60 * time.Second
)

// parseQuery returns the query when it is well-formed and has nothing but the given parameters,
// each once: a filter or a wait that is silently ignored would mislead.
func parseQuery(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, formats.WrapError(err, problem.ReasonMalformedRequest, "the query is malformed", "write it as name=value pairs, percent-encoded")
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		values := q[name]
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, problem.Malformed("there is no query parameter "+problem.QuoteName(name), "this path takes none")
		case !slices.Contains(known, name):
			return nil, problem.Malformed("there is no query parameter "+problem.QuoteName(name), "this path takes: "+strings.Join(known, ", "))
		case len(values) > 1:
			return nil, problem.Malformed("the query parameter "+name+" is there twice", "send it once")
		}
	}
	return q, nil
}

// parseWait reads how long the log is waited for; byDefault where the query does not say.
func parseWait(r *http.Request, byDefault time.Duration) (time.Duration, error) {
	q, err := parseQuery(r, "wait")
	if err != nil {
		return 0, err
	}
	s := q.Get("wait")
	if s == "" {
		return byDefault, nil
	}
	d, err := parseSeconds(s)
	if err != nil || !isWait(d) {
		return 0, problem.Malformed(fmt.Sprintf("the wait is not between 0 and %.0fs", MaxWait.Seconds()),
			"write it as wait=30s or wait=30, or wait=0 for an answer at once")
	}
	return d, nil
}

// parseSeconds reads a duration, or a number of seconds.
func parseSeconds(s string) (time.Duration, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

func isWait(d time.Duration) bool { return d >= 0 && d <= MaxWait }

// parseListQuery reads the query of GET /v1/submissions.
func parseListQuery(r *http.Request) (*pb.ListSubmissionsRequest, error) {
	q, err := parseQuery(r, "artifact", "signer", "state", "page_size", "page_token")
	if err != nil {
		return nil, err
	}
	request := &pb.ListSubmissionsRequest{Artifact: q.Get("artifact"), Signer: q.Get("signer"), PageToken: q.Get("page_token")}
	if request.State, err = parseState(q.Get("state")); err != nil {
		return nil, err
	}
	request.PageSize, err = parsePageSize(q.Get("page_size"))
	return request, err
}

// parsePageSize reads a page size of a query; "" is 0, as over gRPC.
func parsePageSize(s string) (int32, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, problem.Malformed("the page size is no number", fmt.Sprintf("use 1 to %d", gateway.MaxPageSize))
	}
	return int32(n), nil
}

// checkPageSize is for HTTP and gRPC.
func checkPageSize(n int32) (int, error) {
	if n < 0 || n > gateway.MaxPageSize {
		return 0, problem.Malformed(fmt.Sprintf("the page size is not between 0 and %d", gateway.MaxPageSize),
			fmt.Sprintf("leave it out for %d", gateway.DefaultPageSize))
	}
	return int(n), nil
}

// parseState reads a state in either case; "" is any.
func parseState(s string) (pb.Submission_State, error) {
	v, ok := pb.Submission_State_value[strings.ToUpper(s)]
	if s != "" && !ok {
		return 0, problem.Malformed("there is no such state", "use PENDING, PARTIAL, LOGGED or FAILED")
	}
	return pb.Submission_State(v), nil
}

// parseListParams reads a list request, for HTTP and gRPC.
func parseListParams(r *pb.ListSubmissionsRequest) (p gateway.ListParams, err error) {
	p.PageToken = r.GetPageToken()
	if p.PageSize, err = checkPageSize(r.GetPageSize()); err != nil {
		return p, err
	}
	if s := r.GetState(); s != pb.Submission_STATE_UNSPECIFIED {
		p.State = gateway.State(s.String())
	}
	if p.Artifact, err = parseOptionalDigest(r.GetArtifact()); err != nil {
		return p, err
	}
	if r.GetSigner() == "" {
		return p, nil
	}
	id, err := formats.ParseDigest(r.GetSigner())
	if err != nil || id.Algorithm != formats.SHA256 {
		return p, problem.Malformed("the signer is not sha256:HEX", "give the SHA-256 of the key's SubjectPublicKeyInfo")
	}
	p.Signer = (*[32]byte)(id.Value)
	return p, nil
}

func parseOptionalDigest(s string) (*formats.Digest, error) {
	if s == "" {
		return nil, nil
	}
	d, err := formats.ParseDigest(s)
	if err != nil {
		return nil, err
	}
	return &d, nil
}
