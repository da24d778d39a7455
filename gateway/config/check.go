// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// checkConfig refuses what cannot work, and what would let strangers in by mistake.
func (c *Config) checkConfig() error {
	for _, check := range []func() error{
		c.checkCallers, c.checkNames, c.checkIssuers, c.checkListeners, c.checkCallersListeners, c.checkProxies, c.checkContact, c.checkLogs, c.checkSource, c.CheckPolicies, c.checkLimits, c.checkWorker, c.checkAttestation, c.checkOwnLog, c.checkRekorAPI, c.checkLogging, c.checkAudit, c.checkTracing,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	if c.TrustedRoot == "" && c.Source.TUF == "" {
		return errors.New("trusted_root is missing: name the trusted_root.json with the logs' keys")
	}
	return c.checkStore()
}

func (c *Config) checkListeners() error {
	for _, l := range []struct {
		key, address string
		tls          TLS
		public       bool
	}{
		{"http", c.HTTP.Listen, c.HTTP.TLS, true},
		{"grpc", c.GRPC.Listen, c.GRPC.TLS, true},
		{"admin", c.Admin.Listen, TLS{}, false},
	} {
		if err := checkAddress(l.key, l.address, l.tls); err != nil {
			return err
		}
		if host, _, _ := net.SplitHostPort(l.address); l.public && !isLoopback(host) {
			if err := c.checkPublic(l.key, l.address, l.tls); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAddress refuses a listener that cannot be. key is its in the configuration.
func checkAddress(key, address string, tls TLS) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s.listen: %q is not host:port", key, address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%s.listen: there is no port %q", key, port)
	}
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		return fmt.Errorf("%s.tls: cert_file and key_file go together", key)
	}
	if tls.ClientCAFile != "" && tls.CertFile == "" {
		return fmt.Errorf("%s.tls: client_ca_file goes with cert_file and key_file", key)
	}
	return nil
}

// checkPublic refuses listeners that strangers reach, and those where they can read tokens.
func (c *Config) checkPublic(key, address string, tls TLS) error {
	switch {
	case len(c.Callers) == 0 && !c.InsecureNoAuth:
		return fmt.Errorf("%s.listen: %s can be reached from other machines, and this gateway lets every caller submit and read: "+
			"list the callers, listen on 127.0.0.1, or set insecure_no_auth: true where something else keeps strangers out", key, address)
	case c.usesTokens() && tls.CertFile == "" && !c.InsecurePlaintext:
		return fmt.Errorf("%s.listen: %s can be reached from other machines, and tokens sent to it without TLS can be read on the way: "+
			"set %s.tls, listen on 127.0.0.1, or set insecure_plaintext: true where something in front speaks TLS", key, address, key)
	}
	return nil
}

// isLoopback reports whether a listener on host is out of reach for other machines; the
// empty host is every interface.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) checkLogs() error {
	if len(c.Logs) == 0 {
		return errors.New("logs is empty: name at least one log")
	}
	seen, ofOrigin := map[string]bool{}, map[string]string{}
	for i := range c.Logs {
		l := &c.Logs[i]
		if l.ID == "" || l.IsSourced() && !c.Source.IsSet() {
			return fmt.Errorf("logs[%d]: id and origin are needed", i)
		}
		if seen[l.ID] {
			return fmt.Errorf("logs[%d]: the id %q is there twice", i, l.ID)
		}
		if other, ok := ofOrigin[l.Origin]; ok && !l.IsSourced() { // it would count as two of policy.logs.need, and be one
			return fmt.Errorf("logs[%d] (%s): the origin %q is that of %s: they are one log", i, l.ID, l.Origin, other)
		}
		seen[l.ID], ofOrigin[l.Origin] = true, l.ID
		if err := errors.Join(l.checkKind(), l.checkURLs(), l.checkDelay(), l.checkFormer(), l.checkRate()); err != nil {
			return fmt.Errorf("logs[%d] (%s): %w", i, l.ID, err)
		}
	}
	return nil
}

// maxIntegrationDelay is longer than any log takes; an entry that was lost waits for as long.
const maxIntegrationDelay = 24 * time.Hour

func (l *Log) checkDelay() error {
	if l.IntegrationDelay == 0 {
		l.IntegrationDelay = DefaultIntegrationDelay
	}
	if l.IntegrationDelay < time.Second || l.IntegrationDelay > maxIntegrationDelay {
		return errors.New(`integration_delay is not between 1s and 24h; write it as "5m"`)
	}
	return nil
}

