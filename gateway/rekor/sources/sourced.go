// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// readPath is where a Rekor v2 has its checkpoint and tiles, below the URL that a signing config names.
const readPath = "api/v2"

// listSourced returns the shards of an operator's log: those in the signing config, written to while both it and their keys are in use,
// and those that the trusted root alone still has, which are read.
func (c *Contents) listSourced(l Log, at time.Time) ([]rekorv2.Shard, error) {
	operator, err := c.signing.findOperator(l, at)
	if err != nil {
		return nil, err
	}
	var shards []rekorv2.Shard
	for _, service := range c.signing.services {
		if service.Operator != operator {
			continue
		}
		found, err := c.listOfService(service)
		if err != nil {
			return nil, err
		}
		shards = append(shards, found...)
	}
	if shards, err = mergeSame(shards); err != nil {
		return nil, err
	}
	for _, s := range shards {
		if isInUse(s, at) {
			return closeFormer(append(shards, c.listDropped(shards, operator, l.Others)...), l, at), nil
		}
	}
	return nil, fmt.Errorf("the trusted root has no key in use for a log of operator %q that the signing config names", operator)
}

// mergeSame joins what the signing config names more than once: one key of one log. Where it is written to without a break, at one address, that is one shard.
func mergeSame(shards []rekorv2.Shard) (merged []rekorv2.Shard, err error) {
	for _, s := range shards {
		at := slices.IndexFunc(merged, func(m rekorv2.Shard) bool { return m.Origin == s.Origin && bytes.Equal(m.KeyID, s.KeyID) })
		if at < 0 {
			merged = append(merged, s)
			continue
		}
		m := &merged[at]
		switch {
		case isNever(*m):
			*m = s
			continue
		case isNever(s):
			continue
		case m.GRPCURL != s.GRPCURL:
			return nil, fmt.Errorf("the signing config has the log %s at two addresses, %s and %s: which of them is right is for its maker to say", s.Origin, m.GRPCURL, s.GRPCURL)
		case !m.End.IsZero() && s.Start.After(m.End) || !s.End.IsZero() && m.Start.After(s.End):
			return nil, fmt.Errorf("the signing config has the log %s twice, with a time between in which it is not written to; configure it by hand, with its origin, grpc_url and read_url", s.Origin)
		}
		if s.Start.Before(m.Start) {
			m.Start = s.Start
		}
		if s.End.IsZero() || !m.End.IsZero() && s.End.After(m.End) {
			m.End = s.End
		}
	}
	return merged, nil
}

// isNever reports whether a shard is written to at no time, since the window of its key does not meet that in the signing config.
func isNever(s rekorv2.Shard) bool { return !s.End.IsZero() && !s.Start.Before(s.End) }

func isInUse(s rekorv2.Shard, at time.Time) bool {
	return !s.Start.After(at) && (s.End.IsZero() || s.End.After(at))
}

// listOfService returns a shard for each key of a service. It has none yet where the trusted root does not know it.
func (c *Contents) listOfService(service root.Service) ([]rekorv2.Shard, error) {
	base, host, err := splitService(service)
	if err != nil {
		return nil, err
	}
	var shards []rekorv2.Shard
	for _, trusted := range listKeys(c.Root, host, trustroot.Log{}) {
		s := newShard(trusted)
		s.GRPCURL, s.ReadURL = base, base+"/"+readPath
		s.Start, s.End = narrow(s.Start, s.End, service)
		shards = append(shards, s)
	}
	return shards, nil
}

// splitService returns the URL of a service, without a path, and its host's name, which is the origin of the log.
func splitService(service root.Service) (base, host string, err error) {
	u, err := url.Parse(service.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		return "", "", fmt.Errorf("the signing config's URL %.80q is not http(s)://HOST[:PORT]", service.URL)
	}
	return u.Scheme + "://" + u.Host, u.Hostname(), nil
}

// narrow returns the part of a window that the service's is of. An end that is zero is none.
func narrow(start, end time.Time, service root.Service) (time.Time, time.Time) {
	if service.ValidityPeriodStart.After(start) {
		start = service.ValidityPeriodStart
	}
	if until := service.ValidityPeriodEnd; !until.IsZero() && (end.IsZero() || until.Before(end)) {
		end = until
	}
	return start, end
}

// listDropped returns the operator's shards that the signing config does not name any more: entries may be in doubt there.
func (c *Contents) listDropped(named []rekorv2.Shard, operator string, others []string) []rekorv2.Shard {
	known := map[gateway.Shard]bool{}
	for _, s := range named {
		known[gateway.Shard{Origin: s.Origin, KeyID: [32]byte(s.KeyID)}] = true
	}
	var dropped []rekorv2.Shard
	for _, l := range c.Root.Logs() {
		if !isRekorV2(l) || c.signing.isV1(l.Origin) || slices.Contains(others, l.Origin) || known[gateway.Shard{Origin: l.Origin, KeyID: [32]byte(l.ID)}] || !c.isOf(l, operator) {
			continue
		}
		base := strings.TrimRight(l.BaseURL, "/")
		if !strings.Contains(base, "://") {
			base = "https://" + base
		}
		s := newShard(l)
		s.ReadURL = base + "/" + readPath
		dropped = append(dropped, s)
	}
	return dropped
}

// isV1 reports whether the signing config names a log of version 1 at a host. Its key may be of a kind that logs of version 2 have, too.
func (s *signing) isV1(host string) bool {
	return slices.ContainsFunc(s.v1, func(service root.Service) bool {
		_, of, err := splitService(service)
		return err == nil && of == host
	})
}

// isOf reports whether a log is an operator's: by the trusted root, or, where that does not say, since the signing config has no other
// operator and does not name the log.
func (c *Contents) isOf(l trustroot.Log, operator string) bool {
	if l.Operator != "" {
		return l.Operator == operator
	}
	for _, s := range c.signing.services {
		if s.Operator != operator {
			return false
		}
	}
	return true
}

// closeFormer has shards that the configuration calls former be read where it says, and not written to, unless they are in use.
func closeFormer(shards []rekorv2.Shard, l Log, at time.Time) []rekorv2.Shard {
	for i := range shards {
		s := &shards[i]
		if f := indexOfFormer(l, s.Origin); f >= 0 && !isInUse(*s, at) {
			s.GRPCURL, s.ReadURL, s.Closed = "", l.Former[f].ReadURL, l.Former[f].Closed
		}
	}
	return shards
}
