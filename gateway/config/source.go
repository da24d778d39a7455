// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strings"
)

// Source is what knows logs, with their shards, that the configuration does not describe itself.
type Source struct {
	// SigningConfig is the file of a Sigstore signing config. The keys are in Config.TrustedRoot.
	SigningConfig string `yaml:"signing_config,omitempty"`
	// TUF is, in place of it and of Config.TrustedRoot, a TUF repository that has both: TUFSigstore, TUFStaging, or a URL.
	TUF string `yaml:"tuf,omitempty"`
	// TUFRoot is the file of the root.json that is trusted at first, for a URL.
	TUFRoot string `yaml:"tuf_root,omitempty"`
	// TUFCache is the folder for what was fetched last.
	TUFCache string `yaml:"tuf_cache,omitempty"`
	// The names of the targets in the repository.
	TUFTrustedRoot   string `yaml:"tuf_trusted_root,omitempty"`
	TUFSigningConfig string `yaml:"tuf_signing_config,omitempty"`
}

// The values of Source.TUF that are not URLs: Sigstore's public repositories, whose first roots come with the program.
const (
	TUFSigstore = "sigstore"
	TUFStaging  = "sigstore-staging"
)

// Defaults of Source.
const (
	defaultTUFCache         = "tuf-cache"
	defaultTUFTrustedRoot   = "trusted_root.json"
	defaultTUFSigningConfig = "signing_config_rekor_v2.v0.2.json"
)

// IsSet reports whether there is a source.
func (s Source) IsSet() bool { return s.SigningConfig != "" || s.TUF != "" }

// IsPublicTUF reports whether the repository is one whose first root comes with the program.
func (s Source) IsPublicTUF() bool { return s.TUF == TUFSigstore || s.TUF == TUFStaging }

// IsSourced reports whether the log is one of the source, by its operator.
func (l *Log) IsSourced() bool { return l.Origin == "" }

// checkSource refuses a source that nothing comes from, and logs of a source that is not there. It completes the source.
func (c *Config) checkSource() error {
	if err := c.Source.completeTUF(c.TrustedRoot); err != nil {
		return err
	}
	seen, sourced := map[string]map[string]string{}, false // by kind and operator
	for i := range c.Logs {
		l := &c.Logs[i]
		if !l.IsSourced() {
			if l.Operator != "" {
				return fmt.Errorf("logs[%d] (%s): operator is for logs of the source, which have no origin", i, l.ID)
			}
			continue
		}
		if l.IsRekorV1() && c.Source.TUF == "" {
			return fmt.Errorf("logs[%d] (%s): a log of Rekor v1 without an origin comes from source.tuf alone: give its origin and url, or name the repository", i, l.ID)
		}
		of := seen[l.Kind]
		if of == nil {
			of = map[string]string{}
			seen[l.Kind] = of
		}
		if other, twice := of[l.Operator]; twice { // it would count as two of policy.logs.need, and be one
			return fmt.Errorf("logs[%d] (%s): the operator %q is that of %s: they are one log", i, l.ID, l.Operator, other)
		}
		of[l.Operator], sourced = l.ID, true
	}
	for _, of := range seen {
		if _, only := of[""]; only && len(of) > 1 {
			return errors.New("logs: each log of the source needs an operator where there are several")
		}
	}
	if c.Source.IsSet() && !sourced {
		return errors.New("source: no log comes from it: leave out the origin and the URLs of one, or leave out source")
	}
	return nil
}

// checkSourced refuses what a log of the source does not say itself.
func (l *Log) checkSourced() error {
	if l.URL != "" || l.GRPCURL != "" || l.ReadURL != "" {
		return errors.New("the URLs of a log without an origin come from the source: give its origin, too, or leave them out")
	}
	return nil
}

// completeTUF checks what is said of a TUF repository, and gives it its defaults.
func (s *Source) completeTUF(trustedRoot string) error {
	switch {
	case s.TUF == "" && (s.TUFRoot != "" || s.TUFCache != "" || s.TUFTrustedRoot != "" || s.TUFSigningConfig != ""):
		return errors.New("source.tuf is missing: name the repository, or leave out the other keys that begin with tuf")
	case s.TUF == "":
		return nil
	case s.SigningConfig != "":
		return errors.New("source: signing_config is a file, and tuf a repository that has one; use one of them")
	case trustedRoot != "":
		return errors.New("trusted_root comes from the repository of source.tuf; leave it out")
	case s.IsPublicTUF() && s.TUFRoot != "":
		return fmt.Errorf("source.tuf_root: the root of %s comes with the program; leave it out, or name the repository by its URL", s.TUF)
	case !s.IsPublicTUF() && !strings.Contains(s.TUF, "://"):
		return oneOf("source.tuf", s.TUF, TUFSigstore, TUFStaging, "a URL")
	case !s.IsPublicTUF() && s.TUFRoot == "":
		return errors.New("source.tuf_root is missing: name the root.json of the repository that you trust")
	}
	if !s.IsPublicTUF() {
		if err := checkURL("source.tuf", s.TUF); err != nil {
			return err
		}
	}
	setDefault(&s.TUFCache, defaultTUFCache)
	setDefault(&s.TUFTrustedRoot, defaultTUFTrustedRoot)
	setDefault(&s.TUFSigningConfig, defaultTUFSigningConfig)
	return nil
}

func setDefault(value *string, to string) {
	if *value == "" {
		*value = to
	}
}

// maxContact bounds Config.Contact, in bytes.
const maxContact = 200

// checkContact refuses what cannot be in a header's comment.
func (c *Config) checkContact() error {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()\"`, r) }
	if len(c.Contact) > maxContact || strings.ContainsFunc(c.Contact, bad) {
		return fmt.Errorf("contact: this is not an address or a URL of at most %d characters, without spaces", maxContact)
	}
	return nil
}

// UserAgent returns the User-Agent header of requests to logs and TUF repositories.
func (c *Config) UserAgent() string {
	if c.Contact == "" {
		return "rekor-gateway"
	}
	return "rekor-gateway (+" + c.Contact + ")"
}
