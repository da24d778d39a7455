// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

const (
	apiDir        = "../api"
	exchangesFile = "REKOR_GATEWAY_API_EXCHANGES" // read by the tests of gateway/api

	// minExchanges is a little less than the tests of gateway/api recorded when it was set.
	minExchanges = 150
)

// exchange is a request and its answer, as the tests of gateway/api record it.
type exchange struct {
	Test        string      `json:"test"`
	Method      string      `json:"method"`
	URL         string      `json:"url"`
	ContentType string      `json:"content_type"`
	Sent        []byte      `json:"sent"`
	Status      int         `json:"status"`
	Header      http.Header `json:"header"`
	Answer      []byte      `json:"answer"`
}

// TestAnswersAreAsOpenAPISays runs the tests of gateway/api and holds every exchange to openapi.json.
// Each operation must have been answered with success by one of them.
func TestAnswersAreAsOpenAPISays(t *testing.T) {
	t.Parallel()
	c, exchanges := loadContract(t), runAPITests(t)
	if len(exchanges) < minExchanges {
		t.Errorf("the tests of gateway/api record %d exchanges, want at least %d", len(exchanges), minExchanges)
	}
	answered := map[*openapi3.Operation]bool{}
	for _, e := range exchanges {
		operation, err := c.check(t.Context(), e)
		if err != nil {
			t.Errorf("%s: %s %s: %v", e.Test, e.Method, e.URL, err)
		}
		if operation != nil && e.Status < 300 {
			answered[operation] = true
		}
	}
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !answered[operation] {
				t.Errorf("no test of gateway/api succeeds with %s %s", method, path)
			}
		}
	}
}

// runAPITests runs the tests of gateway/api in the product's module and returns what they record.
func runAPITests(t *testing.T) []exchange {
	t.Helper()
	path := filepath.Join(t.TempDir(), "exchanges")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", ".")
	cmd.Dir = apiDir
	cmd.Env = append(os.Environ(), exchangesFile+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the tests of gateway/api: %v\n%s", err, out)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	var exchanges []exchange
	for {
		var e exchange
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return exchanges
		} else if err != nil {
			t.Fatalf("reading exchange %d: %v", len(exchanges)+1, err)
		}
		exchanges = append(exchanges, e)
	}
}

// contract is openapi.json.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

