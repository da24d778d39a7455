// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// PolicyFor returns the policy that the caller is held to: the one that he names, which stands alone, or else Config.Policy.
func (c *Config) PolicyFor(caller Caller) Policy { return c.PolicyNamed(caller.Policy) }

// PolicyNamed returns the policy of a name in Policies; of "" it is Config.Policy.
func (c *Config) PolicyNamed(name string) Policy {
	if name == "" {
		return c.Policy
	}
	return c.Policies[name]
}

// PolicyNames returns the names of all policies, of which the first is "".
func (c *Config) PolicyNames() []string {
	return append([]string{""}, slices.Sorted(maps.Keys(c.Policies))...)
}

// PolicyKey returns the key of a policy in the configuration.
func PolicyKey(name string) string {
	if name == "" {
		return "policy"
	}
	return "policies." + name
}

// LoadPolicies loads every policy, as Policy.Load does, by its name. An error begins with the policy's key.
func (c *Config) LoadPolicies(ctx context.Context, registry *formats.Registry) (map[string]formats.Policy, error) {
	loaded := map[string]formats.Policy{}
	for _, name := range c.PolicyNames() {
		p, err := c.PolicyNamed(name).Load(ctx, registry)
		if err != nil {
			return nil, fmt.Errorf("%s.%w", PolicyKey(name), err)
		}
		loaded[name] = p
	}
	return loaded, nil
}

// CheckPolicies refuses policies that cannot be met with c's logs, and callers of none.
func (c *Config) CheckPolicies() error {
	for name := range c.Policies {
		if err := CheckName(name); err != nil {
			return fmt.Errorf("policies: %w", err)
		}
	}
	for _, name := range c.PolicyNames() {
		p := c.PolicyNamed(name)
		if err := p.checkPolicy(); err != nil {
			return fmt.Errorf("%s.%w", PolicyKey(name), err)
		}
		if err := c.checkLogSet(p.Logs); err != nil {
			return fmt.Errorf("%s.%w", PolicyKey(name), err)
		}
		if err := c.checkWays(p.Ways); err != nil {
			return fmt.Errorf("%s.%w", PolicyKey(name), err)
		}
	}
	for i, caller := range c.Callers {
		if err := c.checkPolicyOf(caller); err != nil {
			return fmt.Errorf("callers[%d] (%s): %w", i, caller.Name, err)
		}
	}
	return c.checkRekorPolicies()
}

func (c *Config) checkPolicyOf(caller Caller) error {
	if caller.Policy == "" {
		return nil
	}
	if len(c.Policies) == 0 {
		return fmt.Errorf("policy: there is no policy %q: policies has none", caller.Policy)
	}
	return oneOf("policy", caller.Policy, slices.Sorted(maps.Keys(c.Policies))...)
}

// checkPolicy looks at what is to be seen without the policy's files. Errors begin with the key below the policy.
func (p Policy) checkPolicy() error {
	if _, err := p.Historical.load(); err != nil {
		return fmt.Errorf("historical.%w", err)
	}
	for i, r := range p.Representations {
		if err := oneOf(fmt.Sprintf("representations[%d]", i), r, string(gateway.Native), string(gateway.Projected), string(gateway.Attested)); err != nil {
			return err
		}
	}
	if err := checkIDs("allowed_signers", p.AllowedSigners); err != nil {
		return err
	}
	if err := p.checkIdentities(); err != nil {
		return err
	}
	return checkIDs("tuf_roots", p.TUFRoots)
}

// fileLists returns the lists of files that p names.
func (p Policy) fileLists() [][]string {
	return slices.AppendSeq([][]string{p.Roots}, maps.Values(p.Keys))
}

// ListFiles returns every file that p names.
func (p Policy) ListFiles() []string { return slices.Concat(p.fileLists()...) }

// MayPublish reports whether callers may have their certificates made public.
func (p Policy) MayPublish() bool { return p.PublishCertificate == nil || *p.PublishCertificate }
