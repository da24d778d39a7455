// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// keyDetailsLog takes what Rekor v2 takes.
type keyDetailsLog struct{}

func (keyDetailsLog) Accepts(o gateway.Offer) error {
	switch {
	case o.Whole != nil:
		return formats.NewError(formats.ReasonNotProjectable, "no such kind", "")
	case o.Projection == nil:
		return nil
	}
	_, err := hashedrekord.KeyDetails(o.Projection.Candidate)
	return err
}

func candidate(t *testing.T, native bool, c elliptic.Curve, h formats.DigestAlgorithm) formats.Candidate {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return formats.Candidate{Native: native, SPKI: spki, Scheme: formats.ECDSA, Hash: h, Remedy: "sign with SHA-256"}
}

func TestPlan(t *testing.T) {
	native, projected := candidate(t, true, elliptic.P256(), formats.SHA256), candidate(t, false, elliptic.P256(), formats.SHA256)
	odd := candidate(t, false, elliptic.P256(), formats.SHA512)
	none := formats.NewError(formats.ReasonNotProjectable, "pure Ed25519", "use another key")
	weak := []formats.Finding{{Reason: formats.ReasonWeakAlgorithm, Message: "SHA-1"}}
	for name, c := range map[string]struct {
		d       formats.Description
		attests bool
		want    gateway.Representation
		chosen  gateway.Representation
		refusal formats.Reason
	}{
		"native":                    {formats.Description{Candidates: []formats.Candidate{native}, Threshold: 1}, true, "", gateway.Native, ""},
		"projected":                 {formats.Description{Candidates: []formats.Candidate{projected}, Threshold: 1}, true, "", gateway.Projected, ""},
		"attested":                  {formats.Description{NotProjectable: none, Threshold: 1}, true, "", gateway.Attested, ""},
		"nobody attests":            {formats.Description{NotProjectable: none, Threshold: 1}, false, "", "", formats.ReasonNotProjectable},
		"not loggable":              {formats.Description{Candidates: []formats.Candidate{odd}, Threshold: 1}, false, "", "", formats.ReasonAlgorithmNotLoggable},
		"not loggable, attested":    {formats.Description{Candidates: []formats.Candidate{odd}, Threshold: 1}, true, "", gateway.Attested, ""},
		"below the threshold":       {formats.Description{Candidates: []formats.Candidate{projected, odd}, Threshold: 2}, true, "", gateway.Attested, ""},
		"threshold reached":         {formats.Description{Candidates: []formats.Candidate{projected, odd, projected}, Threshold: 2}, true, "", gateway.Projected, ""},
		"weak is only attested":     {formats.Description{Candidates: []formats.Candidate{projected}, Threshold: 1, Findings: weak}, true, "", gateway.Attested, ""},
		"weak, nobody attests":      {formats.Description{Candidates: []formats.Candidate{projected}, Threshold: 1, Findings: weak}, false, "", "", formats.ReasonWeakAlgorithm},
		"attested by wish":          {formats.Description{Candidates: []formats.Candidate{native}, Threshold: 1}, true, gateway.Attested, gateway.Attested, ""},
		"projected where native is": {formats.Description{Candidates: []formats.Candidate{native}, Threshold: 1}, true, gateway.Projected, "", formats.ReasonRepresentationRefused},
	} {
		t.Run(name, func(t *testing.T) {
			p := Planner{Logs: []Acceptor{keyDetailsLog{}}, Attests: c.attests}
			plan, err := p.Plan(c.d, c.want)
			if plan.Chosen != c.chosen || formats.ReasonOf(err) != c.refusal {
				t.Fatalf("chosen %q, error %v", plan.Chosen, err)
			}
			if err == nil {
				return
			}
			for _, o := range plan.Options {
				if o.Refusal != nil && o.Refusal.Message == "" {
					t.Errorf("%s is refused without words", o.Representation)
				}
			}
		})
	}
}

// TestAllowedRepresentations: what policy does not allow is not chosen, whatever the caller wants, before the artifact is read or after.
func TestAllowedRepresentations(t *testing.T) {
	native, projected := candidate(t, true, elliptic.P256(), formats.SHA256), candidate(t, false, elliptic.P256(), formats.SHA256)
	for name, c := range map[string]struct {
		candidate formats.Candidate
		allowed   []gateway.Representation
		want      gateway.Representation
		chosen    gateway.Representation
		refusal   formats.Reason
	}{
		"all":                  {native, nil, "", gateway.Native, ""},
		"the best":             {projected, []gateway.Representation{gateway.Projected}, "", gateway.Projected, ""},
		"the second":           {native, []gateway.Representation{gateway.Attested}, "", gateway.Attested, ""},
		"none that there is":   {projected, []gateway.Representation{gateway.Native}, "", "", formats.ReasonNotAllowedHere},
		"another is wanted":    {native, []gateway.Representation{gateway.Attested}, gateway.Native, "", formats.ReasonNotAllowedHere},
		"an impossible one is": {native, []gateway.Representation{gateway.Attested}, gateway.Projected, "", formats.ReasonRepresentationRefused},
	} {
		t.Run(name, func(t *testing.T) {
			p := Planner{Logs: []Acceptor{keyDetailsLog{}}, Attests: true, Allowed: c.allowed}
			plan, err := p.Plan(formats.Description{Candidates: []formats.Candidate{c.candidate}, Threshold: 1}, c.want)
			if plan.Chosen != c.chosen || formats.ReasonOf(err) != c.refusal {
				t.Errorf("chosen %q, error %v", plan.Chosen, err)
			}
		})
	}
	p := Planner{Logs: []Acceptor{keyDetailsLog{}}, Attests: true, Allowed: []gateway.Representation{gateway.Native}}
	plan, err := p.Plan(formats.Description{Candidates: []formats.Candidate{native}, Threshold: 1}, "")
	if err != nil {
		t.Fatal(err)
	}
	// Verification finds a signature that no log takes: it may not be attested in its place.
	if chosen, _, err := p.Choose(plan, "", &formats.Verified{}); err == nil {
		t.Errorf("recorded as %s", chosen)
	}
}

