// SPDX-License-Identifier: Apache-2.0

//go:build !bench

package main

// startProfile is for benchmarks.
func startProfile() (stop func()) { return func() {} }
