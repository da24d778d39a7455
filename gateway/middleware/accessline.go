// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// AccessLog writes one line for each request that has ended, over HTTP and gRPC. A line has who asked for what, what
// became of it, and which submission it was; never keys, signatures, labels, or what stands in a query or a header,
// but for the request's id. What callers choose is short and of printable characters: handlers of slog quote it.
type AccessLog struct {
	Logger *slog.Logger // nil: nothing is written
}

// What lines show of what callers choose, at most.
const (
	longestPath   = 128 // bytes
	listedInLine  = 4   // signers, and digests
	mostInRequest = 24  // attributes of a line
)

func (l AccessLog) isOn(ctx context.Context) bool {
	return l.Logger != nil && l.Logger.Enabled(ctx, slog.LevelInfo)
}

func (l AccessLog) logRequest(r *http.Request, a Answered, bytesOut int64) {
	ctx := r.Context()
	if !l.isOn(ctx) {
		return
	}
	line := make([]slog.Attr, 0, mostInRequest)
	line = append(line, slog.String("request", gateway.RequestID(ctx)), slog.String("method", a.Method), slog.String("path", shortenPath(r.URL.Path)),
		slog.String("route", a.Route), slog.Int("status", a.Status))
	line = appendEnd(ctx, line, a.Reason, a.Duration, r.RemoteAddr)
	line = append(line, slog.Int64("bytes", bytesOut))
	l.Logger.LogAttrs(ctx, slog.LevelInfo, "request", appendNote(line, gateway.NoteFrom(ctx))...)
}

// LogCall writes the line of a gRPC call, whose context is ctx.
func (l AccessLog) LogCall(ctx context.Context, method, code, reason string, took time.Duration, remote string) {
	if !l.isOn(ctx) {
		return
	}
	line := make([]slog.Attr, 0, mostInRequest)
	line = append(line, slog.String("request", gateway.RequestID(ctx)), slog.String("method", method), slog.String("code", code))
	line = appendEnd(ctx, line, reason, took, remote)
	l.Logger.LogAttrs(ctx, slog.LevelInfo, "call", appendNote(line, gateway.NoteFrom(ctx))...)
}

func appendEnd(ctx context.Context, line []slog.Attr, reason string, took time.Duration, remote string) []slog.Attr {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		line = append(line, slog.String("trace", span.TraceID().String()))
	}
	line = append(line, slog.Duration("duration", took.Round(time.Microsecond)), slog.String("remote", remote))
	if reason != "" {
		line = append(line, slog.String("reason", reason))
	}
	return line
}

// appendNote describes the one submission of a request. Of several it says how many there were.
func appendNote(line []slog.Attr, n *gateway.RequestNote) []slog.Attr {
	f := n.Facts()
	if f.Caller.Name != "" {
		line = append(line, slog.String("caller", f.Caller.Name))
	}
	line = append(line, slog.String("tenant", f.Caller.Tenant), slog.Int64("bytes_in", f.BytesIn))
	if f.Submissions > 1 || f.Refused > 0 {
		line = append(line, slog.Int("submissions", f.Submissions), slog.Int("refused", f.Refused))
	}
	if f.Submission == nil || f.Submissions > 1 {
		return line
	}
	s := f.Submission
	signers := make([]string, 0, 1)
	for _, signer := range s.Signers() {
		signers = append(signers, "sha256:"+hex.EncodeToString(signer[:]))
	}
	digests := make([]string, 0, 1)
	for _, d := range s.Digests {
		digests = append(digests, d.String())
	}
	return append(line, slog.String("submission", s.ID), slog.String("format", s.Format), slog.String("representation", string(s.Representation())),
		slog.String("signer", joinFew(signers)), slog.String("artifact", joinFew(digests)))
}

// joinFew joins the first of list: TUF metadata may have many signers.
func joinFew(list []string) string {
	if len(list) > listedInLine {
		list = append(list[:listedInLine:listedInLine], "…")
	}
	return strings.Join(list, ",")
}

// shortenPath cuts a long path, between characters.
func shortenPath(path string) string {
	if len(path) <= longestPath {
		return path
	}
	return strings.ToValidUTF8(path[:longestPath], "") + "…"
}
