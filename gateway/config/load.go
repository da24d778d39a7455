// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds a configuration file, in bytes.
const maxSize = 1 << 20

// Load reads the file at path. Unset fields take their defaults, and relative paths are made
// relative to the file's folder.
func Load(path string) (*Config, error) {
	raw, err := readConfig(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	c, err := Parse(raw)
	if err != nil {
		return nil, blameEach("reading configuration "+path, err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("reading configuration %s: %w", path, err)
	}
	c.resolvePaths(folder)
	return c, nil
}

// blameEach returns err with what was done; of several that are joined, each has it, since each is told on a line of its own.
func blameEach(doing string, err error) error {
	several, ok := err.(interface{ Unwrap() []error }) // what is wrapped further is one thing
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var all []error
	for _, one := range several.Unwrap() {
		all = append(all, fmt.Errorf("%s: %w", doing, one))
	}
	return errors.Join(all...)
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(raw) > maxSize {
		err = errors.New("the file is larger than 1 MiB")
	}
	return raw, err
}

// Parse reads one YAML document. An unknown or repeated key is an error that names it and its
// line. Paths stay as they are.
func Parse(raw []byte) (*Config, error) {
	c := Default()
	c.Store.SQLite.Path = notGiven
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, explainYAMLError(err, raw)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is a second YAML document; put everything into one")
	}
	if err := refuseEmptyCallers(raw); err != nil {
		return nil, err
	}
	c.Store.completeStore()
	if err := c.applyProfile(); err != nil {
		return nil, err
	}
	if err := c.checkConfig(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Marshal returns c as YAML that Parse reads back.
func (c Config) Marshal() ([]byte, error) {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding configuration: %w", err)
	}
	return raw, nil
}

// walkKeys visits the path ("http.tls.key_file", "logs[].id") of every key within t.
func walkKeys(t reflect.Type, prefix string, visit func(owner reflect.Type, path string)) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		visit(t, prefix+key)
		switch {
		case f.Type.Kind() == reflect.Struct:
			walkKeys(f.Type, prefix+key+".", visit)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			walkKeys(f.Type.Elem(), prefix+key+"[].", visit)
		}
	}
}

// resolvePaths makes relative paths relative to folder.
func (c *Config) resolvePaths(folder string) {
	paths := []*string{
		&c.HTTP.TLS.CertFile, &c.HTTP.TLS.KeyFile, &c.GRPC.TLS.CertFile, &c.GRPC.TLS.KeyFile, &c.HTTP.TLS.ClientCAFile, &c.GRPC.TLS.ClientCAFile,
		&c.TrustedRoot, &c.Source.SigningConfig, &c.Source.TUFRoot, &c.Source.TUFCache, &c.Store.SQLite.Path, &c.Store.Postgres.DSNFile, &c.Limits.Redis.URLFile, &c.Limits.SpoolDir,
		&c.Attestation.Key, &c.Attestation.PasswordFile, &c.Attestation.GatewayTrust, &c.OwnLog.Key, &c.OwnLog.AnchorKey, &c.RekorAPI.Facade.Key, &c.RekorAPI.Facade.AnchorKey,
	}
	for i := range c.Listeners {
		paths = append(paths, &c.Listeners[i].TLS.CertFile, &c.Listeners[i].TLS.KeyFile)
	}
	for i := range c.Callers {
		paths = append(paths, &c.Callers[i].OIDC.CAFile)
	}
	lists := [][]string{c.Attestation.OtherKeys, c.RekorAPI.Facade.FormerKeys}
	for _, name := range c.PolicyNames() {
		lists = append(lists, c.PolicyNamed(name).fileLists()...)
	}
	for _, list := range lists {
		for i := range list {
			paths = append(paths, &list[i])
		}
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
}
