// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// contract is openapi.json; every answer in these tests is held to it.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

func loadContract(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
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

// check validates the answer, and the request when it was accepted.
func (c *contract) check(t *testing.T, r *http.Request, sent []byte, a answered) {
	t.Helper()
	probe := r.Clone(t.Context())
	probe.Body = io.NopCloser(bytes.NewReader(sent))
	route, params, err := c.router.FindRoute(probe)
	if err != nil {
		return // an unknown path: notFound's business
	}
	in := &openapi3filter.RequestValidationInput{Request: probe, PathParams: params, Route: route}
	if a.status < 300 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("openapi.json does not allow a request that was accepted: %v", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(t.Context(), out.SetBodyBytes(a.raw)); err != nil {
		t.Errorf("%s %s: the answer is not as openapi.json says: %v", r.Method, r.URL.Path, err)
	}
}

func TestOpenAPIListsTheRoutes(t *testing.T) {
	c := loadContract(t)
	documented := map[string]bool{}
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	for route := range (&httpServer{}).listRoutes() {
		if !documented[route] {
			t.Errorf("%s is not in openapi.json", route)
		}
		delete(documented, route)
	}
	for route := range documented {
		t.Errorf("%s is in openapi.json only", route)
	}
}

// What openapi.json says of the size of a page is what is done.
func TestOpenAPIStatesPageSize(t *testing.T) {
	list := loadContract(t).doc.Paths.Find("/v1/submissions").Get
	size := list.Parameters.GetByInAndName("query", "page_size").Schema.Value
	if size.Max == nil || *size.Max != gateway.MaxPageSize {
		t.Errorf("openapi.json allows %v submissions on a page, the gateway %d", size.Max, gateway.MaxPageSize)
	}
}