// wholeLog has an entry kind of its own for SSH, with artifacts of up to 100 bytes.
type wholeLog struct{ keyDetailsLog }

func (wholeLog) Describe() gateway.LogInfo { return gateway.LogInfo{InlineMax: 100} }

func (l wholeLog) Accepts(o gateway.Offer) error {
	switch {
	case o.Whole == nil:
		return l.keyDetailsLog.Accepts(o)
	case o.Whole.Format != "ssh":
		return formats.NewError(formats.ReasonNotProjectable, "no such kind", "")
	case o.Whole.Size < 0:
		return formats.NewError(formats.ReasonNeedsBytes, "a digest is not enough", "")
	case o.Whole.Size > 100:
		return formats.NewError(formats.ReasonTooLarge, "too large", "")
	}
	return nil
}

// TestWhole: a signature is recorded with the artifact where all logs take it so, and as the next best where the artifact turns out too large.
func TestWhole(t *testing.T) {
	ssh := &formats.Whole{Format: "ssh", Signature: []byte("s"), Key: []byte("k")}
	notSo := formats.NewError(formats.ReasonNotProjectable, "it is a certificate", "")
	for name, c := range map[string]struct {
		logs    []Acceptor
		whole   *formats.Whole
		why     *formats.Error
		noBytes bool
		allowed []gateway.Representation
		want    gateway.Representation
		size    int64
		chosen  gateway.Representation
		refusal formats.Reason
	}{
		"fits":              {logs: []Acceptor{wholeLog{}}, whole: ssh, size: 100, chosen: gateway.Native},
		"too large":         {logs: []Acceptor{wholeLog{}}, whole: ssh, size: 101, chosen: gateway.Attested},
		"empty":             {logs: []Acceptor{wholeLog{}}, whole: ssh, size: 0, chosen: gateway.Attested},
		"wanted":            {logs: []Acceptor{wholeLog{}}, whole: ssh, want: gateway.Native, size: 101, refusal: formats.ReasonTooLarge},
		"nothing else":      {logs: []Acceptor{wholeLog{}}, whole: ssh, allowed: []gateway.Representation{gateway.Native}, size: 101, refusal: formats.ReasonTooLarge},
		"a log more":        {logs: []Acceptor{wholeLog{}, keyDetailsLog{}}, whole: ssh, size: 1, chosen: gateway.Attested},
		"a digest":          {logs: []Acceptor{wholeLog{}}, whole: ssh, noBytes: true, size: -1, chosen: gateway.Attested},
		"of another form":   {logs: []Acceptor{wholeLog{}}, why: notSo, size: 1, chosen: gateway.Attested},
		"not allowed":       {logs: []Acceptor{wholeLog{}}, whole: ssh, allowed: []gateway.Representation{gateway.Attested}, size: 1, chosen: gateway.Attested},
		"of another format": {logs: []Acceptor{wholeLog{}}, whole: &formats.Whole{Format: "pgp"}, size: 1, chosen: gateway.Attested},
	} {
		p := Planner{Logs: c.logs, Attests: true, Allowed: c.allowed, NoBytes: c.noBytes}
		d := formats.Description{Whole: c.whole, NotWhole: c.why, Format: "ssh", Threshold: 1}
		plan, err := p.Plan(d, c.want)
		if err != nil {
			t.Fatal(name, err)
		}
		if limit := plan.Option(gateway.Native).MaxBytes; (plan.Chosen == gateway.Native) != (limit == 100) && c.allowed == nil {
			t.Errorf("%s: planned as %s, of up to %d bytes", name, plan.Chosen, limit)
		}
		chosen, projections, err := p.Choose(plan, c.want, &formats.Verified{Size: c.size})
		if chosen != c.chosen || formats.ReasonOf(err) != c.refusal || len(projections) > 0 {
			t.Errorf("%s: chosen %s, %v, want %s", name, chosen, err, c.chosen)
		}
	}
}
