// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"testing"
)

// A dry run without a gateway says nothing of what depends on the way.
func TestKnownColumns(t *testing.T) {
	var out bytes.Buffer
	p := &groupedPlan{groups: map[planKey]*planGroup{}}
	for _, g := range []planGroup{{State: stateSubmit, Way: "BATCHED", Example: "a"}, {State: stateRefused, Example: "b"}} {
		p.add(planKey{state: g.State}, g)
	}
	if err := p.print(&out, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SUBMIT   policy          BATCHED  policy  -       a\n", "REFUSED  -               -        -       -       b\n"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
