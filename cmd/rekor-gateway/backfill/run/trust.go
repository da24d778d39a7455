// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// receiptTrust is what receipts are verified with.
type receiptTrust struct {
	root    *trustroot.Root
	gateway *trustroot.Gateway // nil: ATTESTED receipts do not verify
	digest  [sha256.Size]byte  // of the files
	memory  *receipt.Memory    // of the checkpoints in them: thousands of receipts of an own log have the same
}

// loadTrust reads the trust files that are named, and gets from the gateway, unless that is nil, those that are not.
func (f *Options) loadTrust(ctx context.Context, remote client.Client, told *output.Notes) (t receiptTrust, err error) {
	var files client.TrustFiles
	for _, named := range []struct {
		path string
		to   *[]byte
	}{{f.TrustedRoot, &files.TrustedRoot}, {f.GatewayTrust, &files.GatewayTrust}} {
		if named.path == "" {
			continue
		}
		if *named.to, err = input.ReadFile(named.path, trustroot.MaxSize); err != nil {
			return t, err
		}
	}
	if remote != nil && (f.TrustedRoot == "" || f.GatewayTrust == "") {
		if err := f.completeFiles(ctx, remote, told, &files); err != nil {
			return t, err
		}
	}
	t.memory = receipt.NewMemory()
	if t.root, err = trustroot.Parse(files.TrustedRoot); err != nil {
		return t, fmt.Errorf("reading the trusted root: %w", err)
	}
	if files.GatewayTrust != nil {
		if t.gateway, err = trustroot.ParseGateway(files.GatewayTrust); err != nil {
			return t, fmt.Errorf("reading the gateway trust file: %w", err)
		}
	}
	sum := sha256.Sum256(files.TrustedRoot)
	t.digest = sha256.Sum256(append(sum[:], files.GatewayTrust...))
	return t, nil
}

// completeFiles gets from the gateway what was not named, and says whose word that is.
func (f *Options) completeFiles(ctx context.Context, remote client.Client, told *output.Notes, files *client.TrustFiles) error {
	done := told.SayWaiting("asking " + f.Server + " for its trust files")
	served, err := remote.TrustFiles(ctx)
	done()
	if errors.Is(err, client.ErrNoTrustFiles) {
		if files.TrustedRoot != nil {
			return nil
		}
		return fault.WithHint(err, "name yours, which the receipts are verified with: --trusted-root FILE and, for ATTESTED and BATCHED, --gateway-trust FILE")
	}
	if err != nil {
		return fmt.Errorf("asking for the trust files: %w", err)
	}
	if files.TrustedRoot == nil {
		files.TrustedRoot = served.TrustedRoot
		told.Say("note: receipts are verified with the trusted root from %s, which is the gateway's own word; with yours: --trusted-root FILE", f.Server)
	}
	if files.GatewayTrust == nil {
		files.GatewayTrust = served.GatewayTrust
	}
	return nil
}

// renewPause is how long a run goes on with the trust that it has before it looks for a newer one once more.
const renewPause = 10 * time.Second

// heldTrust is what the receipts of a run are verified with now. It is safe for concurrent use.
type heldTrust struct {
	current atomic.Pointer[receiptTrust]
	renewed atomic.Bool // it is not what the run began with

	mu     sync.Mutex // held while a newer one is looked for
	looked time.Time  // when one was, last
}

func (h *heldTrust) set(t receiptTrust) { h.current.Store(&t) }

// get returns no nil: without a trust there is one in which nothing is.
func (h *heldTrust) get() *receiptTrust {
	if t := h.current.Load(); t != nil {
		return t
	}
	return new(receiptTrust)
}

// renew returns what has come in the place of old: another one has found it, or load does. It is nil where there is nothing newer.
func (h *heldTrust) renew(old *receiptTrust, load func() (receiptTrust, error)) *receiptTrust {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.get(); now.digest != old.digest {
		return now
	}
	if time.Since(h.looked) < renewPause {
		return nil
	}
	h.looked = time.Now()
	t, err := load()
	if err != nil || t.digest == old.digest {
		return nil
	}
	h.set(t)
	h.renewed.Store(true)
	return &t
}

// lacksTrust reports whether a receipt is by a log or a key that the trust does not have.
func lacksTrust(err error) bool {
	switch formats.ReasonOf(err) {
	case receipt.ReasonUnknownLog, receipt.ReasonUnknownGatewayKey:
		return true
	}
	return false
}
