// SPDX-License-Identifier: Apache-2.0

// Package upload reads submissions from requests: multipart forms and JSON over HTTP, message
// streams over gRPC. It bounds everything that a request can make the gateway hold; bounds.go
// lists the bounds and their sums.
package upload
