// SPDX-License-Identifier: Apache-2.0

package client

// MaxSharedAnchors is the bound on anchors that answers share.
const MaxSharedAnchors = maxSharedAnchors
