// SPDX-License-Identifier: Apache-2.0

package localrekor

import "syscall"

// processAttributes keeps Ctrl-C from the server, so that it ends after its client, and lets
// it not outlive this process, even when that is killed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
