// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// TestRememberFiles: a file is read once, and nobody's copy of its keys is another's; what is not good is read each time.
func TestRememberFiles(t *testing.T) {
	before := remembered.Load()
	defer remembered.Store(before)
	if err := RememberFiles(2); err != nil {
		t.Fatal(err)
	}
	reads := 0
	read := func(name string) []Key {
		t.Helper()
		keys, err := readOnce([]byte(name), func() ([]Key, error) {
			reads++
			return []Key{{SPKI: []byte(name)}, {SPKI: []byte("more")}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	first := read("a")
	want := slices.Clone(first)
	first[0] = Key{}
	second := read("a")
	second[1] = Key{}
	if got := read("a"); !reflect.DeepEqual(got, want) || reads != 1 {
		t.Errorf("%v after %d reads, want %v after one", got, reads, want)
	}
	read("b")
	read("c") // in place of a
	if read("a"); reads != 4 {
		t.Errorf("%d reads, want 4", reads)
	}
	for range 2 {
		if _, err := readOnce([]byte("bad"), func() ([]Key, error) { reads++; return nil, errBad }); !errors.Is(err, errBad) {
			t.Errorf("%v", err)
		}
		_, _ = readOnce(make([]byte, maxRememberedFile+1), func() ([]Key, error) { reads++; return nil, nil })
	}
	if reads != 8 {
		t.Errorf("%d reads, want 8: bad and large files are not remembered", reads)
	}
}

var errBad = errors.New("bad")
