// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// witnessesOf says by when witnesses have cosigned checkpoints, by their origins.
type witnessesOf map[string]time.Time

func (w witnessesOf) CheckCosigned(checkpoint []byte, _ time.Time) (receipt.Cosigned, error) {
	name, _, _ := strings.Cut(string(checkpoint), "\n")
	by, ok := w[name]
	if !ok {
		return receipt.Cosigned{}, errors.New("nobody has cosigned it")
	}
	return receipt.Cosigned{By: by, Witnesses: []string{"witness.test"}}, nil
}

// TestWitnessed: a receipt has to meet the reader's policy with the checkpoint of the log, or of the gateway's own, or of one in which that is anchored. The
// time by which it does is a verified time, where it is over.
func TestWitnessed(t *testing.T) {
	direct := native(t)
	own := batch(t, native(t), receiptpb.Receipt_NATIVE)
	attested := batch(t, native(t), receiptpb.Receipt_ATTESTED)
	now := direct.options().Now
	hour := now.Add(-time.Hour).UTC().Truncate(time.Second)
	day := hour.Add(-24 * time.Hour)
	ownOptions := func(b *batched) receipt.Options {
		o := b.options()
		o.GatewayTrust = b.trust
		return o
	}
	for name, c := range map[string]struct {
		receipt *signed
		options receipt.Options
		policy  receipt.WitnessPolicy
		want    formats.Reason
		lines   []string
	}{
		"no policy":               {direct, direct.options(), nil, "", []string{"time: nobody says"}},
		"the log":                 {direct, direct.options(), witnessesOf{origin: hour}, "", []string{"time: existed by " + hour.Format(time.RFC3339) + ", by the witnesses of your policy: witness.test", "witnesses: the checkpoint of log " + origin + " over the entry is cosigned as your witness policy asks, by witness.test"}},
		"another log":             {direct, direct.options(), witnessesOf{"else.test": hour}, receipt.ReasonQuorumNotMet, nil},
		"of nobody":               {direct, direct.options(), witnessesOf{origin: {}}, "", []string{"time: nobody says"}},
		"in a minute":             {direct, direct.options(), witnessesOf{origin: now.Add(time.Minute)}, "", []string{"time: nobody says", "witnesses: "}},
		"the own log":             {own.signed, ownOptions(own), witnessesOf{ownOrigin: hour}, "", []string{"time: existed by " + hour.Format(time.RFC3339), "witnesses: the checkpoint of log " + ownOrigin}},
		"the log of the anchor":   {own.signed, ownOptions(own), witnessesOf{origin: hour}, "", []string{"time: existed by " + hour.Format(time.RFC3339), "witnesses: the checkpoint of log " + origin}},
		"both, one of them first": {own.signed, ownOptions(own), witnessesOf{ownOrigin: hour, origin: day}, "", []string{"time: existed by " + day.Format(time.RFC3339)}},
		"neither":                 {own.signed, ownOptions(own), witnessesOf{}, receipt.ReasonQuorumNotMet, nil},
		"attested":                {attested.signed, ownOptions(attested), witnessesOf{ownOrigin: hour}, "", []string{"witnesses: the checkpoint of log " + ownOrigin}},
		"attested, by neither":    {attested.signed, ownOptions(attested), witnessesOf{}, receipt.ReasonQuorumNotMet, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.WitnessPolicy = c.policy
			if c.want != "" {
				c.receipt.refused(t, c.options, c.want, func(*receiptpb.Receipt) {})
				return
			}
			report, err := c.receipt.verify(t, c.receipt.receipt, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range c.lines {
				if !strings.Contains(report.String(), line) {
					t.Errorf("it does not say %q:\n%s", line, report)
				}
			}
			if c.policy == nil && strings.Contains(report.String(), "witnesses:") {
				t.Errorf("it says something of witnesses:\n%s", report)
			}
		})
	}
}
