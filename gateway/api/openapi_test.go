// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// exchangesFile is the environment variable that names a file. Every request of these tests goes there
// with its answer, a line of JSON each. The tests in gateway/stocktest run these tests so, and hold each
// exchange to openapi.json.
const exchangesFile = "REKOR_GATEWAY_API_EXCHANGES"

// exchange is a request and its answer. gateway/stocktest reads it.
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

// recordExchange appends a line in one write, so that parallel tests do not mix theirs.
func recordExchange(t *testing.T, r *http.Request, sent []byte, a answered) {
	t.Helper()
	path := os.Getenv(exchangesFile)
	if path == "" {
		return
	}
	line, err := json.Marshal(exchange{
		Test: t.Name(), Method: r.Method, URL: r.URL.String(), ContentType: r.Header.Get("Content-Type"), Sent: sent,
		Status: a.status, Header: a.header, Answer: a.raw,
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// operation is what the tests here read of an operation in openapi.json.
type operation struct {
	Parameters []struct {
		Name   string `json:"name"`
		In     string `json:"in"`
		Schema struct {
			Maximum float64 `json:"maximum"`
		} `json:"schema"`
	} `json:"parameters"`
}

// documentedOperations returns openapi.json's operations by route.
func documentedOperations(t *testing.T) map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi, &doc); err != nil {
		t.Fatal(err)
	}
	methods := []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}
	out := map[string]operation{}
	for path, item := range doc.Paths {
		for method, raw := range item {
			if !slices.Contains(methods, method) {
				continue
			}
			var o operation
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
			out[strings.ToUpper(method)+" "+path] = o
		}
	}
	return out
}

func TestOpenAPIListsTheRoutes(t *testing.T) {
	documented := documentedOperations(t)
	for route := range (&httpServer{}).listRoutes() {
		route = strings.ReplaceAll(route, "...}", "}") // OpenAPI has no parameters with slashes
		if _, ok := documented[route]; !ok {
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
	for _, p := range documentedOperations(t)["GET /v1/submissions"].Parameters {
		if p.Name != "page_size" || p.In != "query" {
			continue
		}
		if p.Schema.Maximum != gateway.MaxPageSize {
			t.Errorf("openapi.json allows %v submissions on a page, the gateway %d", p.Schema.Maximum, gateway.MaxPageSize)
		}
		return
	}
	t.Error("openapi.json has no page size")
}

// Every answer has the headers that gateway/middleware sets: the request's id, and the rate limit's.
func TestOpenAPIStatesHeaders(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Headers map[string]struct {
					Ref string `json:"$ref"`
				} `json:"headers"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Headers map[string]json.RawMessage `json:"headers"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openapi, &doc); err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"X-Request-Id": "RequestId", "RateLimit": "RateLimit", "RateLimit-Policy": "RateLimitPolicy"}
	for _, component := range headers {
		if doc.Components.Headers[component] == nil {
			t.Errorf("there is no header %s among the components", component)
		}
	}
	for path, item := range doc.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		for method, operation := range item {
			for status, answer := range operation.Responses {
				for header, component := range headers {
					if (status == "401" || status == "403") && component != "RequestId" {
						continue // refused before it is counted
					}
					if got := answer.Headers[header].Ref; got != "#/components/headers/"+component {
						t.Errorf("%s %s, %s: the header %s is %q", method, path, status, header, got)
					}
				}
			}
		}
	}
}
