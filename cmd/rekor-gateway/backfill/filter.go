// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// filter says which names count. See Options.
type filter struct{ include, exclude []string }

func newFilter(o Options) (*filter, error) {
	f := &filter{}
	for _, list := range []struct {
		patterns []string
		into     *[]string
	}{{o.Include, &f.include}, {o.Exclude, &f.exclude}} {
		for _, p := range list.patterns {
			if !doublestar.ValidatePattern(p) {
				return nil, fmt.Errorf("%q is no pattern", p)
			}
			p = strings.TrimSuffix(p, "/")
			if !strings.Contains(p, "/") {
				p = "**/" + p
			}
			*list.into = append(*list.into, strings.TrimPrefix(p, "/"))
		}
	}
	return f, nil
}

// takes reports whether the file called name counts; the folders that it is in have been asked for.
func (f *filter) takes(name string) bool {
	return (len(f.include) == 0 || matchesAny(f.include, name)) && !matchesAny(f.exclude, name)
}

// enters reports whether a folder may have files that count.
func (f *filter) enters(name string) bool { return !matchesAny(f.exclude, name) }

// takesPath is takes for a name whose folders have not been asked for.
func (f *filter) takesPath(name string) bool {
	for i, c := range name {
		if c == '/' && !f.enters(name[:i]) {
			return false
		}
	}
	return f.takes(name)
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if doublestar.MatchUnvalidated(p, name) {
			return true
		}
	}
	return false
}
