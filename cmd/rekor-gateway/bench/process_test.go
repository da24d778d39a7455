// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of /proc/PID/stat; Linux has it so on every architecture that Go knows.
const clockTick = 10 * time.Millisecond

// cpuOf returns what a running process has spent so far, to the nanosecond: its CPU clock's number is made of its own (clock_getcpuclockid(3)).
func cpuOf(pid int) time.Duration {
	const processClock = 2 // CPUCLOCK_SCHED
	var spent unix.Timespec
	check(unix.ClockGettime(int32(^pid<<3|processClock), &spent))
	return time.Duration(spent.Nano())
}

// cpuOfEnded returns what the children of a running process had spent that have ended.
func cpuOfEnded(pid int) time.Duration {
	raw := must(os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)))
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, system := must(strconv.ParseInt(fields[13], 10, 64)), must(strconv.ParseInt(fields[14], 10, 64))
	return time.Duration(user+system) * clockTick
}

// ownCPU is what this process, the load generator, has spent so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memoryOf returns a field of /proc/PID/status in bytes: VmHWM is the peak of the resident size, VmRSS that now.
func memoryOf(pid int, field string) int64 {
	for line := range strings.Lines(string(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))))) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return must(strconv.ParseInt(strings.Fields(value)[0], 10, 64)) << 10
		}
	}
	panic(field + " is missing")
}

// childNamed returns the running child of this process whose command line has name in it.
func childNamed(name string) int {
	for _, path := range must(filepath.Glob("/proc/self/task/*/children")) {
		raw, err := os.ReadFile(path)
		if err != nil { // a thread that ended
			continue
		}
		for _, child := range strings.Fields(string(raw)) {
			command, err := os.ReadFile("/proc/" + child + "/cmdline")
			if err == nil && bytes.Contains(command, []byte(name)) {
				return must(strconv.Atoi(child))
			}
		}
	}
	panic("no child runs " + name)
}
