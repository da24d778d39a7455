// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

type httpClient struct {
	base   *url.URL
	token  func(context.Context) (string, error) // nil: none
	client *http.Client
}

// maxIdleConnections is how many connections are kept for the next request: there is one host alone.
const maxIdleConnections = 64

// newHTTP returns a client that follows no redirects: a gateway makes none, and whoever is behind one is
// not who was named.
func newHTTP(base *url.URL, o Options) *httpClient {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.tlsConfig()
	transport.MaxIdleConnsPerHost = maxIdleConnections
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &httpClient{base: base, token: o.Token, client: &http.Client{Transport: transport, CheckRedirect: stay}}
}

func (c *httpClient) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func (c *httpClient) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	u := c.base.JoinPath("v1", "submissions")
	u.RawQuery = url.Values{"wait": {s.Wait.String()}}.Encode()
	var sub pb.Submission
	status, err := c.postSubmission(ctx, u, s, maxSubmission, &sub)
	if err == nil {
		err = gatewayclient.CheckAccepted(&sub)
	}
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{Submission: &sub, Created: status != http.StatusOK}, nil
}

func (c *httpClient) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	var plan pb.Plan
	_, err := c.postSubmission(ctx, c.base.JoinPath("v1", "submissions:plan"), Submission{Header: h}, maxPlan, &plan)
	if err != nil {
		return nil, err
	}
	return &plan, nil
}

func (c *httpClient) Get(ctx context.Context, id string) (*pb.Submission, error) {
	var sub pb.Submission
	if err := c.getMessage(ctx, c.base.JoinPath("v1", "submissions", url.PathEscape(id)), maxSubmission, &sub); err != nil {
		return nil, err
	}
	return &sub, nil
}

func (c *httpClient) List(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	q := url.Values{}
	for name, value := range map[string]string{"artifact": r.GetArtifact(), "signer": r.GetSigner(), "page_token": r.GetPageToken()} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if r.GetState() != pb.Submission_STATE_UNSPECIFIED {
		q.Set("state", r.GetState().String())
	}
	if r.GetPageSize() != 0 {
		q.Set("page_size", strconv.Itoa(int(r.GetPageSize())))
	}
	u := c.base.JoinPath("v1", "submissions")
	u.RawQuery = q.Encode()
	var page pb.ListSubmissionsResponse
	if err := c.getMessage(ctx, u, maxAnswer, &page); err != nil {
		return nil, err
	}
	return &page, nil
}

func (c *httpClient) ListAudit(ctx context.Context, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	q := url.Values{}
	if r.GetPageToken() != "" {
		q.Set("page_token", r.GetPageToken())
	}
	if r.GetPageSize() != 0 {
		q.Set("page_size", strconv.Itoa(int(r.GetPageSize())))
	}
	u := c.base.JoinPath("v1", "audit")
	u.RawQuery = q.Encode()
	var page pb.ListAuditResponse
	if err := c.getMessage(ctx, u, maxAnswer, &page); err != nil {
		return nil, err
	}
	return &page, nil
}

// The trust files' place below the gateway's URL.
const (
	wellKnown        = ".well-known/rekor-gateway"
	trustedRootFile  = "trusted_root.json"
	gatewayTrustFile = "gateway_trust.json"
)

// TrustFileURLs returns where the gateway at server, an HTTP URL, hands out its trusted root and its
// trust file, or "" for a gRPC one.
func TrustFileURLs(server string) (trustedRoot, gatewayTrust string) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", ""
	}
	return u.JoinPath(wellKnown, trustedRootFile).String(), u.JoinPath(wellKnown, gatewayTrustFile).String()
}

func (c *httpClient) TrustFiles(ctx context.Context) (t TrustFiles, err error) {
	if t.TrustedRoot, err = c.getFile(ctx, trustedRootFile); err != nil {
		return TrustFiles{}, err
	}
	t.GatewayTrust, err = c.getFile(ctx, gatewayTrustFile)
	if err != nil && !errors.Is(err, ErrNoTrustFiles) {
		return TrustFiles{}, err
	}
	return t, nil
}

func (c *httpClient) getFile(ctx context.Context, name string) ([]byte, error) {
	_, raw, err := c.get(ctx, c.base.JoinPath(wellKnown, name), maxAnswer)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Code == codes.NotFound {
		return nil, fmt.Errorf("%w: %w", ErrNoTrustFiles, err)
	}
	return raw, err
}

func (c *httpClient) getMessage(ctx context.Context, u *url.URL, most int64, answer proto.Message) error {
	_, raw, err := c.get(ctx, u, most)
	if err != nil {
		return err
	}
	return readMessage(raw, answer)
}

func (c *httpClient) get(ctx context.Context, u *url.URL, most int64) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, nil, fmt.Errorf("making request: %w", err)
	}
	return c.doRequest(request, most)
}

// postSubmission sends s as a form, the artifact last and as a stream.
func (c *httpClient) postSubmission(ctx context.Context, u *url.URL, s Submission, most int64, answer proto.Message) (int, error) {
	body, to := io.Pipe()
	form := multipart.NewWriter(to)
	failed := make(chan error, 1)
	go func() {
		err := writeForm(form, s)
		failed <- err
		_ = to.CloseWithError(err) // a pipe's Close always works
	}()
	status, err := c.postForm(ctx, u, form.FormDataContentType(), body, most, answer)
	_ = body.Close() // ends the writer
	var local *localError
	if err != nil && errors.As(<-failed, &local) {
		return 0, local
	}
	return status, err
}