func loadContract(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(apiDir, "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{doc, router}
}

// check validates the answer, and the request when it is JSON that was accepted. It returns the
// operation, nil where openapi.json has none; then the answer must be that there is none.
func (c *contract) check(ctx context.Context, e exchange) (*openapi3.Operation, error) {
	r, err := http.NewRequestWithContext(ctx, e.Method, e.URL, bytes.NewReader(e.Sent))
	if err != nil {
		return nil, err
	}
	if e.ContentType != "" {
		r.Header.Set("Content-Type", e.ContentType)
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		if e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed {
			return nil, nil
		}
		return nil, fmt.Errorf("openapi.json has no such operation, the answer is %d: %w", e.Status, err)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}, // who may call is not gateway/api's business
	}
	if e.Status < 300 && strings.HasPrefix(e.ContentType, "application/json") {
		if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
			return nil, fmt.Errorf("openapi.json does not allow a request that was accepted: %w", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: e.Status, Header: e.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(ctx, out.SetBodyBytes(e.Answer)); err != nil {
		return nil, fmt.Errorf("the answer is not as openapi.json says: %w", err)
	}
	if e.Header.Get("Content-Type") == linesType {
		return route.Operation, c.checkLines(e)
	}
	return route.Operation, nil
}

// linesType is that of lines of JSON, which OpenAPI 3.0 cannot describe: a line of a request is a BatchItem, one of an answer a BatchAnswer.
const linesType = "application/x-ndjson"

// keyType is that of Rekor v1's public key, in PEM.
const keyType = "application/x-pem-file"

func init() {
	for _, mediaType := range []string{linesType, keyType} {
		openapi3filter.RegisterBodyDecoder(mediaType, openapi3filter.PlainBodyDecoder)
	}
}

// checkLines validates every line of an answer, and the lines of the request that were accepted.
func (c *contract) checkLines(e exchange) error {
	sent := bytes.Split(e.Sent, []byte("\n"))
	for line := range bytes.Lines(e.Answer) {
		var answer map[string]any
		if err := json.Unmarshal(line, &answer); err != nil {
			return fmt.Errorf("the answer has a line that is no JSON: %w", err)
		}
		if err := c.doc.Components.Schemas["BatchAnswer"].Value.VisitJSON(answer); err != nil {
			return fmt.Errorf("a line of the answer is no BatchAnswer: %w", err)
		}
		if answer["submission"] == nil {
			continue
		}
		var item any
		if err := json.Unmarshal(sent[int(answer["line"].(float64))-1], &item); err != nil {
			return fmt.Errorf("a line that is no JSON was accepted: %w", err)
		}
		if err := c.doc.Components.Schemas["BatchItem"].Value.VisitJSON(item); err != nil {
			return fmt.Errorf("a line was accepted that is no BatchItem: %w", err)
		}
	}
	return nil
}

// Lines that openapi.json does not allow are found.
func TestContractRefusesLines(t *testing.T) {
	c := loadContract(t)
	problem := `{"title":"Bad Request","status":400,"reason":"MALFORMED_REQUEST","detail":"d","hint":"h"}`
	good := exchange{
		Method: http.MethodPost, URL: "http://gateway.test/v1/submissions:batch", ContentType: linesType, Sent: []byte("{}\n"), Status: http.StatusOK,
		Header: http.Header{"Content-Type": {linesType}}, Answer: []byte(`{"line":1,"status":400,"problem":` + problem + "}\n"),
	}
	if operation, err := c.check(t.Context(), good); err != nil || operation == nil {
		t.Fatalf("a good exchange: operation %v, %v", operation, err)
	}
	for name, answer := range map[string]string{
		"field not known": `{"line":1,"status":400,"more":1,"problem":` + problem + `}`,
		"no outcome":      `{"line":1,"status":400}`,
		"no status":       `{"line":1,"problem":` + problem + `}`,
		"no JSON":         `{`,
	} {
		bad := good
		bad.Answer = []byte(answer + "\n")
		if _, err := c.check(t.Context(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestEveryReasonIsAProblem: whatever the reason, HTTP answers with what openapi.json calls a Problem.
func TestEveryReasonIsAProblem(t *testing.T) {
	schema := loadContract(t).doc.Components.Schemas["Problem"].Value
	for _, reason := range problem.Reasons() {
		w := httptest.NewRecorder()
		problem.FromError(formats.NewError(reason, "what is wrong", "what to do")).WriteHTTP(w)
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		if err := schema.VisitJSON(body); err != nil || body["reason"] != string(reason) || body["status"] != float64(w.Code) {
			t.Errorf("%s: %d %v: %v", reason, w.Code, body, err)
		}
	}
}

// Exchanges that openapi.json does not allow are found: nothing is held to it else.
func TestContractRefuses(t *testing.T) {
	c := loadContract(t)
	answer := func(start string) []byte {
		return []byte(start + `,"variant":"","algorithm":"","signers":[],"need":"bytes","digests":[],"signedDigests":[],"chosen":"NATIVE","way":"DIRECT","notes":[],"signatures":[],"unchecked":[]}`)
	}
	good := exchange{
		Method: http.MethodPost, URL: "http://gateway.test/v1/submissions:plan", ContentType: "application/json",
		Sent: []byte(`{"signature":"YQ=="}`), Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}}, Answer: answer(`{"format":"x509","options":[]`),
	}
	if operation, err := c.check(t.Context(), good); err != nil || operation == nil {
		t.Fatalf("a good exchange: operation %v, %v", operation, err)
	}
	for name, change := range map[string]func(*exchange){
		"field not known to requests": func(e *exchange) { e.Sent = []byte(`{"signature":"YQ==","more":1}`) },
		"request without signature":   func(e *exchange) { e.Sent = []byte(`{}`) },
		"field not known to answers":  func(e *exchange) { e.Answer = answer(`{"format":"x509","options":[],"more":1`) },
		"answer without a field":      func(e *exchange) { e.Answer = answer(`{"options":[]`) },
		"answer of another type":      func(e *exchange) { e.Answer = answer(`{"format":"x509","options":{}`) },
		"answer is no JSON":           func(e *exchange) { e.Answer = []byte(`{`) },
		"status not documented":       func(e *exchange) { e.Status = http.StatusTeapot },
		"content type not documented": func(e *exchange) { e.Header = http.Header{"Content-Type": {"text/plain"}} },
		"path not documented":         func(e *exchange) { e.URL = "http://gateway.test/v1/more" },
		"method not documented":       func(e *exchange) { e.Method = http.MethodPut },
		"nothing recorded":            func(e *exchange) { *e = exchange{} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			if _, err := c.check(t.Context(), bad); err == nil {
				t.Error("accepted")
			}
		})
	}
}
