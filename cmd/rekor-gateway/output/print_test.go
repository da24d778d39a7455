// SPDX-License-Identifier: Apache-2.0

package output

import (
	"errors"
	"fmt"
	"testing"
	"time"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func TestCleanArgument(t *testing.T) {
	type name string
	for in, want := range map[any]any{
		"é 日本 😀": "é 日本 😀", "a\xffb": "a\ufffdb", name("a\x1bb"): "ab", 7: 7, time.Second: "1s", pb.Submission_LOGGED: "LOGGED",
	} {
		if got := cleanArgument(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := cleanArgument(fmt.Errorf("a\x1b: %w", errors.New("b\n"))); got != "a: b " {
		t.Errorf("an error is %q", got)
	}
}