func (c *httpClient) postForm(ctx context.Context, u *url.URL, kind string, body io.Reader, most int64, answer proto.Message) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return 0, fmt.Errorf("making request: %w", err)
	}
	request.Header.Set("Content-Type", kind)
	status, raw, err := c.doRequest(request, most)
	if err != nil {
		return 0, err
	}
	return status, readMessage(raw, answer)
}

// localError is a failure to read the artifact: no reason to try again.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

func writeForm(form *multipart.Writer, s Submission) error {
	h := s.Header
	if err := writeFile(form, "signature", h.GetSignature()); err != nil {
		return err
	}
	for _, k := range h.GetKeys() {
		if err := writeFile(form, "key", k); err != nil {
			return err
		}
	}
	fields := [][2]string{{"format", h.GetFormat()}, {"digest", h.GetDigest()}, {"signed_digest", h.GetSignedDigest()}, {"decompress", h.GetDecompress()}, {"signatures", h.GetSignatures()}, {"priority", h.GetPriority()}}
	if h.GetPublishCertificate() {
		fields = append(fields, [2]string{"publish_certificate", "true"})
	}
	if r := h.GetRepresentation(); r != receiptpb.Receipt_REPRESENTATION_UNSPECIFIED {
		fields = append(fields, [2]string{"representation", r.String()})
	}
	if w := h.GetWay(); w != receiptpb.RecordedSignature_WAY_UNSPECIFIED {
		fields = append(fields, [2]string{"way", w.String()})
	}
	for name, value := range h.GetLabels() {
		fields = append(fields, [2]string{"label", name + "=" + value})
	}
	for _, f := range fields {
		if f[1] == "" {
			continue
		}
		if err := form.WriteField(f[0], f[1]); err != nil {
			return err
		}
	}
	if s.Artifact != nil {
		if err := writeArtifact(form, s.Artifact); err != nil {
			return err
		}
	}
	return form.Close()
}

func writeFile(form *multipart.Writer, name string, content []byte) error {
	part, err := form.CreateFormFile(name, name)
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	return err
}

func writeArtifact(form *multipart.Writer, open func() (io.ReadCloser, error)) error {
	artifact, err := open()
	if err != nil {
		return &localError{err}
	}
	defer artifact.Close() //nolint:errcheck // only read
	part, err := form.CreateFormFile("artifact", "artifact")
	if err != nil {
		return err
	}
	_, err = io.Copy(part, &localReader{artifact})
	return err
}

// localReader marks the errors of reading, which io.Copy mixes with those of writing.
type localReader struct{ src io.Reader }

func (l *localReader) Read(p []byte) (int, error) {
	n, err := l.src.Read(p)
	if err != nil && err != io.EOF {
		err = &localError{fmt.Errorf("reading the artifact: %w", err)}
	}
	return n, err
}

// doRequest returns the status and body of an answer that is no refusal, and has at most so many bytes.
func (c *httpClient) doRequest(request *http.Request, most int64) (int, []byte, error) {
	response, err := c.startRequest(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	raw, err := readAnswer(request.Context(), response.Body, most)
	if err != nil {
		return 0, nil, err
	}
	return response.StatusCode, raw, nil
}

// startRequest returns an answer that is no refusal, with its body still to be read. The caller closes that.
func (c *httpClient) startRequest(request *http.Request) (*http.Response, error) {
	request.Header.Set("Accept", "application/json")
	if c.token != nil {
		token, err := c.token(request.Context())
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.client.Do(request)
	if err != nil {
		if request.Context().Err() != nil {
			return nil, request.Context().Err()
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which the caller knows
		}
		return nil, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxPlan))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the answer: %w", ErrConnection, err)
	}
	return nil, readRefusal(response, raw)
}

func readMessage(raw []byte, answer proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("%w: is this a rekor-gateway? %w", ErrUnreadable, err)
	}
	return nil
}

// ErrUnreadable is returned for an answer that no gateway gives.
var ErrUnreadable = errors.New("reading the answer")

// readRefusal reads problem details, or makes do with the status.
func readRefusal(r *http.Response, raw []byte) error {
	var p struct{ Reason, Detail, Hint string }
	if json.Unmarshal(raw, &p) != nil || p.Reason == "" {
		p.Reason, p.Detail, p.Hint = "", "the server answered "+r.Status, "check that this is the URL of a rekor-gateway's HTTP address, with https:// where it speaks TLS"
	}
	e := &Error{Reason: p.Reason, Message: p.Detail, Hint: p.Hint, RequestID: r.Header.Get("X-Request-Id")}
	classifyStatus(e, r.StatusCode, retryAfter(r.Header.Get("Retry-After")))
	return e
}

// classifyStatus sets what of e follows from the status.
func classifyStatus(e *Error, status int, after time.Duration) {
	switch status {
	case http.StatusNotFound:
		e.Code = codes.NotFound
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		e.Temporary, e.RetryAfter = true, after
	}
}

// retryAfter reads both forms of the header (RFC 9110, 10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