func (l *Log) checkFormer() error {
	seen := map[string]bool{}
	for i, f := range l.Former {
		if f.Origin == "" {
			return fmt.Errorf("former[%d]: origin is needed", i)
		}
		if seen[f.Origin] {
			return fmt.Errorf("former[%d]: the origin %q is there twice", i, f.Origin)
		}
		seen[f.Origin] = true
		err := checkURL("read_url", f.ReadURL)
		if l.IsRekorV1() {
			err = checkFormerTree(f)
		}
		if err != nil {
			return fmt.Errorf("former[%d]: %w", i, err)
		}
	}
	return nil
}

// maxRate is more than any log takes.
const maxRate = 100_000

func (l *Log) checkRate() error {
	switch {
	case l.Rate < 0 || l.Rate > maxRate || l.Rate > 0 && l.Rate < 0.01 || math.IsNaN(l.Rate):
		return fmt.Errorf("rate is not between 0.01 and %d entries a second; leave it out for no limit", maxRate)
	case l.RateBurst < 0 || l.RateBurst > maxRate:
		return fmt.Errorf("rate_burst is not between 1 and %d entries", maxRate)
	case l.RateBurst > 0 && l.Rate == 0:
		return errors.New("rate_burst goes with rate; give both, or neither")
	}
	return nil
}

func (l *Log) checkURLs() error {
	switch {
	case l.IsSourced():
		return l.checkSourced()
	case l.IsRekorV1():
		if l.GRPCURL != "" || l.ReadURL != "" {
			return errors.New("a Rekor v1 log has one URL: give url, and neither grpc_url nor read_url")
		}
		return checkURL("url", l.URL)
	}
	if l.URL != "" {
		if l.GRPCURL != "" || l.ReadURL != "" {
			return errors.New("url stands for grpc_url and read_url; give it, or the two")
		}
		l.GRPCURL, l.ReadURL, l.URL = l.URL, l.URL, ""
	}
	for key, raw := range map[string]string{"grpc_url": l.GRPCURL, "read_url": l.ReadURL} {
		if err := checkURL(key, raw); err != nil {
			return err
		}
	}
	return nil
}

func checkURL(key, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%s: %s is not an http or https URL", key, showURL(raw))
	}
	return nil
}

// showURL quotes a URL, but for one that has a place for a password, or a key.
func showURL(raw string) string {
	if strings.ContainsAny(raw, "@?") {
		return "what is there"
	}
	return strconv.Quote(raw)
}

const (
	minRequestMemory = 128 << 20       // a few large requests at once
	minRequestTime   = 2 * time.Minute // the longest wait for the log, and an upload before it
	maxRequestTime   = 24 * time.Hour
)

func (c *Config) checkLimits() error {
	if c.Limits.RequestsPerMinute < 0 {
		return errors.New("limits.requests_per_minute must not be negative: leave it out for no limit")
	}
	if c.Limits.SignerSubmissionsPerDay < 0 {
		return errors.New("limits.signer_submissions_per_day must not be negative: leave it out for no limit")
	}
	if c.Limits.MinFreeDisk < 0 {
		return errors.New("limits.min_free_disk must not be negative: 0 is no limit")
	}
	for key, n := range map[string]int64{
		"max_artifact_bytes": int64(c.Limits.MaxArtifactBytes),
		"max_spool_bytes":    int64(c.Limits.MaxSpoolBytes),
		"max_pending":        int64(c.Limits.MaxPending),
		"max_pending_bytes":  int64(c.Limits.MaxPendingBytes),
		"request_burst":      int64(c.Limits.RequestBurst),

		"max_connections_per_address": int64(c.Limits.MaxConnectionsPerAddress),
		"max_connections":             int64(c.Limits.MaxConnections), "max_requests": int64(c.Limits.MaxRequests),
		"max_requests_per_caller": int64(c.Limits.MaxRequestsPerCaller), "min_upload_rate": int64(c.Limits.MinUploadRate),
	} {
		if n <= 0 {
			return fmt.Errorf("limits.%s is not above zero", key)
		}
	}
	if c.Limits.MaxRequestMemory < minRequestMemory {
		return fmt.Errorf("limits.max_request_memory is below %v: a large key alone may take half of that", Size(minRequestMemory))
	}
	c.limitInline()
	if err := c.Limits.Redis.check(); err != nil {
		return err
	}
	if t := c.Limits.MaxRequestTime; t < minRequestTime || t > maxRequestTime {
		return errors.New(`limits.max_request_time is not between 2m and 24h; write it as "3h"`)
	}
	return nil
}

