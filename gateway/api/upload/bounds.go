// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on one request, in bytes of memory unless another unit is named. docs/architecture.md
// shows them as a table, which a test holds to these values. To add one: declare it here, count it
// in gateway.Memory, and give it a row in the table.
const (
	// MaxMetadata bounds an HTTP request's header lines, and a gRPC call's metadata.
	MaxMetadata = 16 << 10
	// MaxMetadataFields bounds the number of those. A short line takes fifteen times its size once it is parsed.
	MaxMetadataFields = 100
	// MaxHeader bounds all of a submission but its artifact: signature, keys, fields, framing.
	MaxHeader = 2*formats.MaxSignatureSize + formats.MaxKeySize

	// MaxParts bounds a form: number of parts. Each costs time, also when it is empty.
	MaxParts = 64
	// MaxPartHeader bounds the header lines of one part.
	MaxPartHeader = 8 << 10
	// MaxField bounds one text field of a form.
	MaxField = 4 << 10
	// MaxKeys bounds the key files of a form together.
	MaxKeys = formats.MaxKeySize

	// MaxReplay bounds the artifact of a form after which other parts may come, save where it comes first: bytes of a
	// spool file.
	MaxReplay = 8 << 20
	// ReplayMemory bounds the artifact that needs no file for that.
	ReplayMemory = 64 << 10

	// MaxJSON bounds a JSON body, artifact included; larger ones go as a form.
	MaxJSON = 24 << 20
	// MaxJSONLabels bounds the labels in a JSON body, as they are written.
	MaxJSONLabels = 32 << 10

	// MaxRekorJSON bounds a JSON body of Rekor's own API, which has one entry of at most 64 KiB, in base64.
	MaxRekorJSON = 256 << 10
	// MaxRekorTokens bounds the same: number of names, values, brackets and braces in it.
	MaxRekorTokens = 256

	// MaxShortString bounds a string in a JSON body of Rekor v1's API that is held: what a longer one says goes to a spool file.
	MaxShortString = ReplayMemory
	// MaxLongStrings bounds the longer ones of a body: an artifact, its signature and a key.
	MaxLongStrings = 3
	// MaxLongRest bounds the rest of such a body: TUF metadata and its root are no strings.
	MaxLongRest = MaxHeader

	// MaxRekorStoring bounds those requests of Rekor v2's API: number that are verified and stored at once; the others wait in line.
	MaxRekorStoring = 512

	// MaxSubmitStoring bounds Submit calls whose artifact is not sent: number that are verified and stored at once; the others wait in line.
	MaxSubmitStoring = 512

	// MaxLine bounds a line of a batch over HTTP. What is too long is read on to its end, and dropped: LingerBytes of one batch.
	MaxLine = MaxMessage
	// MaxBatchAnswers bounds the answers of a batch over HTTP that its client has not read yet, beyond the first: so much
	// may wait for a client that reads nothing before it has sent all.
	MaxBatchAnswers = 4 << 20
	// MaxBatchWaiting bounds a batch over HTTP: number of submissions that wait for the log at once.
	MaxBatchWaiting = 512

	// MaxMessage bounds one gRPC message, as it arrives: the start of a stream, or a whole
	// submission of a batch.
	MaxMessage = MaxHeader
	// MaxMessageFields bounds a gRPC message: number of fields in it, at all depths. An empty one of two
	// bytes takes ten times its size once it is decoded.
	MaxMessageFields = 4096
	// MaxChunk bounds one chunk of an artifact in a gRPC stream, and the artifact in a message of a
	// batch.
	MaxChunk = 1 << 20
	// MaxBatchParallel bounds a batch, over gRPC or HTTP: number of submissions verified at once.
	MaxBatchParallel = 64
	// MaxBatchWorkers bounds all batches together: number of submissions worked on at once, each in a goroutine whose stack
	// has grown to some 16 KiB. Batches share them evenly, and each has one in any case, and one more for an artifact in chunks.
	MaxBatchWorkers = 2048
	// MaxBatchHeld bounds what the submissions of a batch that are verified at once hold, beyond the first.
	MaxBatchHeld = 32 << 20
	// MaxIDs bounds a call that asks for several submissions: number of them.
	MaxIDs = 100
	// MaxStreams bounds a gRPC connection: number of calls at once.
	MaxStreams = 256

	// IdleTimeout bounds the silence of a client that still has something to send or to take: time between
	// two reads of a body, or two messages of a stream. It is also how far a client may fall behind the
	// least rate.
	IdleTimeout = time.Minute

	// LingerTime bounds how long a refused request is read on, so that its client, which is still sending, gets to
	// read the refusal; LingerIdle is without a byte, and LingerIdleStream the same over HTTP/2.
	LingerTime       = 30 * time.Second
	LingerIdle       = 2 * time.Second
	LingerIdleStream = 500 * time.Millisecond
	// LingerBytes bounds the same: bytes of one request, which are dropped.
	LingerBytes = 512 << 20
	// LingerMost bounds the number of requests that are read on at once.
	LingerMost = 128

	// MaxWatch bounds a call that waits for changes: time.
	MaxWatch = 30 * time.Minute
	// MaxRekorWait bounds how long a request of Rekor's own API waits for the log: time. Clients of Rekor v2 give up after 30 s.
	MaxRekorWait = 25 * time.Second
)

// What a request is counted with in gateway.Memory, in bytes, beside what is read of its body: an upper
// bound on what it makes the gateway hold.
const (
	// ConnectionMemory is for an open HTTP connection: its buffers, and a request's header lines once they
	// are parsed. With HTTP/2: what was sent and is not read yet, and the header lines of all requests.
	ConnectionMemory = 256 << 10
	// CallConnectionMemory is for an open gRPC connection: its buffers.
	CallConnectionMemory = 64 << 10
	// RequestMemory is for a request under way, but for its body.
	RequestMemory = 32 << 10
	// CallMemory is for a call under way: metadata, and what was sent and is not read yet.
	CallMemory = 160 << 10
	// AnswerMemory is for a gRPC answer that the client has not taken yet, but for its bytes.
	AnswerMemory = 2 << 10
	// LineMemory is for a batch over HTTP: what is read ahead, and what is written at once.
	LineMemory = 128 << 10
	// AnswerLineMemory is for an answer of a batch over HTTP that its client has not read yet, but for its bytes.
	AnswerLineMemory = 128
	// WaitMemory is for a submission of a batch over HTTP that waits for the log: the parts of its receipt, a stack.
	WaitMemory = 16 << 10
	// FormMemory is for a form that is read: the header lines of a part once they are parsed, and buffers.
	FormMemory = 192 << 10
	// JSONCopies is for JSON that is read, as a multiple of its size: the decoder's buffer, which doubles as it
	// grows, and what is decoded.
	JSONCopies = 4
)

// Window is what a client may send over HTTP/2 before anything of it is read, in bytes: of one gRPC call, or of
// one HTTP connection.
const (
	CallWindow       = 128 << 10
	ConnectionWindow = 128 << 10
	// MaxRequests bounds an HTTP/2 connection: number of requests at once.
	MaxRequests = 32
)
