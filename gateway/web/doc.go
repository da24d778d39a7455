// SPDX-License-Identifier: Apache-2.0

// Package web is what stands in front of the HTTP routes: who may call by which name, one log
// line and one count per request, and what becomes of a panic.
package web
