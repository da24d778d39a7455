// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"io"
	"math"
	"mime"
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Config are the bounds that an operator sets.
type Config struct {
	MaxArtifact int64  // bytes of one artifact
	SpoolDir    string // "" is the system's folder for temporary files
	MaxSpool    int64  // bytes of all spooled artifacts together
	Spool       *Spool // in place of the two; nil: one of its own is made of them
	Pace        Pace
	Replay      int64 // bytes of the replay buffer; 0 is MaxReplay
}

func (c Config) replay() int64 {
	if c.Replay == 0 {
		return MaxReplay
	}
	return c.Replay
}

// Reader reads the HTTP bodies of one process's uploads. What they hold is counted in the gateway.Held of
// each request's context. It is safe for concurrent use.
type Reader struct {
	cfg   Config
	spool *Spool
}

// NewReader returns a Reader that holds nothing yet.
func NewReader(cfg Config) *Reader {
	if cfg.Spool == nil {
		cfg.Spool = NewSpool(SpoolConfig{Dir: cfg.SpoolDir, Max: cfg.MaxSpool})
	}
	return &Reader{cfg: cfg, spool: cfg.Spool}
}

// ReadSubmission reads a form or a JSON body. Before the artifact of a form it calls begin with all that
// came before, and again when more comes after it. An artifact over MaxReplay is streamed when begin returns nil, and
// spooled when there is no signature yet or begin returns formats.ReasonMissingKey, since what is missing may come later.
// Any error of begin that later parts cannot mend is returned. Where begin was not called, or failed with
// formats.ReasonMissingKey, the caller begins with what is returned.
func (r *Reader) ReadSubmission(w http.ResponseWriter, req *http.Request, begin func(Header) error) (*Submission, error) {
	return r.readCounted(w, req, func(body io.Reader, boundary string, held *gateway.Held) (*Submission, error) {
		return r.readForm(body, boundary, held, begin)
	})
}

// ReadHeader reads the same bodies where an artifact does not matter.
func (r *Reader) ReadHeader(w http.ResponseWriter, req *http.Request) (*Submission, error) {
	return r.readCounted(w, req, readFields)
}

type formReader func(body io.Reader, boundary string, held *gateway.Held) (*Submission, error)

// readCounted counts what a body makes us hold, until the submission is closed.
func (r *Reader) readCounted(w http.ResponseWriter, req *http.Request, readForm formReader) (*Submission, error) {
	held := gateway.HeldFrom(req.Context()).Part()
	out, err := r.readBody(w, req, held, readForm)
	if err != nil {
		held.Close()
		return nil, err
	}
	out.held = held
	return out, nil
}

func (r *Reader) readBody(w http.ResponseWriter, req *http.Request, held *gateway.Held, readForm formReader) (*Submission, error) {
	limit := min(r.cfg.MaxArtifact, math.MaxInt64-MaxHeader) + MaxHeader
	body := r.timeBody(req, http.MaxBytesReader(w, req.Body, limit), http.NewResponseController(w))
	switch kind, boundary := parseContentType(req); kind {
	case "multipart/form-data":
		return readForm(body, boundary, held)
	case "application/json":
		return readJSON(body, held, nil)
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

// timeBody bounds each read of a body in time.
func (r *Reader) timeBody(req *http.Request, body io.Reader, control readDeadline) *timedBody {
	end, _ := req.Context().Deadline()
	return &timedBody{src: body, meter: newMeter(r.cfg.Pace), control: control, end: end}
}

// errArtifactTooLarge: the artifact is over Config.MaxArtifact.
var errArtifactTooLarge = formats.NewError(formats.ReasonTooLarge, "the artifact is larger than this gateway takes",
	"send a digest in place of the artifact, as rekor-gateway submit does without --send-bytes where one is enough")
