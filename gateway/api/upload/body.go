// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

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
	return n, explainBodyError(err)
}

// explainBodyError turns the error of a body that was cut off into the client's refusal.
func explainBodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.Join(context.DeadlineExceeded, err)
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the request is cut off or malformed", "send it again")
}
