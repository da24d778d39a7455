// SPDX-License-Identifier: Apache-2.0

// Package witness asks witnesses for cosignatures of the gateway's own logs: https://c2sp.org/tlog-witness.
package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

const (
	// maxAnswer bounds what is read of an answer, in bytes: a few cosignatures of one witness, under its former keys, too.
	maxAnswer = 32 << 10
	// requestTime bounds a request, its answer with it.
	requestTime = 5 * time.Second
	sizeType    = "text/x.tlog.size"
)

// Config is what a Witness is reached and known by.
type Config struct {
	Key       string // verifier key (C2SP signed-note) of its cosignatures: Ed25519 (type 4) or ML-DSA-44 (type 6)
	URL       string // the submission prefix: https, or http on this machine
	UserAgent string // of all requests
}

// Witness is one that is asked over HTTP.
type Witness struct {
	key       string
	verifier  note.Verifier
	add       string // URL
	userAgent string
	client    *http.Client
}

var _ gateway.Witness = (*Witness)(nil)

// New returns a witness. Nothing is asked yet.
func New(cfg Config) (*Witness, error) {
	verifier, err := trustroot.ParseWitnessKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	prefix, err := parsePrefix(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxAnswer
	return &Witness{
		key: cfg.Key, verifier: verifier, add: prefix.JoinPath("add-checkpoint").String(), userAgent: cfg.UserAgent,
		client: &http.Client{
			Transport: transport, Timeout: requestTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func parsePrefix(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading URL of a witness: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, fmt.Errorf("%q is no https URL of a witness, and no http URL of this machine", u.Redacted())
	}
	return u, nil
}

// Key implements gateway.Witness.
func (w *Witness) Key() string { return w.key }

// AddCheckpoint implements gateway.Witness.
func (w *Witness) AddCheckpoint(ctx context.Context, old uint64, proof [][sha256.Size]byte, signed []byte) (gateway.Cosignature, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintf(&body, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	body.WriteByte('\n')
	body.Write(signed)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.add, &body)
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("asking witness %s: %w", w.verifier.Name(), err)
	}
	req.Header.Set("User-Agent", w.userAgent)
	resp, err := w.client.Do(req)
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("asking witness %s: %w", w.verifier.Name(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	c, err := w.readAnswer(resp, signed)
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("asking witness %s: %w", w.verifier.Name(), err)
	}
	return c, nil
}

// readAnswer returns the cosignature that an answer has, or what it says instead.
func (w *Witness) readAnswer(resp *http.Response, signed []byte) (gateway.Cosignature, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("reading answer: %w", err)
	}
	if len(body) > maxAnswer {
		return gateway.Cosignature{}, fmt.Errorf("the answer is over %d bytes", maxAnswer)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return w.openCosignature(signed, body)
	case http.StatusConflict:
		return gateway.Cosignature{}, readConflict(resp.Header.Get("Content-Type"), body)
	case http.StatusUnprocessableEntity:
		return gateway.Cosignature{}, fmt.Errorf("status %d, %.80q: %w", resp.StatusCode, body, gateway.ErrOtherHistory)
	case http.StatusForbidden, http.StatusNotFound:
		return gateway.Cosignature{}, fmt.Errorf("status %d, %.80q: %w", resp.StatusCode, body, gateway.ErrNotCosigned)
	}
	return gateway.Cosignature{}, fmt.Errorf("status %d, %.80q", resp.StatusCode, body)
}

// readConflict returns what a 409 says: the size that the witness has cosigned, or that it has another root of the same size.
func readConflict(contentType string, body []byte) error {
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != sizeType {
		return fmt.Errorf("status 409, %.80q: %w", body, gateway.ErrOtherHistory)
	}
	text := strings.TrimSuffix(string(body), "\n")
	size, err := strconv.ParseUint(text, 10, 64)
	if err != nil || size > math.MaxInt64 || strconv.FormatUint(size, 10) != text {
		return fmt.Errorf("status 409, and %.80q is no size", text)
	}
	return &gateway.WitnessSizeError{Size: size}
}

// openCosignature verifies what a witness has signed, and returns its line in the one spelling that receipts have.
func (w *Witness) openCosignature(signed, lines []byte) (gateway.Cosignature, error) {
	opened, err := note.Open(append(bytes.Clone(signed), lines...), note.VerifierList(w.verifier))
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("verifying cosignature: %w", err)
	}
	if text, _, _ := bytes.Cut(signed, []byte("\n\n")); opened.Text != string(text)+"\n" { // a note's text ends before its last signatures
		return gateway.Cosignature{}, errors.New("the answer is more than lines of signatures: what was signed is not the checkpoint")
	}
	signature := opened.Sigs[0]
	at, err := cosign.CoSigV1Timestamp(signature)
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("reading cosignature: %w", err)
	}
	if at.Unix() <= 0 || time.Until(at) > formats.ClockSkew {
		return gateway.Cosignature{}, errors.New("the cosignature is not from now: it has no time, or one that is still to come")
	}
	raw, err := base64.StdEncoding.DecodeString(signature.Base64)
	if err != nil {
		return gateway.Cosignature{}, fmt.Errorf("reading cosignature: %w", err)
	}
	line := fmt.Sprintf("— %s %s", signature.Name, base64.StdEncoding.EncodeToString(raw))
	return gateway.Cosignature{Witness: w.key, Time: at.UTC(), Line: line}, nil
}
