// SPDX-License-Identifier: Apache-2.0

//go:build bench

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profileEnv names a folder that a CPU profile of the command is written into.
const profileEnv = "REKOR_GATEWAY_BENCH_COMMAND_PROFILE"

// startProfile writes a CPU profile of this process until stop is called, and one of what it has allocated.
func startProfile() (stop func()) {
	folder := os.Getenv(profileEnv)
	if folder == "" {
		return func() {}
	}
	file, err := os.Create(filepath.Join(folder, fmt.Sprintf("command-%d.pprof", os.Getpid())))
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		panic(err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
		if file, err := os.Create(filepath.Join(folder, fmt.Sprintf("command-%d.allocs.pprof", os.Getpid()))); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(file, 0)
			_ = file.Close()
		}
	}
}
