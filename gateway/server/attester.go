// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// newAttester returns nil when no key is configured. own are the identities of all of the
// gateway's keys.
func newAttester(ctx context.Context, c config.Attestation, logs []gateway.Log, version string) (a gateway.Attester, own [][sha256.Size]byte, err error) {
	if c.Key == "" {
		return nil, nil, nil
	}
	signer, err := attest.New(attest.Config{
		Active: c.Key, Create: c.CreateKey, Password: choosePassword(c), Others: c.OtherKeys,
		Verifier: statement.Verifier{Name: "rekor-gateway", Version: version},
	})
	if err != nil {
		return nil, nil, err
	}
	own = signer.IDs()
	if c.GatewayTrust == "" {
		return signer, own, nil
	}
	trust, err := keepTrust(ctx, c.GatewayTrust, signer.SPKI(), logs)
	if err != nil {
		return nil, nil, err
	}
	return signer, append(own, trust.IDs()...), nil
}

func choosePassword(c config.Attestation) attest.Password {
	switch {
	case c.PasswordFile != "":
		return attest.PasswordFromFile(c.PasswordFile)
	case c.PasswordEnv != "":
		return attest.PasswordFromEnv(c.PasswordEnv)
	}
	return nil
}

// keepTrust adds the key to the trust file, unless it counts for all logs already: from each
// log's size now on, since it has signed nothing in it before.
func keepTrust(ctx context.Context, path string, spki []byte, logs []gateway.Log) (*trustroot.Gateway, error) {
	trust, err := trustroot.LoadGateway(path)
	if errors.Is(err, fs.ErrNotExist) {
		trust, err = trustroot.NewGateway()
	}
	if err != nil {
		return nil, err
	}
	from := map[string]int64{}
	known, _ := trust.Key(spki)
	for _, l := range logs {
		origin := l.Describe().Origin
		if hasRange(known, origin) {
			continue
		}
		size, err := l.Size(ctx)
		if err != nil {
			return nil, fmt.Errorf("adding the attestation key to the gateway trust: reading log %s: %w", l.Describe().ID, err)
		}
		from[origin] = int64(size)
	}
	if len(from) == 0 {
		return trust, nil
	}
	if trust, err = trust.WithKey(spki, from); err != nil {
		return nil, err
	}
	return trust, trust.Write(path)
}

// hasRange reports whether k has a range in the log called origin, whether it has ended or not.
func hasRange(k trustroot.GatewayKey, origin string) bool {
	for _, l := range k.Logs {
		if l.Origin == origin {
			return true
		}
	}
	return false
}
