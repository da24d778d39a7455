// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// Bounds of a policy.
const (
	MaxPolicy      = 64 << 10 // bytes
	maxPolicyLines = 256      // that say something
)

// Policy says which witnesses somebody trusts, of which logs, and how many of them have to cosign (https://c2sp.org/tlog-policy). It is safe for
// concurrent use.
type Policy struct {
	// logs has a policy for each log that is named, since one of them has to have signed; one for all logs where none is named.
	logs      []torchwood.Policy
	witnesses map[note.Signature]bool // by name and hash alone
}

var _ receipt.WitnessPolicy = (*Policy)(nil)

// ParsePolicy reads a policy: lines with log, witness, group (any, all, or a number) and quorum. Keys of witnesses are of Ed25519. Beyond what torchwood
// checks, no witness may be there twice, by whatever name, and no component in two groups: each would count more than once. No word is passed over,
// and no component is called none, any or all.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("reading witness policy: it is over %d bytes", MaxPolicy)
	}
	p := &Policy{witnesses: map[note.Signature]bool{}}
	logs, rest, err := p.scanLines(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading witness policy: %w", err)
	}
	for _, log := range logs {
		parsed, err := torchwood.ParsePolicy([]byte(rest + log + "\n"))
		if err != nil {
			return nil, fmt.Errorf("reading witness policy: %w", err)
		}
		p.logs = append(p.logs, parsed)
	}
	return p, nil
}

// scanLines parts the lines that name logs from the others, whose places stay: torchwood asks for the signatures of all logs in a policy, and not of one. For a policy
// without logs it is one empty line.
func (p *Policy) scanLines(text string) (logs []string, rest string, err error) {
	var others strings.Builder
	keys, members, said := map[string]bool{}, map[string]bool{}, 0
	for line := range strings.SplitSeq(text, "\n") {
		bare, _, _ := strings.Cut(line, "#")
		fields := strings.Fields(bare)
		if len(fields) > 0 {
			said++
			if err := checkWords(fields); err != nil {
				return nil, "", err
			}
		}
		plain := strings.Join(fields, " ") // torchwood panics at a line of other white space than spaces and tabs
		if len(fields) > 0 && fields[0] == "log" {
			logs, plain = append(logs, plain), ""
		} else if err := p.scanLine(fields, keys, members); err != nil {
			return nil, "", err
		}
		others.WriteString(plain + "\n")
	}
	if said > maxPolicyLines {
		return nil, "", fmt.Errorf("it has over %d lines", maxPolicyLines)
	}
	if len(logs) == 0 {
		logs = []string{""}
	}
	return logs, others.String(), nil
}

// checkWords refuses a line with words that would be passed over, and a component by a name that says something else: a quorum of one called
// none would ask for nobody.
func checkWords(fields []string) error {
	var least, most int // the keyword among them
	switch fields[0] {
	case "log":
		least, most = 2, 3
	case "witness":
		least, most = 3, 4
	case "group":
		least, most = groupMembers+1, len(fields)
	case "quorum":
		least, most = 2, 2
	default:
		return fmt.Errorf("%.80q is no keyword", fields[0])
	}
	if len(fields) < least || len(fields) > most {
		return fmt.Errorf("a line has too few or too many words: %.200q", strings.Join(fields, " "))
	}
	if names := []string{"none", "any", "all"}; (fields[0] == "witness" || fields[0] == "group") && slices.Contains(names, fields[1]) {
		return fmt.Errorf("a %s cannot be called %s", fields[0], fields[1])
	}
	return nil
}

// groupMembers is where those stand in the line of a group.
const groupMembers = 3

// scanLine refuses what would count twice.
func (p *Policy) scanLine(fields []string, keys, members map[string]bool) error {
	switch {
	case len(fields) > 0 && fields[0] == "witness":
		v, err := trustroot.ParseWitnessKey(fields[2])
		if err != nil {
			return err
		}
		_, hashAndKey, _ := strings.Cut(fields[2], "+")
		_, key, _ := strings.Cut(hashAndKey, "+")
		if keys[key] {
			return fmt.Errorf("the key of witness %.80q is there twice", fields[1])
		}
		keys[key], p.witnesses[note.Signature{Name: v.Name(), Hash: v.KeyHash()}] = true, true
	case len(fields) > 0 && fields[0] == "group":
		for _, member := range fields[groupMembers:] {
			if members[member] {
				return fmt.Errorf("%.80q is in two groups, or twice in one", member)
			}
			members[member] = true
		}
	}
	return nil
}

// CheckCosigned implements receipt.WitnessPolicy. One witness may lie about the time, so that the policy is met by the time at which enough of them say to have signed.
func (p *Policy) CheckCosigned(checkpoint []byte, now time.Time) (c receipt.Cosigned, err error) {
	for _, log := range p.logs {
		var why error
		if c, why = p.checkWith(log, checkpoint, now); why == nil {
			return c, nil
		}
		err = errors.Join(err, why)
	}
	return receipt.Cosigned{}, err
}

// timed is a verified cosignature.
type timed struct {
	note.Signature
	at time.Time
}

func (p *Policy) checkWith(policy torchwood.Policy, checkpoint []byte, now time.Time) (receipt.Cosigned, error) {
	opened, err := note.Open(checkpoint, policy)
	var unknown *note.UnverifiedNoteError
	if err != nil && !errors.As(err, &unknown) {
		return receipt.Cosigned{}, err
	}
	var signed []note.Signature
	if err == nil {
		signed = opened.Sigs
	}
	cosigned, counting := p.listTimes(signed, now)
	origin, _, _ := strings.Cut(string(checkpoint), "\n")
	met := policy.Check(origin, counting)
	for n := 0; met != nil && n < len(cosigned); n++ {
		counting = append(counting, cosigned[n].Signature)
		if met = policy.Check(origin, counting); met == nil {
			return receipt.Cosigned{By: cosigned[n].at, Witnesses: listNames(cosigned[:n+1])}, nil
		}
	}
	return receipt.Cosigned{}, met
}

// listTimes parts the verified signatures into those of witnesses, the earliest first, without those that say to be of no time that can be, and the others.
func (p *Policy) listTimes(signed []note.Signature, now time.Time) (cosigned []timed, others []note.Signature) {
	for _, s := range signed {
		if !p.witnesses[note.Signature{Name: s.Name, Hash: s.Hash}] {
			others = append(others, s)
			continue
		}
		seconds, err := torchwood.CosignatureTimestamp(s)
		at := time.Unix(seconds, 0).UTC()
		if err == nil && seconds > 0 && !at.After(now.Add(formats.ClockSkew)) {
			cosigned = append(cosigned, timed{s, at})
		}
	}
	slices.SortStableFunc(cosigned, func(a, b timed) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.Name, b.Name)) })
	return cosigned, others
}

func listNames(cosigned []timed) (names []string) {
	for _, c := range cosigned {
		names = append(names, c.Name)
	}
	return names
}
