// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"strings"
)

// ListChanged returns the paths ("limits.max_pending", "listeners") of the keys whose values in a and b differ. Of lists and maps it
// returns that of the whole.
func ListChanged(a, b *Config) []string {
	return listChanged(reflect.ValueOf(*a), reflect.ValueOf(*b), "")
}

func listChanged(a, b reflect.Value, prefix string) (paths []string) {
	for f, now := range b.Fields() {
		before := a.FieldByIndex(f.Index)
		if reflect.DeepEqual(before.Interface(), now.Interface()) {
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inner := []string{}
		if f.Type.Kind() == reflect.Struct {
			inner = listChanged(before, now, prefix+key+".")
		}
		if len(inner) == 0 {
			inner = []string{prefix + key}
		}
		paths = append(paths, inner...)
	}
	return paths
}
