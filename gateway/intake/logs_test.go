// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// nameOnly is a log of which nothing but its ID is asked.
type nameOnly struct {
	gateway.Log
	id string
}

func (l nameOnly) Describe() gateway.LogInfo { return gateway.LogInfo{ID: l.id} }

// TestChooseLogs: which logs a submission goes to, by what is known of them. Small letters are logs that cannot be
// used, with an exclamation mark those that are full as well.
func TestChooseLogs(t *testing.T) {
	for _, test := range []struct {
		logs     string
		need     int
		failover bool
		want     string
	}{
		{"A B C", 3, false, "A B C"}, {"A b! C", 3, false, "A C B"}, {"A B! C", 1, false, "A B C"},
		{"A b C", 1, false, "A B C"}, {"A b! C", 1, false, "A C"}, {"a! b! c!", 1, false, "A"}, {"a! b! C", 2, false, "C A"},
		{"A B C", 1, true, "A"}, {"A B C", 2, true, "A B"}, {"a B C", 1, true, "B"}, {"a B c", 2, true, "B A"}, {"a b c", 2, true, "A B"},
		{"A B! C", 2, true, "A B"}, {"a B C", 3, true, "A B C"},
	} {
		var set LogSet
		conditions := map[string]Condition{}
		for name := range strings.FieldsSeq(test.logs) {
			id := strings.ToUpper(strings.TrimSuffix(name, "!"))
			set.List = append(set.List, nameOnly{id: id})
			conditions[id] = Condition{Unusable: strings.ToLower(name) == name, Full: strings.HasSuffix(name, "!")}
		}
		set.Need, set.Failover = test.need, test.failover
		s := New(Config{Policies: ForEverybody(Policy{Logs: set})})
		var got []string
		for _, l := range s.book.Load().everybody.targets[gateway.Direct].chooseLogs(func(id string) Condition { return conditions[id] }) {
			got = append(got, l.Describe().ID)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q, %d needed, failover %v: %q, want %s", test.logs, test.need, test.failover, got, test.want)
		}
	}
	if got := New(Config{Policies: ForEverybody(Policy{Logs: AllOf(nameOnly{id: "A"})})}).book.Load().everybody.targets[gateway.Direct].chooseLogs(nil); len(got) != 1 {
		t.Errorf("of one log: %v", got)
	}
}
