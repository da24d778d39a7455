// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// All who use a spool share its bound, and what is closed is free again.
func TestSpoolIsBounded(t *testing.T) {
	s := NewSpool(SpoolConfig{Dir: t.TempDir(), Max: 10})
	first, err := s.TakeIn(strings.NewReader("12345678"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.TakeIn(strings.NewReader("123")); !errors.Is(err, problem.ErrSpoolFull) {
		t.Errorf("a second one: %v", err)
	}
	if got, err := io.ReadAll(first); err != nil || string(got) != "12345678" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := first.Close(); err != nil || s.used.Load() != 0 {
		t.Errorf("%d bytes stay held: %v", s.used.Load(), err)
	}
}

// What is all here already is not written once more.
func TestSpoolCopiesOnce(t *testing.T) {
	s := NewSpool(SpoolConfig{Dir: t.TempDir(), Max: 10})
	first, err := s.TakeIn(strings.NewReader("12345678"))
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []io.Reader{first, bytes.NewReader(make([]byte, 100))} {
		again, err := s.TakeIn(src)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil || s.used.Load() != 8 {
			t.Errorf("%d bytes are held, %v", s.used.Load(), err)
		}
	}
}

// Nothing is written on while the disk is low.
func TestSpoolOnALowDisk(t *testing.T) {
	low := false
	s := NewSpool(SpoolConfig{Dir: t.TempDir(), Max: 1 << 20, CheckDisk: func(int64) error {
		if low {
			return gateway.ErrDiskLow
		}
		return nil
	}})
	half := io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) { low = true; return 0, io.EOF }), strings.NewReader("rest"))
	if _, err := s.TakeIn(half); !errors.Is(err, gateway.ErrDiskLow) || s.used.Load() != 0 {
		t.Errorf("%d bytes stay held: %v", s.used.Load(), err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
