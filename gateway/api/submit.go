// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// overhead is what a request may hold beside its artifact: signature, keys, fields, framing.
const overhead = 2*formats.MaxSignatureSize + formats.MaxKeySize

// submit takes POST /v1/submissions: 201 logged, 200 the same as before, 202 accepted,
// 502 refused by the log.
func (h *httpServer) submit(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	answer, err := h.readSubmission(w, r, wait)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/submissions/"+answer.GetSubmission().GetId())
	if answer.GetSubmission().GetState() == pb.Submission_FAILED {
		return errLogRefused
	}
	status := http.StatusAccepted
	switch {
	case !answer.GetCreated() && settled(answer):
		status = http.StatusOK
	case settled(answer):
		status = http.StatusCreated
	}
	return writeMessage(w, status, answer.GetSubmission())
}

var errLogRefused = formats.NewError(formats.Reason(gateway.ProblemRefused), "the gateway verified the signature, and the log refused it",
	"send it again later; the gateway's operator finds more in its log")

func settled(a *pb.SubmitResponse) bool {
	return a.GetSubmission().GetState() == pb.Submission_LOGGED
}

func (h *httpServer) readSubmission(w http.ResponseWriter, r *http.Request, wait time.Duration) (*pb.SubmitResponse, error) {
	body := h.body(w, r)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "multipart/form-data":
		return h.submitMultipart(r.Context(), body, params["boundary"], wait)
	case "application/json":
		held := h.memory.hold(body)
		defer held.release()
		header, artifact, err := readJSON(held)
		if err != nil {
			return nil, err
		}
		return submit(r.Context(), h.service, header, wait, func() (formats.Artifact, error) { return artifact, nil })
	}
	return nil, errContentType
}

var errContentType = malformed("the content type is neither multipart/form-data nor application/json",
	"with curl: -F signature=@FILE.sig -F key=@KEY -F artifact=@FILE")

// body bounds a request's body in size, and each read of it in time.
func (h *httpServer) body(w http.ResponseWriter, r *http.Request) io.Reader {
	limit := min(h.cfg.MaxArtifact, math.MaxInt64-overhead) + overhead // JSON has a lower limit
	return &timedBody{
		src: http.MaxBytesReader(w, r.Body, limit), timeout: h.cfg.IdleTimeout,
		control: http.NewResponseController(w),
	}
}

// timedBody gives a client a time limit for each read, so that a slow upload may take long
// and a dead one may not.
type timedBody struct {
	src     io.Reader
	timeout time.Duration
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout))
	n, err := b.src.Read(p)
	_ = b.control.SetReadDeadline(time.Time{}) // while we wait for the log, silence is no fault
	return n, bodyError(err)
}

// bodyError says that it is the client's doing when a body does not come whole.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.Join(context.DeadlineExceeded, err)
	}
	return formats.WrapError(err, ReasonMalformedRequest, "the request is cut off or malformed", "send it again")
}

func waitOf(r *http.Request) (time.Duration, error) {
	q, err := queryOf(r, "wait")
	if err != nil {
		return 0, err
	}
	s := q.Get("wait")
	if s == "" {
		return DefaultWait, nil
	}
	if s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > MaxWait {
		return 0, malformed("the wait is not between 0 and 60s", "write it as wait=30s, or wait=0 for an answer at once")
	}
	return d, nil
}

// queryOf returns the query when it is well-formed and has nothing but the given parameters, each
// once: a filter or a wait that is silently ignored would mislead.
func queryOf(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, formats.WrapError(err, ReasonMalformedRequest, "the query is malformed", "write it as name=value pairs, percent-encoded")
	}
	for name, values := range q {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, malformed("there is an unknown query parameter", "this path takes none")
		case !slices.Contains(known, name):
			return nil, malformed("there is an unknown query parameter", "this path takes: "+strings.Join(known, ", "))
		case len(values) > 1:
			return nil, malformed("the query parameter "+name+" is there twice", "send it once")
		}
	}
	return q, nil
}

// jsonSubmission is the JSON form of a submission; bytes are base64.
type jsonSubmission struct {
	Signature      []byte            `json:"signature"`
	Keys           [][]byte          `json:"keys"`
	Artifact       *[]byte           `json:"artifact"`
	Format         string            `json:"format"`
	Digest         string            `json:"digest"`
	SignedDigest   string            `json:"signedDigest"`
	Representation string            `json:"representation"`
	Labels         map[string]string `json:"labels"`
	Decompress     string            `json:"decompress"`
	Publish        bool              `json:"publishCertificate"`
}

// maxJSON bounds a JSON submission, which is held in memory; larger artifacts go as multipart.
const maxJSON = 24 << 20

func readJSON(body io.Reader) (header, formats.Artifact, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxJSON+1))
	if err != nil {
		return header{}, formats.Artifact{}, err
	}
	if len(raw) > maxJSON {
		return header{}, formats.Artifact{}, formats.NewError(formats.ReasonTooLarge, "the JSON is larger than 24 MiB", "send it as multipart/form-data")
	}
	var s jsonSubmission
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return header{}, formats.Artifact{}, malformedJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return header{}, formats.Artifact{}, malformed("there is something after the JSON object", "send one object")
	}
	h := header{
		signature: s.Signature, keys: s.Keys, format: s.Format, digest: s.Digest,
		signedDigest: s.SignedDigest, representation: s.Representation, labels: s.Labels, decompress: s.Decompress, publish: s.Publish,
	}
	if s.Artifact == nil {
		return h, formats.Artifact{}, nil
	}
	return h, formats.FromReader(bytes.NewReader(*s.Artifact)), nil
}

// malformedJSON names the unknown field; other texts of the decoder are not for callers.
func malformedJSON(err error) error {
	const unknown = "json: unknown field "
	if text := err.Error(); len(text) > len(unknown) && text[:len(unknown)] == unknown && len(text) < 100 {
		return formats.WrapError(err, ReasonMalformedRequest, "there is no field "+text[len(unknown):],
			"use signature, keys, artifact, digest, signedDigest, format, representation, decompress, publishCertificate and labels")
	}
	return formats.WrapError(err, ReasonMalformedRequest, "the body is not the JSON this takes",
		"signature, keys and artifact are base64; see /openapi.json")
}

func compact(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// plan takes POST /v1/submissions:plan: the same forms as a submission, without an artifact.
func (h *httpServer) plan(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	body := h.body(w, r)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	var head header
	switch kind {
	case "multipart/form-data":
		head, err = readFields(body, params["boundary"])
	case "application/json":
		held := h.memory.hold(body)
		defer held.release()
		head, _, err = readJSON(held)
	default:
		err = errContentType
	}
	if err != nil {
		return err
	}
	plan, err := planFor(h.service, head)
	if err != nil {
		return err
	}
	return writeMessage(w, http.StatusOK, plan)
}
