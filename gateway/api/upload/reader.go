// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"io"
	"math"
	"mime"
	"net/http"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Config are the bounds that an operator sets.
type Config struct {
	MaxArtifact int64         // bytes of one artifact
	SpoolDir    string        // "" is the system's folder for temporary files
	MaxSpool    int64         // bytes of all spooled artifacts together
	Spool       *Spool        // in place of the two; nil: one of its own is made of them
	IdleTimeout time.Duration // between two reads of a body; 0 means IdleTimeout
}

// Reader reads the HTTP bodies of one process's uploads, and counts what they hold together.
// It is safe for concurrent use.
type Reader struct {
	cfg    Config
	spool  *Spool
	memory *memory
}

// NewReader returns a Reader that holds nothing yet.
func NewReader(cfg Config) *Reader {
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = IdleTimeout
	}
	if cfg.Spool == nil {
		cfg.Spool = NewSpool(SpoolConfig{Dir: cfg.SpoolDir, Max: cfg.MaxSpool})
	}
	return &Reader{cfg: cfg, spool: cfg.Spool, memory: &memory{max: MaxJSONHeld}}
}

// ReadSubmission reads a form or a JSON body. The artifact of a form is streamed when the
// parts before it are enough to begin with, and spooled when others have to come first.
func (r *Reader) ReadSubmission(w http.ResponseWriter, req *http.Request, enough func(Header) bool) (*Submission, error) {
	body := r.boundBody(w, req)
	switch kind, boundary := parseContentType(req); kind {
	case "multipart/form-data":
		return r.readForm(body, boundary, enough)
	case "application/json":
		return r.readJSON(body)
	}
	return nil, errContentType
}

// ReadHeader reads the same bodies where an artifact does not matter.
func (r *Reader) ReadHeader(w http.ResponseWriter, req *http.Request) (*Submission, error) {
	body := r.boundBody(w, req)
	switch kind, boundary := parseContentType(req); kind {
	case "multipart/form-data":
		return readFields(body, boundary)
	case "application/json":
		return r.readJSON(body)
	}
	return nil, errContentType
}

var errContentType = problem.Malformed("the content type is neither multipart/form-data nor application/json",
	"with curl: -F signature=@FILE.sig -F key=@KEY -F artifact=@FILE")

// parseContentType returns the media type and a form's boundary, "" when there is none.
func parseContentType(req *http.Request) (kind, boundary string) {
	kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return "", ""
	}
	return kind, params["boundary"]
}

// boundBody bounds a body in size, and each read of it in time. JSON has a lower limit.
func (r *Reader) boundBody(w http.ResponseWriter, req *http.Request) io.Reader {
	limit := min(r.cfg.MaxArtifact, math.MaxInt64-MaxHeader) + MaxHeader
	return &timedBody{
		src: http.MaxBytesReader(w, req.Body, limit), timeout: r.cfg.IdleTimeout,
		control: http.NewResponseController(w),
	}
}

// errArtifactTooLarge: the artifact is over Config.MaxArtifact.
var errArtifactTooLarge = formats.NewError(formats.ReasonTooLarge, "the artifact is larger than this gateway takes",
	"send a digest in place of the artifact, or use: rekor-gateway submit")
