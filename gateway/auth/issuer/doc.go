// SPDX-License-Identifier: Apache-2.0

// Package issuer checks tokens of OpenID Connect issuers. It asks an issuer for its keys, on its own time, and never
// anybody else: what is in a token says which of the configured issuers and known keys to take, and nothing about where
// to fetch one. Requests share no lock while their tokens' keys are known.
package issuer
