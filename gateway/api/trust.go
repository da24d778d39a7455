// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// TrustFiles are the files by which receipts are verified, as JSON. Each function is nil where there is no such file. Whoever
// gets them from the gateway has the gateway's own word alone.
type TrustFiles struct {
	TrustedRoot  func() ([]byte, error)
	GatewayTrust func() ([]byte, error)
}

func (h *httpServer) serveTrustedRoot(w http.ResponseWriter, r *http.Request) error {
	return h.serveTrust(w, r, h.cfg.Trust.TrustedRoot)
}

func (h *httpServer) serveGatewayTrust(w http.ResponseWriter, r *http.Request) error {
	return h.serveTrust(w, r, h.cfg.Trust.GatewayTrust)
}

func (h *httpServer) serveTrust(w http.ResponseWriter, r *http.Request, read func() ([]byte, error)) error {
	if read == nil {
		problem.NoSuchPath().WriteHTTP(w)
		return nil
	}
	body, err := read()
	if err != nil {
		return err
	}
	return h.writeJSON(w, r, http.StatusOK, body)
}
