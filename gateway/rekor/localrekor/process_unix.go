// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package localrekor

import "syscall"

// processAttributes keeps Ctrl-C from the server, so that it ends after its client.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
