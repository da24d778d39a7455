// SPDX-License-Identifier: Apache-2.0

package server

// ReadLeaves is for the tests outside of the package.
var ReadLeaves = readLeaves
