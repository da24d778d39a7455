// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// What dev keeps in its data folder, besides the log's own folder.
const (
	configFile = "config.yaml"
	rootFile   = "trusted_root.json"
	trustFile  = "gateway_trust.json"
	storeFile  = "rekor-gateway.db"
	keyFile    = "attestation.key"
	ownFile    = "own_log.key"
	anchorFile = "anchor.key"

	facadeFile       = "facade.key"
	facadeAnchorFile = "facade_anchor.key"
)

// devOrigin is the local log's name. Sigstore's tools want it to be a host name.
const devOrigin = "rekor.local"

// devOwnOrigin is the name of the gateway's own log, and devAnchorEvery how often it is anchored: nobody pays for the local log's entries.
const (
	devOwnOrigin   = devOrigin + "/own"
	devAnchorEvery = time.Second
)

// devFacadeHost is the name of the log that clients of Rekor v1 see.
const devFacadeHost = "gateway.local"

// devDelay is the integration delay of the local log, which takes no longer.
const devDelay = 30 * time.Second

// rekorName is the local log's program.
const rekorName = "rekor-server-posix"

// findRekor returns the path of the log's program: the one named by flag or environment, else the
// one beside this program, else the one on the PATH.
func findRekor(named string) (string, error) {
	if named == "" {
		named = os.Getenv("REKOR_SERVER")
	}
	if named != "" {
		if _, err := os.Stat(named); err != nil { // #nosec G703 -- the caller names the program
			return "", withHint(fmt.Errorf("finding the local Rekor server: %w", err), "make build puts it at .build/bin/%s", rekorName)
		}
		return named, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), rekorName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	found, err := exec.LookPath(rekorName)
	if err != nil {
		return "", withHint(fmt.Errorf("there is no %s beside this program or on the PATH", rekorName),
			"make build makes it, in .build/bin; or name it with --rekor-server PATH")
	}
	return found, nil
}

// writeConfig writes the trusted root and the configuration, and reads the latter back as serve
// would.
func (f *devFlags) writeConfig(rekor *localrekor.Server) (*config.Config, error) {
	if err := f.writeRoot(rekor); err != nil {
		return nil, err
	}
	c := config.Default()
	c.HTTP.Listen, c.GRPC.Listen, c.Admin.Listen = f.http, f.grpc, f.admin
	c.TrustedRoot = rootFile
	c.Logs = []config.Log{{
		ID: "local", Origin: devOrigin, GRPCURL: rekor.GRPCURL(), ReadURL: rekor.ReadURL(), IntegrationDelay: devDelay,
	}}
	c.Store.SQLite.Path = storeFile
	c.Attestation = config.Attestation{Key: keyFile, CreateKey: true, GatewayTrust: trustFile}
	c.OwnLog.Origin, c.OwnLog.AnchorEvery = devOwnOrigin, devAnchorEvery
	c.OwnLog.Key, c.OwnLog.AnchorKey, c.OwnLog.CreateKeys = ownFile, anchorFile, true
	c.RekorAPI = config.RekorAPI{V1: "local", V2: "local", Facade: config.Facade{Host: devFacadeHost, Key: facadeFile, AnchorKey: facadeAnchorFile, CreateKeys: true}}
	c.Logging.Format = "text"
	raw, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	raw = append([]byte("# Written anew by each start of: rekor-gateway dev\n"), raw...)
	if err := os.WriteFile(f.dataPath(configFile), raw, 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return config.Load(f.dataPath(configFile))
}

// writeRoot writes the trusted root unless there is one with the log's key: receipts of
// earlier runs are verified with it.
func (f *devFlags) writeRoot(rekor *localrekor.Server) error {
	old, err := trustroot.Load(f.dataPath(rootFile))
	if err == nil {
		if _, ok := old.Log(devOrigin, rekor.Verifier().KeyHash()); ok {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := rekor.PublicKey()
	if err != nil {
		return err
	}
	root, err := trustroot.New(trustroot.LogKey{Origin: devOrigin, SPKI: key, Start: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return root.Write(f.dataPath(rootFile))
}
