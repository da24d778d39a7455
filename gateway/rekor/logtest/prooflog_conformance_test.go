// SPDX-License-Identifier: Apache-2.0

package logtest_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// TestProofLog: a log that answers with another kind of proof than Rekor's keeps the same promises.
func TestProofLog(t *testing.T) {
	t.Parallel()
	faults := []logtest.Fault{
		{Name: "quota", Kind: logtest.Overloaded, RetryAfter: 2 * time.Second, Inject: inject(rekortest.Overloaded(2 * time.Second))},
		{Name: "malformed", Kind: logtest.Refused, Inject: inject(rekortest.Answered(codes.InvalidArgument, "malformed"))},
		{Name: "not from there", Kind: logtest.Forbidden, Inject: inject(rekortest.Answered(codes.PermissionDenied, "not from there"))},
		{Name: "internal error", Kind: logtest.Doubtful, Inject: inject(rekortest.Answered(codes.Internal, "internal error"))},
		{Name: "hung", Kind: logtest.Doubtful, Inject: inject(rekortest.Hung())},
		{Name: "hash", Kind: logtest.FalseProof, Inject: inject(rekortest.FalseProof())},
		{Name: "signature", Kind: logtest.FalseCheckpoint, Inject: inject(rekortest.FalseSignature())},
		{Name: "another log", Kind: logtest.FalseCheckpoint, Inject: inject(rekortest.OtherLog(t, "other.test"))},
		{Name: "another entry", Kind: logtest.OtherEntry, Inject: inject(rekortest.OtherEntry())},
		{Name: "another history", Kind: logtest.FalseAnswer, Inject: func(s logtest.Server, applied bool) {
			if applied { // else no tile is that long: it cannot be told who lies
				inject(rekortest.OtherHistory(0))(s, applied)
				return
			}
			inject(rekortest.OtherEntry())(s, applied)
		}},
		{Name: "no checkpoint", Kind: logtest.FalseAnswer, Inject: inject(rekortest.Tampered("", func(e *rekorpb.TransparencyLogEntry) {
			e.InclusionProof.Checkpoint.Envelope = ""
		}))},
		{Name: "endless", Kind: logtest.FalseAnswer, Inject: inject(rekortest.Tampered("", func(e *rekorpb.TransparencyLogEntry) {
			e.InclusionProof.Checkpoint.Envelope += string(make([]byte, 1<<20))
		}))},
		{Name: "log frozen", Kind: logtest.NotTaken, Inject: inject(rekortest.Answered(codes.FailedPrecondition, "log frozen"))},
		{Name: "503", Kind: logtest.Doubtful, Inject: injectWeb(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })},
		{Name: "redirect", Kind: logtest.Doubtful, Inject: injectWeb(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:1"+r.URL.Path, http.StatusTemporaryRedirect)
		})},
		{Name: "garbage", Kind: logtest.FalseAnswer, Inject: injectWeb(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("created")) })},
		{Name: "slow body", Kind: logtest.Doubtful, Inject: injectWeb(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("c2sp.org/tlog-proof@v1\n"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})},
		{Name: "endless body", Kind: logtest.FalseAnswer, Inject: injectWeb(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat(" ", 4096))); err != nil {
					return
				}
			}
		})},
		{Name: "huge index", Kind: logtest.FalseAnswer, Inject: inject(rekortest.Tampered("", func(e *rekorpb.TransparencyLogEntry) { e.LogIndex = 1 << 62 }))},
	}
	logtest.Run(t, logtest.Suite{Start: func(t testing.TB) logtest.Server { return startProofServer(t) }, Faults: faults})
}

func inject(f rekortest.Fault) func(logtest.Server, bool) {
	return func(s logtest.Server, applied bool) {
		this := f
		if applied {
			this = f.ButApplied()
		}
		s.(proofServer).Inject(this)
	}
}

// injectWeb answers in place of the log.
func injectWeb(answer http.HandlerFunc) func(logtest.Server, bool) {
	return func(s logtest.Server, applied bool) { s.(proofServer).web <- webFault{answer, applied} }
}

// webFault is an answer in place of the log's; with applied the entry is logged all the same.
type webFault struct {
	answer  http.HandlerFunc
	applied bool
}

// proofServer has the tree and the faults of a fake Rekor log, and answers POST /add with a tlog-proof.
type proofServer struct {
	*rekortest.Fake
	writes *httptest.Server
	web    chan webFault // has room for one
}

