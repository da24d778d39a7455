// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// secret is a text that the configuration has, or says where it is. Not more than one of the three is set.
type secret struct {
	key              string // in the configuration; "_file" and "_env" are behind it for the other two
	text, file, name string
}

// count returns how many of the three are set.
func (s secret) count() (n int) {
	for _, way := range []string{s.text, s.file, s.name} {
		if way != "" {
			n++
		}
	}
	return n
}

// maxSecret bounds what a file may say, in bytes.
const maxSecret = 16 << 10

// read returns the text, from wherever it is. what names it in errors, none of which says what it is.
func (s secret) read(what string) (string, error) {
	switch {
	case s.text != "":
		return s.text, nil
	case s.name != "":
		if text := os.Getenv(s.name); text != "" {
			return text, nil
		}
		return "", fmt.Errorf("%s_env: the environment has no variable %s", s.key, s.name)
	}
	f, err := os.Open(s.file)
	if err != nil {
		return "", fmt.Errorf("%s_file: %w", s.key, err)
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("%s_file: %w", s.key, err)
	}
	text := strings.TrimSpace(string(raw))
	if text == "" || len(raw) > maxSecret {
		return "", fmt.Errorf("%s_file: %s does not hold %s", s.key, s.file, what)
	}
	return text, nil
}
