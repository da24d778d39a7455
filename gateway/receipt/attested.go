// SPDX-License-Identifier: Apache-2.0

package receipt

// checkAttestations refuses: no gateway is trusted.
func (v *verification) checkAttestations() error {
	return refuse(ReasonNoGatewayTrust, "the receipt rests on a gateway's word, and no gateway is trusted", "give the gateway trust file (--gateway-trust FILE)")
}
