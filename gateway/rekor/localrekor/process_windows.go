// SPDX-License-Identifier: Apache-2.0

package localrekor

import "syscall"

func processAttributes() *syscall.SysProcAttr { return nil }
