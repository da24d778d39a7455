// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// certificate is a listener's, which may be replaced while it serves. The zero value is none.
type certificate struct {
	current atomic.Pointer[tls.Certificate]
	clients atomic.Pointer[x509.CertPool] // the authorities of clients; nil: no certificate is asked for
}

// loadCertificate returns nil when none is configured. key is the certificate's in the configuration.
func loadCertificate(key string, c config.TLS) (*tls.Certificate, error) {
	if c.CertFile == "" {
		return nil, nil //nolint:nilnil // documented
	}
	cert, err := config.ReadFile(c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("%s.cert_file: %w", key, err)
	}
	private, err := config.ReadFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%s.key_file: %w", key, err)
	}
	loaded, err := tls.X509KeyPair(cert, private)
	if err != nil {
		return nil, fmt.Errorf("%s (%s and %s): %w", key, c.CertFile, c.KeyFile, err)
	}
	return &loaded, nil
}

// config returns nil when there is no certificate.
func (c *certificate) config() *tls.Config {
	if c.current.Load() == nil {
		return nil
	}
	config := &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }, MinVersion: tls.VersionTLS12,
	}
	// A session that is taken up again is not verified again: its client's authority may be gone meanwhile.
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		authorities := c.clients.Load()
		if authorities == nil {
			return nil, nil //nolint:nilnil // the config itself
		}
		asking := config.Clone()
		asking.NextProtos = []string{"h2", "http/1.1"} // as both servers set it in copies of their own
		asking.ClientAuth, asking.ClientCAs, asking.SessionTicketsDisabled = tls.VerifyClientCertIfGiven, authorities, true
		return asking, nil
	}
	return config
}

// loadAuthorities returns nil when none are configured. key is the listener's TLS in the configuration.
func loadAuthorities(key string, c config.TLS) (*x509.CertPool, error) {
	if c.ClientCAFile == "" {
		return nil, nil //nolint:nilnil // documented
	}
	pool, _, err := config.LoadAuthorities(c.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("%s.client_ca_file: %w", key, err)
	}
	return pool, nil
}

// certificates are those of the public listeners.
type certificates struct {
	http, grpc certificate
	callers    map[string]*certificate // of callers' listeners, by their addresses as the process was started with
}

var certificateDesc = newDesc("tls_certificate_expiry_timestamp_seconds", "When the listener's certificate ends, Unix time.", "listener")

// Describe implements prometheus.Collector.
func (c *certificates) Describe(out chan<- *prometheus.Desc) { out <- certificateDesc }

// Collect implements prometheus.Collector.
func (c *certificates) Collect(out chan<- prometheus.Metric) {
	all := map[string]*certificate{"http": &c.http, "grpc": &c.grpc}
	maps.Copy(all, c.callers)
	for name, listener := range all {
		if now := listener.current.Load(); now != nil && now.Leaf != nil {
			out <- prometheus.MustNewConstMetric(certificateDesc, prometheus.GaugeValue, float64(now.Leaf.NotAfter.Unix()), name)
		}
	}
}

func (c *certificates) setAll(f files) {
	c.http.current.Store(f.http)
	c.grpc.current.Store(f.grpc)
	c.setClients(f)
	for address, listener := range c.callers {
		if now, listed := f.listeners[address]; listed { // one that is not keeps its own, and refuses everybody
			listener.current.Store(now)
		}
	}
}

func (c *certificates) setClients(f files) {
	c.http.clients.Store(f.httpClients)
	c.grpc.clients.Store(f.grpcClients)
}

// listenFor prepares the certificates of callers' listeners.
func (c *certificates) listenFor(listeners []config.Listener) {
	c.callers = map[string]*certificate{}
	for _, l := range listeners {
		c.callers[l.Listen] = new(certificate)
	}
}

// loadListeners returns the certificates of callers' listeners by their addresses; nil: it has none.
func loadListeners(listeners []config.Listener) (map[string]*tls.Certificate, error) {
	loaded := map[string]*tls.Certificate{}
	for i, l := range listeners {
		var err error
		if loaded[l.Listen], err = loadCertificate(fmt.Sprintf("listeners[%d].tls", i), l.TLS.AsTLS()); err != nil {
			return nil, err
		}
	}
	return loaded, nil
}
