// SPDX-License-Identifier: Apache-2.0

package localrekor

import (
	"fmt"
	"os"
)

// lockDir only opens the file: a second process is not kept out here.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	return f, nil
}
