// SPDX-License-Identifier: Apache-2.0

// Package stocktest holds no product code. Its tests put what rekor-gateway makes before libraries that
// others wrote: sigstore-go verifies what is exported for cosign and reads the trusted roots and the
// inclusions, kin-openapi holds every answer of the HTTP tests to openapi.json.
//
// It is a module of its own so that the product does not depend on those libraries.
package stocktest
