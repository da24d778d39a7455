// SPDX-License-Identifier: Apache-2.0

// Command rekor-gateway records the signatures people already make in a transparency log and
// verifies the receipts.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(Main()) }

// Main runs the command line and returns the exit code: 0, or 1 after telling on standard
// error what went wrong and what to do about it. A first interrupt ends things in an orderly
// way, a second one at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot()
	if err := root.ExecuteContext(ctx); err != nil {
		printError(os.Stderr, err)
		return 1
	}
	return 0
}
