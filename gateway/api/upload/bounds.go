// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on one request, in bytes of memory unless another unit is named. docs/architecture.md
// shows them as a table, which a test holds to these values. To add one: declare it here, take it
// into the sum of the request it is about, and give it a row in the table.
const (
	// MaxMetadata bounds an HTTP request's header lines, and a gRPC call's metadata.
	MaxMetadata = 64 << 10
	// MaxHeader bounds all of a submission but its artifact: signature, keys, fields, framing.
	MaxHeader = 2*formats.MaxSignatureSize + formats.MaxKeySize

	// MaxParts bounds a form: number of parts. Each costs time, also when it is empty.
	MaxParts = 64
	// MaxPartHeader bounds the header lines of one part; mime/multipart sets it.
	MaxPartHeader = 10 << 20
	// MaxField bounds one text field of a form.
	MaxField = 4 << 10
	// MaxKeys bounds the key files of a form together.
	MaxKeys = formats.MaxKeySize

	// MaxJSON bounds a JSON body, artifact included; larger ones go as a form.
	MaxJSON = 24 << 20

	// MaxMessage bounds one gRPC message, as it arrives: the start of a stream, or a whole
	// submission of a batch.
	MaxMessage = MaxHeader
	// MaxChunk bounds one chunk of an artifact in a gRPC stream, and the artifact in a message of a
	// batch.
	MaxChunk = 1 << 20
	// MaxBatchParallel bounds a SubmitBatch stream: number of submissions verified at once.
	MaxBatchParallel = 64
	// MaxStreams bounds a gRPC connection: number of calls at once.
	MaxStreams = 4096

	// IdleTimeout bounds the silence of a client that still has something to send: time between two
	// reads of a body, or two messages of a stream.
	IdleTimeout = time.Minute
)

// Bounds on the whole process. Artifacts are bounded by Config: one in size, the spooled ones
// together, in bytes on disk.
const (
	// MaxJSONHeld bounds the JSON bodies held at once, in bytes as they arrive.
	MaxJSONHeld = 256 << 20
)

// What one request may hold in memory, in bytes: the sums of the bounds above. An artifact adds
// nothing to them, since it is streamed or spooled, save in JSON. Forms and calls are not bounded
// together: their number is what the listeners let in.
const (
	// FormMemory: header, signature, keys, fields, and the header lines of the part that is read.
	FormMemory = MaxMetadata + formats.MaxSignatureSize + MaxKeys + MaxParts*MaxField + MaxPartHeader
	// JSONMemory: the body, the decoder's buffer, which doubles as it grows, and what was decoded.
	JSONMemory = MaxMetadata + jsonCopies*MaxJSON
	// StreamMemory: the start message, and the next one twice, encoded and decoded.
	StreamMemory = MaxMetadata + MaxMessage + 2*MaxMessage
	// BatchMemory: the messages worked on, and the next one twice.
	BatchMemory = MaxMetadata + MaxBatchParallel*MaxMessage + 2*MaxMessage
	// AllJSONMemory is for all JSON bodies of the process together.
	AllJSONMemory = jsonCopies * MaxJSONHeld

	jsonCopies = 4
)