func startProofServer(t testing.TB) proofServer {
	fake, web := rekortest.StartFake(t), make(chan webFault, 1)
	writes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select {
		case f := <-web:
			if f.applied {
				_, _ = fake.AddBody(r.Context(), body)
			}
			f.answer(w, r)
			return
		default:
		}
		entry, err := fake.AddBody(r.Context(), body)
		code := http.StatusOK
		if status.Code(err) == codes.AlreadyExists {
			entry, err = proveLogged(fake, body)
			code = http.StatusConflict
		}
		if err != nil {
			answerStatus(w, status.Convert(err))
			return
		}
		w.WriteHeader(code)
		_, _ = w.Write(formatProof(entry))
	}))
	t.Cleanup(writes.Close)
	writes.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return proofServer{fake, writes, web}
}

// proveLogged returns the inclusion of an entry that is in the log.
func proveLogged(fake *rekortest.Fake, body []byte) (*rekorpb.TransparencyLogEntry, error) {
	if entry := fake.Prove(body); entry != nil {
		return entry, nil
	}
	return nil, status.Error(codes.Internal, "not there")
}

func formatProof(entry *rekorpb.TransparencyLogEntry) []byte {
	p := tlogproof.TLogProof{Index: uint64(entry.GetLogIndex()), Checkpoint: []byte(entry.GetInclusionProof().GetCheckpoint().GetEnvelope())}
	for _, h := range entry.GetInclusionProof().GetHashes() {
		p.Hashes = append(p.Hashes, [32]byte(h))
	}
	return p.Marshal()
}

func answerStatus(w http.ResponseWriter, s *status.Status) {
	code := map[codes.Code]int{
		codes.InvalidArgument: http.StatusBadRequest, codes.PermissionDenied: http.StatusForbidden, codes.ResourceExhausted: http.StatusTooManyRequests,
		codes.FailedPrecondition: http.StatusMethodNotAllowed,
	}[s.Code()]
	if code == 0 {
		code = http.StatusInternalServerError
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(info.GetRetryDelay().AsDuration().Seconds())))
		}
	}
	http.Error(w, s.Message(), code)
}

func (s proofServer) Open(t testing.TB, store gateway.Checkpoints, patience time.Duration, former ...logtest.Former) gateway.Log {
	l := &proofLog{client: s.writes.Client(), addURL: s.writes.URL + "/add", patience: patience, shards: []proofShard{openProofShard(t, s, store, false)}}
	for _, f := range former {
		l.shards = append(l.shards, openProofShard(t, f.Server.(proofServer), store, f.Closed))
	}
	return l
}

func openProofShard(t testing.TB, s proofServer, store gateway.Checkpoints, closed bool) proofShard {
	t.Helper()
	shard := proofShard{FormerShard: gateway.FormerShard{Shard: gateway.Shard{Origin: s.Origin(), KeyID: [32]byte(s.KeyID())}, Closed: closed}}
	reader, err := tiles.NewReader(tiles.ReaderConfig{URL: s.ReadURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	shard.reader = reader
	shard.checkpoints, err = tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: shard.Shard, Verifier: s.Verifier(), Store: store, Reader: reader, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shard.checkpoints.Close)
	return shard
}

// CheckInclusion verifies the text with other libraries than the adapter's.
func (s proofServer) CheckInclusion(t testing.TB, got *gateway.Inclusion, e gateway.Prepared) {
	t.Helper()
	if got == nil || got.Kind != kindProof {
		t.Errorf("the inclusion is %+v", got)
		return
	}
	if err := verifyProofText(s, got, e.Body); err != nil {
		t.Error(err)
	}
}

func verifyProofText(s proofServer, got *gateway.Inclusion, body []byte) error {
	var p tlogproof.TLogProof
	if err := p.Unmarshal(got.Proof); err != nil {
		return err
	}
	cp, _, _, err := log.ParseCheckpoint(p.Checkpoint, s.Origin(), s.Verifier())
	if err != nil {
		return err
	}
	if p.Index != got.Index {
		return errors.New("the proof is of another index")
	}
	record := make(tlog.RecordProof, len(p.Hashes))
	for i, h := range p.Hashes {
		record[i] = tlog.Hash(h)
	}
	if err := tlog.CheckRecord(record, int64(cp.Size), tlog.Hash(cp.Hash), int64(p.Index), tlog.RecordHash(body)); err != nil {
		return fmt.Errorf("index %d: %w", p.Index, err)
	}
	return nil
}

func (s proofServer) BreakTiles(how logtest.Breakage) {
	switch how {
	case logtest.Unavailable:
		s.OnRead(rekortest.Unavailable("/tile/"))
	case logtest.Corrupted:
		s.OnRead(rekortest.Corrupted("/tile/"))
	case logtest.Truncated:
		s.OnRead(rekortest.Truncated("/tile/"))
	default:
		s.OnRead(nil)
	}
}
