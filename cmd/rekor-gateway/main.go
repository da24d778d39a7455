// SPDX-License-Identifier: Apache-2.0

// Command rekor-gateway records the signatures people already make in a transparency log and
// verifies the receipts.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() { os.Exit(Main()) }

// Main runs the command line and returns the exit code. A first interrupt ends things in an orderly
// way, a second one at once.
func Main() int {
	defer startProfile()()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return runProgram(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// runProgram runs the command line args and returns the exit code. What went wrong, and what to do
// about it, is told on errs, and as JSON on out where that was asked for.
func runProgram(ctx context.Context, args []string, out, errs io.Writer) int {
	var g globals
	root := newRoot(&g)
	root.SetArgs(joinExceptions(args))
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitYes
	}
	if g.isJSON() || asksForJSON(args) {
		printFailure(out, err)
	}
	printError(errs, err)
	return describeFailure(err).ExitCode
}

// asksForJSON is for command lines that cannot be read to their end.
func asksForJSON(args []string) bool {
	i := slices.Index(args, "--output")
	return i >= 0 && i+1 < len(args) && args[i+1] == string(outputJSON) || slices.Contains(args, "--output="+string(outputJSON))
}
