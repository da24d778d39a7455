// SPDX-License-Identifier: Apache-2.0

package gateway

import "testing"

func TestStateOf(t *testing.T) {
	t.Parallel()
	e := func(log string, s State) EntryState { return EntryState{log, s} }
	for name, c := range map[string]struct {
		entries []EntryState
		needed  int
		want    State
	}{
		"nothing logged":                     {[]EntryState{e("a", Pending)}, 1, Pending},
		"logged":                             {[]EntryState{e("a", Logged)}, 1, Logged},
		"refused":                            {[]EntryState{e("a", Failed)}, 1, Failed},
		"one of two entries":                 {[]EntryState{e("a", Logged), e("a", Pending)}, 1, Partial},
		"one of two entries, one refused":    {[]EntryState{e("a", Logged), e("a", Failed)}, 1, Failed},
		"one of two logs, both needed":       {[]EntryState{e("a", Logged), e("b", Pending)}, 2, Partial},
		"one of two logs, one needed":        {[]EntryState{e("a", Logged), e("b", Pending)}, 1, Logged},
		"one of two refused, one needed":     {[]EntryState{e("a", Failed), e("b", Pending)}, 1, Pending},
		"one refused, one logged":            {[]EntryState{e("a", Failed), e("b", Logged)}, 1, Logged},
		"both refused":                       {[]EntryState{e("a", Failed), e("b", Failed)}, 1, Failed},
		"one refused, both needed":           {[]EntryState{e("a", Failed), e("b", Logged)}, 2, Failed},
		"halves of two logs make no whole":   {[]EntryState{e("a", Logged), e("a", Pending), e("b", Pending), e("b", Logged)}, 1, Partial},
		"a half-refused log beside a whole":  {[]EntryState{e("a", Logged), e("a", Failed), e("b", Logged), e("b", Logged)}, 1, Logged},
		"no entries cannot be logged":        {nil, 1, Failed},
		"no entries and none needed, either": {nil, 0, Pending},
	} {
		if got := StateOf(c.entries, c.needed); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
