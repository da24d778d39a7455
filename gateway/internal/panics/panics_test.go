// SPDX-License-Identifier: Apache-2.0

package panics

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func fail(r *Reporter, with func()) (err error) {
	defer r.Recover("test", &err, "request", "r1")
	with()
	return nil
}

// The process lives on; the line has the place, the request and the stack, and nothing of the input.
func TestRecover(t *testing.T) {
	var log bytes.Buffer
	counted := map[string]int{}
	r := NewReporter(slog.New(slog.NewTextHandler(&log, nil)), func(where string) { counted[where]++ })
	secret := []byte("secret input")
	for name, with := range map[string]func(){
		"text":  func() { panic("about " + string(secret)) },
		"error": func() { panic(errors.New(string(secret))) },
		"index": func() { _ = secret[len(secret)] },
	} {
		if err := fail(r, with); !errors.Is(err, Err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if counted["test"] != 3 || strings.Count(log.String(), "request=r1") != 3 {
		t.Errorf("counted %v, log:\n%s", counted, &log)
	}
	for _, want := range []string{"panics_test.go", "index out of range", "panic=*errors.errorString"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the input is in the log:\n%s", &log)
	}
	if err := fail(nil, func() { panic(1) }); !errors.Is(err, Err) {
		t.Errorf("without a reporter: %v", err)
	}
	if err := fail(r, func() {}); err != nil {
		t.Errorf("without a panic: %v", err)
	}
}
