// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Witness cosigns checkpoints of a log that it has seen grow, and only grow: see https://c2sp.org/tlog-witness. It is safe for concurrent
// use.
type Witness interface {
	// Key returns the verifier key (C2SP signed-note) of its cosignatures.
	Key() string
	// AddCheckpoint returns its cosignature of a checkpoint, a signed note, which was verified. Old is the size of the last one that it
	// cosigned for that log, or zero, and proof the consistency proof from there on (RFC 6962, section 2.1.2). Errors:
	// *WitnessSizeError where that was another size; ErrOtherHistory; ErrNotCosigned; and others, which say nothing of what it has cosigned.
	AddCheckpoint(ctx context.Context, old uint64, proof [][sha256.Size]byte, signed []byte) (Cosignature, error)
}

// ErrOtherHistory: the witness has cosigned another root of the log, of the size that was named as the old one.
var ErrOtherHistory = errors.New("the witness has cosigned another history")

// ErrNotCosigned: the witness does not cosign for the log, or not for its key.
var ErrNotCosigned = errors.New("the witness does not cosign for this log")

// WitnessSizeError says of which size the last checkpoint is that a witness has cosigned.
type WitnessSizeError struct{ Size uint64 }

// Error implements error.
func (e *WitnessSizeError) Error() string {
	return fmt.Sprintf("the witness has cosigned %d records", e.Size)
}

// Cosignature is a witness's signature over a checkpoint (https://c2sp.org/tlog-cosignature), which was verified.
type Cosignature struct {
	Witness string    // the verifier key
	Time    time.Time // when it was made, by its own words, to the second
	Line    string    // of the signed note, without the end of the line
}

// Contradiction is that a witness says to have cosigned of an own log what the store does not know.
type Contradiction struct {
	Witness string        // the verifier key
	Size    uint64        // records that it has cosigned; 0: another root, of a size that the store has
	Lasted  time.Duration // that it has said so, to the second, while a gateway was at work
}

// OwnContradictions is the side of a Store where it is noted for how long witnesses contradict it.
type OwnContradictions interface {
	// KeepContradiction notes what a witness says. Of each witness there is one: it takes the place of the one before where it is of another
	// size, or has lasted longer. The error is ErrNotFound where there is no such own log.
	KeepContradiction(ctx context.Context, log string, c Contradiction) error
	// DropContradiction notes that a witness says nothing against the store. It does nothing where it has not before.
	DropContradiction(ctx context.Context, log, witness string) error
	// Contradictions returns those of an own log, in the order of the witnesses' keys.
	Contradictions(ctx context.Context, log string) ([]Contradiction, error)
}

// OwnCosignatures is the side of a Store where the cosignatures of anchored checkpoints of own logs are.
type OwnCosignatures interface {
	// KeepCosignature keeps what a witness has signed over the anchored checkpoint of that size. Of each witness there is the newest one.
	// The error is ErrNotFound where none of that size is anchored.
	KeepCosignature(ctx context.Context, log string, size uint64, c Cosignature) error
	// Cosignatures returns those of the anchored checkpoint of that size, in the order of the witnesses' keys.
	Cosignatures(ctx context.Context, log string, size uint64) ([]Cosignature, error)
}
