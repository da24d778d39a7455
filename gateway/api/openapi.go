// SPDX-License-Identifier: Apache-2.0

package api

import _ "embed"

// openapi describes the HTTP routes (OpenAPI 3.0); tests hold routes and answers to it.
//
//go:embed openapi.json
var openapi []byte
