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

// The major versions of Rekor's API. Logs of the first cannot be written to.
const (
	apiV1 uint32 = 1
	apiV2 uint32 = 2
)

// maxServices bounds the logs in a signing config.
const maxServices = 1000

// signing is what a signing config says of logs.
type signing struct {
	services []root.Service // of Rekor API version 2
	onlyV1   bool           // there are services, and none is of version 2
	selector root.ServiceConfiguration
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
		if service.MajorAPIVersion == apiV2 {
			s.services = append(s.services, service)
		}
	}
	s.onlyV1 = len(s.services) == 0 && slices.ContainsFunc(all, func(s root.Service) bool { return s.MajorAPIVersion == apiV1 })
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

// listOperators returns the operators whose logs can be chosen at a time, in order.
func (s *signing) listOperators(at time.Time) ([]string, error) {
	if s.onlyV1 {
		return nil, errors.New("the signing config names logs of Rekor API version 1 alone, which no log of the source can be; name a signing config with version 2, or configure the log by hand, with kind: rekor-v1")
	}
	chosen, err := root.SelectServices(s.services, root.ServiceConfiguration{Selector: trustrootpb.ServiceSelector_ALL}, []uint32{apiV2}, at)
	if err != nil {
		return nil, errors.New("the signing config has no log of Rekor API version 2 that is in use")
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
	known, err := s.listOperators(at)
	switch {
	case err != nil:
		return "", err
	case l.Operator == "" && len(known) == 1:
		return known[0], nil
	case l.Operator == "":
		return "", fmt.Errorf("the signing config has logs of several operators: name one with operator: %s", strings.Join(known, ", "))
	case !slices.Contains(known, l.Operator):
		return "", fmt.Errorf("the signing config has no log of operator %q in use, of Rekor API version 2; it has %s", l.Operator, strings.Join(known, ", "))
	}
	return l.Operator, nil
}

// CheckSelected refuses fewer logs than the signing config's selector demands (ANY: one, EXACT: its count, ALL: one of each operator). sourced are
// the configured logs of the source, and need is how many of these an entry is in at least.
func (c *Contents) CheckSelected(sourced []Log, need int, at time.Time) error {
	if c.signing == nil || len(sourced) == 0 {
		return nil
	}
	operators, err := c.signing.listOperators(at)
	if err != nil {
		return err
	}
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
