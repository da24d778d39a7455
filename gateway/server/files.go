// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// files are what a configuration names, read and checked. Whatever is wrong with one of them is known here, before
// anything is opened or made.
type files struct {
	snapshot  sources.Snapshot  // what the logs come from
	contents  *sources.Contents // of the snapshot
	shards    map[string]shards // by the log's id
	forbidden [][32]byte        // signers: the authorities in the trusted root
	// authorities are the certificate authorities in the trusted root; nil: it has none.
	authorities *x509.CertPool
	policies    map[string]formats.Policy // by name; that of "" is for callers who name none
	http, grpc  *tls.Certificate          // nil: none
	// listeners are the certificates of callers' listeners, by their addresses.
	listeners map[string]*tls.Certificate
	callers   *auth.Table
	// The authorities of clients; nil: no certificate is asked for.
	httpClients, grpcClients *x509.CertPool
}

// readFiles reads every file that cfg names, but for the attestation's, some of which are made. The logs have to have keys
// in use at the given time, by the snapshot.
func readFiles(ctx context.Context, cfg *config.Config, snapshot func() (sources.Snapshot, error), at time.Time) (f files, err error) {
	if f, err = readCallers(cfg); err != nil {
		return f, err
	}
	if f.http, err = loadCertificate("http.tls", cfg.HTTP.TLS); err != nil {
		return f, err
	}
	if f.grpc, err = loadCertificate("grpc.tls", cfg.GRPC.TLS); err != nil {
		return f, err
	}
	if f.listeners, err = loadListeners(cfg.Listeners); err != nil {
		return f, err
	}
	if f.snapshot, err = snapshot(); err != nil {
		return f, err
	}
	if err := f.useSnapshot(cfg, at); err != nil {
		return f, err
	}
	f.policies, err = cfg.LoadPolicies(ctx, all.Formats())
	for _, name := range cfg.PolicyNames() {
		if err == nil {
			_, err = f.policyOf(name)
		}
	}
	return f, err
}

// readCallers reads what says who callers are.
func readCallers(cfg *config.Config) (f files, err error) {
	if f.httpClients, err = loadAuthorities("http.tls", cfg.HTTP.TLS); err != nil {
		return f, err
	}
	if f.grpcClients, err = loadAuthorities("grpc.tls", cfg.GRPC.TLS); err != nil {
		return f, err
	}
	f.callers, err = newTable(cfg)
	return f, err
}

// checkRegularFiles refuses a configuration that names what is not a file for what readFiles reads.
func checkRegularFiles(cfg *config.Config) error {
	paths := []string{cfg.TrustedRoot, cfg.Source.SigningConfig, cfg.Source.TUFRoot, cfg.HTTP.TLS.CertFile, cfg.HTTP.TLS.KeyFile, cfg.GRPC.TLS.CertFile, cfg.GRPC.TLS.KeyFile}
	for _, l := range cfg.Listeners {
		paths = append(paths, l.TLS.CertFile, l.TLS.KeyFile)
	}
	return checkAllRegular(append(paths, cfg.ListCallersFiles()...))
}

// checkAllRegular is checkRegular of several files.
func checkAllRegular(paths []string) error {
	for _, path := range paths {
		if err := checkRegular(path); err != nil {
			return err
		}
	}
	return nil
}

// checkRegular refuses what is there and not a file: reading a pipe, say, might not end, and nothing could end it. What is missing is
// left to whoever reads it.
func checkRegular(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}

// useAuthorities notes who may not sign, and who says who signs.
func (f *files) useAuthorities(root *trustroot.Root) error {
	content, err := readRoot(root)
	if err != nil {
		return err
	}
	if f.forbidden, err = listForbidden(content); err != nil {
		return err
	}
	f.authorities, err = poolAuthorities(content, wallClock)
	return err
}

// CheckFiles checks what cfg names as Build would, without listening, or opening or making anything.
func CheckFiles(ctx context.Context, cfg *config.Config) error {
	_, err := CheckLogs(ctx, cfg)
	return err
}

// CheckLogs is CheckFiles, and returns where the logs are.
func CheckLogs(ctx context.Context, cfg *config.Config) ([]CheckedLog, error) {
	now := time.Now()
	f, err := readFiles(ctx, cfg, func() (sources.Snapshot, error) { return peekSnapshot(ctx, cfg) }, now)
	if err != nil {
		return nil, err
	}
	if err := upload.CheckSpool(cfg.Limits.SpoolDir); err != nil {
		return nil, fmt.Errorf("limits.spool_dir: %w", err)
	}
	if cfg.Limits.Redis.IsSet() {
		if _, err := cfg.Limits.Redis.ReadURL(); err != nil {
			return nil, err
		}
	}
	if err := checkStore(cfg.Store); err != nil {
		return nil, err
	}
	if err := checkAttestation(cfg.Attestation); err != nil {
		return nil, err
	}
	if err := checkOwnKey(cfg); err != nil {
		return nil, err
	}
	return f.listChecked(cfg, now), checkFacadeKeys(cfg)
}

// checkOwnKey compares the own log's key, where it is there, with the gateway's trust file.
func checkOwnKey(cfg *config.Config) error {
	own, path := cfg.OwnLog, cfg.Attestation.GatewayTrust
	if !own.IsSet() || own.CreateKeys && !exists(own.Key) {
		return nil
	}
	signer, err := attest.LoadCheckpointSigner(own.Key, own.Origin, false)
	if err != nil {
		return err
	}
	if path == "" || !exists(path) {
		return nil
	}
	trust, err := trustroot.LoadGateway(path)
	if err != nil {
		return err
	}
	if _, err := trust.WithOwnLog(own.Origin, signer.VerifierKey()); err != nil {
		return fmt.Errorf("own_log.key: %s: %w", path, err)
	}
	return nil
}

// checkAttestation checks the files that are there; what is missing may be made at the start.
func checkAttestation(c config.Attestation) error {
	if c.Key == "" {
		return nil
	}
	if exists(c.Key) || !c.CreateKey {
		if _, err := attest.New(attest.Config{Active: c.Key, Password: choosePassword(c), Others: c.OtherKeys}); err != nil {
			return err
		}
	}
	if c.GatewayTrust != "" && exists(c.GatewayTrust) {
		_, err := trustroot.LoadGateway(c.GatewayTrust)
		return err
	}
	return nil
}
