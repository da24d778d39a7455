// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func startWork(t *testing.T, ctx context.Context) *formats.Meter { //nolint:revive // t comes first in tests
	t.Helper()
	m, err := formats.StartWork(ctx, "ask for less")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOneAccount: all that is done under one context is charged to one account, and refused once that is spent.
func TestOneAccount(t *testing.T) {
	w := formats.NewWork(1000)
	ctx := formats.WithWork(t.Context(), w)
	if got := formats.EnsureWork(ctx); got != ctx {
		t.Error("a second account was opened")
	}
	first, second := startWork(t, ctx), startWork(t, ctx)
	if err := errors.Join(first.ChargeBytes(600), second.ChargeBytes(400)); err != nil || w.Spent() != 1000 {
		t.Fatalf("%d units spent: %v", w.Spent(), err)
	}
	err := first.ChargeElements(1)
	var refusal *formats.Error
	if !errors.As(err, &refusal) || refusal.Reason != formats.ReasonTooMuchWork || refusal.Hint != "ask for less" {
		t.Errorf("got %v", err)
	}
	if err := second.ChargeBytes(0); formats.ReasonOf(err) != formats.ReasonTooMuchWork {
		t.Errorf("the account allows more after it was spent: %v", err)
	}
	if err := second.Unlimited().ChargeChecks(1<<20, nil); err != nil {
		t.Errorf("the operator's own keys: %v", err)
	}
}

// TestNoAccount: without an account each call is held to MaxWork by itself.
func TestNoAccount(t *testing.T) {
	for range 2 {
		if err := startWork(t, t.Context()).ChargeBytes(formats.MaxWork); err != nil {
			t.Error(err)
		}
	}
	if err := startWork(t, t.Context()).ChargeBytes(formats.MaxWork + 1); formats.ReasonOf(err) != formats.ReasonTooMuchWork {
		t.Errorf("got %v", err)
	}
}

// TestContextEnds: a meter notices the end of its context within a millisecond's work, whatever it is charged in.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	limited := startWork(t, ctx)
	unlimited := limited.Unlimited()
	cancel()
	if _, err := formats.StartWork(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("StartWork: %v", err)
	}
	for name, charge := range map[string]func(int) error{
		"bytes": limited.ChargeBytes, "elements": limited.ChargeElements, "parses": limited.ChargeParses,
		"checks":    func(n int) error { return limited.ChargeChecks(n, nil) },
		"matches":   func(n int) error { return limited.ChargeMatch(n, n) },
		"unlimited": unlimited.ChargeBytes,
	} {
		var err error
		for range 1_000_000 {
			if err = charge(1); err != nil {
				break
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckCost: dearer keys cost more.
func TestCheckCost(t *testing.T) {
	rsaKey := func(bits, e int) crypto.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), E: e}
	}
	last := int64(0)
	for _, key := range []crypto.PublicKey{
		ed25519.PublicKey{}, rsaKey(4096, 65537), rsaKey(8192, 65537), &ecdsa.PublicKey{Curve: elliptic.P521()}, rsaKey(16384, 1<<31-1),
	} {
		cost := formats.CheckCost(key)
		if cost <= last {
			t.Errorf("%T costs %d, the one before %d", key, cost, last)
		}
		last = cost
	}
	if cost := formats.CheckCost(rsaKey(2048, 1<<62)); cost > formats.MaxWork {
		t.Errorf("a large exponent costs %d", cost)
	}
}
