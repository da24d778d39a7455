// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
)

// ListProxies returns TrustedProxies, which were checked.
func (c *Config) ListProxies() []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range c.TrustedProxies {
		if network, err := netip.ParsePrefix(text); err == nil {
			networks = append(networks, network)
		}
	}
	return networks
}

func (c *Config) checkProxies() error {
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		switch {
		case err != nil || network != network.Masked():
			return fmt.Errorf("trusted_proxies: %q is not a network, such as 10.1.0.0/16 or 10.1.2.3/32", text)
		case network.Addr().Is4In6():
			return fmt.Errorf("trusted_proxies: write %s as a network of IPv4", text)
		case network.Bits() == 0:
			return fmt.Errorf("trusted_proxies: %s is everybody, and everybody could choose whom he is counted as", text)
		}
	}
	return nil
}
