// SPDX-License-Identifier: Apache-2.0

// Package run submits all signatures of a tree or a manifest, and keeps their receipts: it is what "rekor-gateway backfill" does.
package run

import (
	"context"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Options say what is submitted, where to, and how. The command's help says what each is for.
type Options struct {
	Roots            []string
	Manifest         string // in place of Roots; StandardInput is that
	Include, Exclude []string
	Follow, Outside  bool

	Keys           []string // files
	Namespaces     []string // of SSH signatures
	Which          string   // of several signatures in a file: all or known
	Representation string   // "" is the best
	Way            string   // "" is as the gateway has it
	Historical     formats.Exceptions
	Header         func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) // what every submission is sent with

	Server                    string // "" of a dry run: nobody is asked
	Open                      func(gatewayclient.Retries) (client.Client, error)
	Patience                  time.Duration // of a dry run, with a gateway that has not answered yet
	Timeout                   time.Duration
	TrustedRoot, GatewayTrust string // files

	Receipts, Report      string
	Parallel              int // at most MaxParallel
	VerifyReceipts, Force bool
	JSON, Quiet           bool   // how it is told
	Program               string // what this program is: another one verifies all receipts again
}

// Bounds and defaults of options.
const (
	DefaultParallel = 256
	MaxParallel     = 4096
	DefaultTimeout  = 10 * time.Minute
)

// list yields what is to be submitted.
func (f *Options) list(ctx context.Context) (iter.Seq2[backfill.Item, error], func(), error) {
	o := backfill.Options{Context: ctx, Include: f.Include, Exclude: f.Exclude, Follow: f.Follow, AllowOutside: f.Outside}
	if f.Manifest == "" {
		return backfill.Scan(f.Roots, o), func() {}, nil
	}
	if f.Manifest == StandardInput {
		return backfill.ReadManifest(f.Manifest, os.Stdin, o), func() {}, nil
	}
	file, err := os.Open(f.Manifest)
	if err != nil {
		return nil, nil, err
	}
	return backfill.ReadManifest(f.Manifest, file, o), func() { _ = file.Close() }, nil
}

// StandardInput stands for it as a manifest's name.
const StandardInput = "-"

// policy is what signatures are held to on this machine: as little as any gateway may ask.
func (f *Options) policy() formats.Policy {
	return formats.Policy{
		Now: time.Now(), Historical: formats.AllowAll(true), SSHNamespaces: f.Namespaces, KnownOnly: f.Which == "known",
		WithoutWhole: !strings.EqualFold(f.Representation, string(gateway.Native)),
	}
}

// buildHeader returns the header of one submission, without a digest.
func (f *Options) buildHeader(item backfill.Item, signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
	h, err := f.Header(signature, keys)
	if err != nil {
		return nil, err
	}
	h.Format = item.Format
	for name, value := range item.Labels {
		if h.Labels == nil {
			h.Labels = map[string]string{}
		}
		h.Labels[name] = value
	}
	return h, nil
}

// Submit submits all that there is.
func (f *Options) Submit(ctx context.Context, out io.Writer, told *output.Notes, terminal io.Writer) error {
	prepareProcess()
	b, err := f.newRun(ctx, told)
	if err != nil {
		return err
	}
	defer b.close()
	b.status = f.newStatus(out, told, terminal, &b.counts)
	if f.Report != "" {
		if b.report, err = openReport(f.Report, f.Force, reportHead, plannedHead); err != nil {
			return err
		}
	}
	return b.finish(b.submitAll(ctx))
}
