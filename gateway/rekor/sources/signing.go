// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// The major versions of Rekor's API.
const (
	apiV1 uint32 = 1
	apiV2 uint32 = 2
)

// maxServices bounds the logs in a signing config.
const maxServices = 1000

// signing is what a signing config says of logs.
type signing struct {
	services []root.Service // of Rekor API version 2
	v1       []root.Service // of Rekor API version 1
	selector root.ServiceConfiguration
}

// listOf returns the services of one version.
func (s *signing) listOf(version uint32) []root.Service {
	if version == apiV1 {
		return s.v1
	}
	return s.services
}

// version returns that of the log's API.
func (l Log) version() uint32 {
	if l.RekorV1 {
		return apiV1
	}
	return apiV2
}

// readSigning reads a Sigstore signing config (protobuf-specs, trustroot v1, media type v0.2, as JSON). An unknown field is an error.
func readSigning(b []byte) (*signing, error) {
	if len(b) > trustroot.MaxSize {
		return nil, fmt.Errorf("reading signing config: over %d bytes", trustroot.MaxSize)
	}
	m, err := root.NewSigningConfigProtobuf(b)
	if err != nil {
		return nil, fmt.Errorf("reading signing config: %w", err)
	}
	if m.GetRekorTlogConfig() == nil { // the library takes for granted that it is there
		return nil, errors.New("reading signing config: rekorTlogConfig is missing")
	}
	c, err := root.NewSigningConfigFromProtobuf(m)
	if err != nil {
		return nil, fmt.Errorf("reading signing config: %w", err)
	}
	all := c.RekorLogURLs()
	if len(all) > maxServices {
		return nil, fmt.Errorf("reading signing config: over %d logs", maxServices)
	}
	s := &signing{selector: c.RekorLogURLsConfig()}
	for _, service := range all {
		switch service.MajorAPIVersion {
		case apiV1:
			s.v1 = append(s.v1, service)
		case apiV2:
			s.services = append(s.services, service)
		}
	}
	return s, s.checkSelector()
}

func (s *signing) checkSelector() error {
	switch s.selector.Selector {
	case trustrootpb.ServiceSelector_ANY, trustrootpb.ServiceSelector_ALL:
		return nil
	case trustrootpb.ServiceSelector_EXACT:
		if s.selector.Count > 0 {
			return nil
		}
		return errors.New("reading signing config: rekorTlogConfig.count is missing, which EXACT needs")
	}
	return fmt.Errorf("reading signing config: rekorTlogConfig.selector is %v, not ANY, ALL or EXACT", s.selector.Selector)
}

// listOperators returns the operators whose logs of a version can be chosen at a time, in order.
func (s *signing) listOperators(version uint32, at time.Time) ([]string, error) {
	if version == apiV2 && len(s.services) == 0 && len(s.v1) > 0 {
		return nil, errors.New("the signing config names logs of Rekor API version 1 alone: set kind: rekor-v1 of the log, or name a signing config with version 2")
	}
	chosen, err := root.SelectServices(s.listOf(version), root.ServiceConfiguration{Selector: trustrootpb.ServiceSelector_ALL}, []uint32{version}, at)
	if err != nil {
		return nil, fmt.Errorf("the signing config has no log of Rekor API version %d that is in use", version)
	}
	var operators []string
	for _, service := range chosen {
		operators = append(operators, service.Operator)
	}
	slices.Sort(operators)
	return operators, nil
}

// findOperator returns the operator of a log, whom the configuration may have left out.
func (s *signing) findOperator(l Log, at time.Time) (string, error) {
	known, err := s.listOperators(l.version(), at)
	switch {
	case err != nil:
		return "", err
	case l.Operator == "" && len(known) == 1:
		return known[0], nil
	case l.Operator == "":
		return "", fmt.Errorf("the signing config has logs of several operators: name one with operator: %s", strings.Join(known, ", "))
	case !slices.Contains(known, l.Operator):
		return "", fmt.Errorf("the signing config has no log of operator %q in use, of Rekor API version %d; it has %s", l.Operator, l.version(), strings.Join(known, ", "))
	}
	return l.Operator, nil
}

// CheckSelected refuses fewer logs than the signing config's selector demands (ANY: one, EXACT: its count, ALL: one of each operator). sourced are
// the configured logs of the source, and need is how many of these an entry is in at least. Two logs of one operator, of two versions, are one to the selector.
func (c *Contents) CheckSelected(sourced []Log, need int, at time.Time) error {
	if c.signing == nil || len(sourced) == 0 {
		return nil
	}
	var operators []string
	for _, version := range listVersions(sourced) {
		of, err := c.signing.listOperators(version, at)
		if err != nil {
			return err
		}
		operators = append(operators, of...)
	}
	slices.Sort(operators)
	operators = slices.Compact(operators)
	need -= len(sourced) - c.countOperators(sourced, at)
	least := 1
	switch c.signing.selector.Selector {
	case trustrootpb.ServiceSelector_ALL:
		least = len(operators)
	case trustrootpb.ServiceSelector_EXACT:
		least = int(c.signing.selector.Count)
	}
	if least > len(operators) {
		return fmt.Errorf("the signing config wants %d logs, and has those of %d operators in use", least, len(operators))
	}
	if need < least {
		return fmt.Errorf("the signing config wants every entry in %d logs (%v), and no more than %d of them are sure to get it: configure one for each operator, %s, and see to logs.need of the policy",
			least, c.signing.selector.Selector, max(need, 0), strings.Join(operators, ", "))
	}
	return nil
}

// listVersions returns the versions of the logs' APIs, each once.
func listVersions(logs []Log) (versions []uint32) {
	for _, l := range logs {
		if v := l.version(); !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	return versions
}

// countOperators returns of how many operators the logs are. One that is not known counts by itself: ListShards and ListTrees tell what is wrong with it.
func (c *Contents) countOperators(logs []Log, at time.Time) int {
	of, unknown := map[string]bool{}, 0
	for _, l := range logs {
		operator, err := c.signing.findOperator(l, at)
		if err != nil {
			unknown++
			continue
		}
		of[operator] = true
	}
	return len(of) + unknown
}
