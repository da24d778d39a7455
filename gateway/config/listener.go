// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"slices"
)

// Listener serves the HTTP API to one caller: whoever reaches it is that one.
type Listener struct {
	Listen string `yaml:"listen"` // host:port
	Caller string `yaml:"caller"` // his name
	// InsecureNoAuth lets it listen beyond loopback: whoever reaches it there is the caller.
	InsecureNoAuth bool `yaml:"insecure_no_auth,omitempty"`
	// AllowedHosts are as HTTP's.
	AllowedHosts []string `yaml:"allowed_hosts,omitempty"`
	TLS          KeyPair  `yaml:"tls,omitempty"`
}

// KeyPair names a certificate and its key, both in PEM; without, the listener speaks plain text.
type KeyPair struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
}

// AsTLS returns k as the TLS of a listener that asks for no certificate.
func (k KeyPair) AsTLS() TLS { return TLS{CertFile: k.CertFile, KeyFile: k.KeyFile} }

// maxListeners bounds them: each may have limits.max_connections.
const maxListeners = 16

// IsPublic reports whether other machines reach the listener.
func (l Listener) IsPublic() bool {
	host, _, err := net.SplitHostPort(l.Listen)
	return err != nil || !isLoopback(host)
}

func (c *Config) checkCallersListeners() error {
	if len(c.Listeners) > maxListeners {
		return fmt.Errorf("listeners: there are more than %d", maxListeners)
	}
	seen := map[string]bool{}
	for i, l := range c.Listeners {
		key := fmt.Sprintf("listeners[%d]", i)
		if err := checkAddress(key, l.Listen, l.TLS.AsTLS()); err != nil {
			return err
		}
		switch {
		case seen[l.Listen]:
			return fmt.Errorf("%s: %s is there twice", key, l.Listen)
		case !slices.ContainsFunc(c.Callers, func(caller Caller) bool { return caller.Name == l.Caller }):
			return fmt.Errorf("%s.caller: there is no caller %q: whoever reaches this listener is one of callers", key, l.Caller)
		case l.IsPublic() && !l.InsecureNoAuth:
			return fmt.Errorf("%s.listen: %s can be reached from other machines, and whoever reaches it is %s: "+
				"listen on 127.0.0.1, or set %s.insecure_no_auth: true where something else keeps strangers out", key, l.Listen, l.Caller, key)
		}
		seen[l.Listen] = true
	}
	return nil
}
