// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Facade is the log that clients of Rekor v1 see where rekor_api.v1 names one of Rekor v2, whose entries they cannot read.
type Facade struct {
	Host       string `yaml:"host,omitempty"`        // by which its checkpoints are signed: HOST, and HOST - TREE as origin
	Key        string `yaml:"key,omitempty"`         // PEM file of an ECDSA P-256 private key, which signs checkpoints and entries, and which names the tree
	AnchorKey  string `yaml:"anchor_key,omitempty"`  // PEM file of an ECDSA P-256 private key, which signs anchors of that tree
	CreateKeys bool   `yaml:"create_keys,omitempty"` // make the keys when there are no such files
	// FormerKeys are PEM files of the keys of former trees, the first one first.
	FormerKeys []string `yaml:"former_keys,omitempty"`
}

// isEmpty reports whether nothing is set.
func (f Facade) isEmpty() bool {
	return f.Host == "" && f.Key == "" && f.AnchorKey == "" && !f.CreateKeys && len(f.FormerKeys) == 0
}

// HasFacade reports whether clients of Rekor v1 see a log of the gateway's own.
func (c *Config) HasFacade() bool {
	return slices.ContainsFunc(c.Logs, func(l Log) bool { return l.ID == c.RekorAPI.V1 && !l.IsRekorV1() })
}

func (c *Config) checkFacade() error {
	f := c.RekorAPI.Facade
	for _, l := range c.Logs {
		if gateway.IsFacadeLog(l.ID) {
			return fmt.Errorf("logs: %s has an id that the log of rekor_api.facade may have; choose another one", l.ID)
		}
	}
	if !c.HasFacade() {
		if !f.isEmpty() {
			return errors.New("rekor_api.facade goes with a log of Rekor v2 as rekor_api.v1")
		}
		return nil
	}
	if !isOrigin(f.Host) || strings.ContainsRune(f.Host, '/') {
		return errors.New("rekor_api.facade.host is missing, or no name of a host: clients of Rekor v1 cannot read entries of Rekor v2, and see a log of that name in its place")
	}
	keys := append([]string{f.Key, f.AnchorKey}, f.FormerKeys...)
	if slices.Contains(keys, "") {
		return errors.New("rekor_api.facade.key and rekor_api.facade.anchor_key are needed: name the keys' files; with create_keys they are made")
	}
	others := []string{c.Attestation.Key, c.OwnLog.Key, c.OwnLog.AnchorKey}
	for i, key := range keys {
		if slices.Contains(keys[:i], key) || slices.Contains(others, key) {
			return fmt.Errorf("rekor_api.facade: each key is for one thing: %s is there twice", key)
		}
	}
	return nil
}
