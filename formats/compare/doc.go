// SPDX-License-Identifier: Apache-2.0

// Package compare holds no product code. Its tests put the same submissions before each
// format's own tool, the library most programs use, Rekor v1's packages and rekor-gateway's
// plugins, and hold every disagreement to a documented class. They also measure the table in
// docs/strictness.md, and the speed of the plugins beside Rekor v1's packages and a plain hash.
//
// It is a module of its own so that the product does not depend on Rekor v1.
package compare