func (r Redis) check() error {
	ways := r.secret().count()
	switch {
	case r == (Redis{}):
		return nil
	case ways == 0:
		return errors.New("limits.redis.url is missing: name the Redis that counts, with url, url_file or url_env")
	case ways > 1:
		return errors.New("limits.redis: url, url_file and url_env are three ways to say one thing; use one")
	case r.URL != "" && !isRedis(r.URL):
		return errors.New("limits.redis.url is not redis://, rediss:// or unix://") // and not what it is: a password may be in it
	case !slices.Contains([]string{"", OnFailureAllow, OnFailureRefuse}, r.OnFailure):
		return fmt.Errorf("limits.redis.on_failure: %q is neither %s nor %s", r.OnFailure, OnFailureAllow, OnFailureRefuse)
	}
	return nil
}

func isRedis(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme)
}

func (r Redis) secret() secret { return secret{"limits.redis.url", r.URL, r.URLFile, r.URLEnv} }

// IsSet reports whether there is a Redis.
func (r Redis) IsSet() bool { return r.secret().count() > 0 }

// ReadURL returns the URL, from wherever it is. No error of it says what that is.
func (r Redis) ReadURL() (string, error) {
	text, err := r.secret().read("the URL of a Redis")
	if err == nil && !isRedis(text) {
		return "", errors.New("what limits.redis names is not redis://, rediss:// or unix://")
	}
	return text, err
}

func (c *Config) checkWorker() error {
	for key, d := range map[string]time.Duration{
		"add_timeout": c.Worker.AddTimeout, "drain": c.Worker.Drain,
	} {
		if d < time.Second || d > time.Hour {
			return fmt.Errorf(`worker.%s is not between 1s and 1h; write it as "30s"`, key)
		}
	}
	return nil
}

func (c *Config) checkAttestation() error {
	a := c.Attestation
	switch {
	case a.Key == "" && (a.CreateKey || a.PasswordFile != "" || a.PasswordEnv != "" || a.GatewayTrust != ""):
		return errors.New("attestation.key is missing: name the key's file, or leave out the other fields")
	case a.GatewayTrustFrom != nil && (a.GatewayTrust == "" || *a.GatewayTrustFrom < 0):
		return errors.New("attestation.gateway_trust_from is an index from 0 on, for the file that attestation.gateway_trust names")
	case a.PasswordFile != "" && a.PasswordEnv != "":
		return errors.New("attestation: password_file and password_env are two ways to say one thing; use one")
	}
	return nil
}

func checkIDs(key string, ids []string) error {
	for i, id := range ids {
		if d, err := formats.ParseDigest(id); err != nil || d.Algorithm != formats.SHA256 {
			return fmt.Errorf("%s[%d]: %q is not sha256:HEX", key, i, id)
		}
	}
	return nil
}

func (c *Config) checkLogging() error {
	if err := oneOf("logging.level", c.Logging.Level, "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return oneOf("logging.format", c.Logging.Format, "text", "json")
}

const (
	minAuditKeep = time.Hour
	maxAuditKeep = 10 * 366 * 24 * time.Hour
)

func (c *Config) checkAudit() error {
	if k := c.Audit.Keep; k < minAuditKeep || k > maxAuditKeep {
		return errors.New(`audit.keep is not between 1h and 87840h; write 90 days as "2160h"`)
	}
	return oneOf("audit.on_failure", c.Audit.OnFailure, OnFailureRefuse, OnFailureContinue)
}

func (c *Config) checkTracing() error {
	t := c.Tracing
	if t.Sample <= 0 || t.Sample > 1 {
		return fmt.Errorf("tracing.sample: %v is not above 0 and at most 1", t.Sample)
	}
	if t.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("tracing.endpoint: this is not http(s)://HOST[:PORT][/PATH]")
	}
	return nil
}

func oneOf(key, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s%s", key, value, strings.Join(known, ", "), DidYouMean(value, known))
}
