// SPDX-License-Identifier: Apache-2.0

// Package throttle finds how many entries a second a log takes, from its refusals. The algorithm (CUBIC, over a token bucket) is
// the AWS SDK's adaptive retry mode. It stands apart from package delivery because the SDK drags net/http along.
package throttle

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Throttle is one log's. Until the log's first refusal there is no limit.
type Throttle struct {
	mode *retry.AdaptiveMode
	// note tells the SDK of an answer. It is that of any attempt: they differ in nothing.
	note func(error) error
}

// errRefused stands for a refusal by a busy log.
var errRefused = errors.New("refused")

// New returns a throttle for a log.
func New() *Throttle {
	t := &Throttle{mode: retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.FailOnNoAttemptTokens = true
		o.Throttles = []retry.IsErrorThrottle{retry.IsErrorThrottleFunc(func(err error) aws.Ternary {
			return aws.BoolTernary(errors.Is(err, errRefused))
		})}
	})}
	t.TryTake() // there is no limit yet
	return t
}

// TryTake implements delivery.Throttle.
func (t *Throttle) TryTake() bool {
	note, err := t.mode.GetAttemptToken(context.Background())
	if err != nil {
		return false
	}
	t.note = note
	return true
}

// NoteSent implements delivery.Throttle. To the SDK it is an answer: an entry's answer takes until the log's next checkpoint,
// and it is the rate of sending that is compared with the log's.
func (t *Throttle) NoteSent() { _ = t.note(nil) }

// NoteRefused implements delivery.Throttle.
func (t *Throttle) NoteRefused() { _ = t.note(errRefused) }
