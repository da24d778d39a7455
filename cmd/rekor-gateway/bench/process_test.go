// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
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
	if bytes, ok := readMemory(pid, field); ok {
		return bytes
	}
	panic(field + " is missing")
}

// readMemory returns ok false for a process that has ended.
func readMemory(pid int, field string) (bytes int64, ok bool) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return must(strconv.ParseInt(strings.Fields(value)[0], 10, 64)) << 10, true
		}
	}
	return 0, false
}

// runWatched runs c, and returns how much memory it had at most, but for what came in its last moments. What the system says of a process that has
// ended (getrusage) is no less than what whoever has started it had.
func runWatched(c *exec.Cmd) (peak int64, err error) {
	const often = 50 * time.Millisecond
	if err := c.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	watched := make(chan int64)
	go func() {
		var peak int64
		for {
			if now, ok := readMemory(c.Process.Pid, "VmHWM"); ok {
				peak = now
			}
			select {
			case <-ended:
				watched <- peak
				return
			case <-time.After(often):
			}
		}
	}()
	err = c.Wait()
	close(ended)
	return <-watched, err
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
