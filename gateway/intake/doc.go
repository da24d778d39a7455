// SPDX-License-Identifier: Apache-2.0

// Package intake takes submissions in: it parses and plans a request, verifies it over its artifact,
// encodes what will be logged, and makes it durable. Whoever calls Submit and gets no error can rely
// on the submission being logged, by package delivery.
package intake
