// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// serveLarge answers whoever asks for submission N with one of more than N bytes, and with as much to each line of a batch.
func serveLarge(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, ":batch") {
			for i := range 3 {
				_, _ = fmt.Fprintf(w, `{"line":%d,"status":201,"submission":{"id":"a","state":"PENDING","more":"%s"}}`+"\n", i+1, strings.Repeat("x", maxSubmission*i/2))
			}
			return
		}
		id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		n, _ := strconv.Atoi(id)
		_, _ = fmt.Fprintf(w, `{"id":"%s","state":"PENDING","more":"%s"}`, id, strings.Repeat("x", n))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func dialLarge(t *testing.T) Client {
	c, err := New(serveLarge(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestLargeAnswers: room is taken for what is large before it is read, once, and what is larger than any gateway's answer is none.
func TestLargeAnswers(t *testing.T) {
	c := dialLarge(t)
	for _, one := range []struct{ size, rooms int }{{0, 0}, {LargeAnswer, 1}, {LargeAnswer * 4, 1}, {maxSubmission, 1}} {
		rooms := 0
		ctx := WithRoom(t.Context(), func(context.Context) error { rooms++; return nil })
		_, err := c.Get(ctx, strconv.Itoa(one.size))
		if isLarge := one.size >= maxSubmission; rooms != one.rooms || errors.Is(err, ErrUnreadable) != isLarge || !isLarge && err != nil {
			t.Errorf("%d bytes: %d rooms, error %v", one.size, rooms, err)
		}
	}
	full := errors.New("no room")
	if _, err := c.Get(WithRoom(t.Context(), func(context.Context) error { return full }), strconv.Itoa(LargeAnswer)); !errors.Is(err, full) {
		t.Errorf("without room: %v", err)
	}
}

// TestLargeLines: of a batch, each answer may be large, and none larger than a submission is.
func TestLargeLines(t *testing.T) {
	c := dialLarge(t)
	answers, err := sendLines(t, c)
	if len(answers) != 2 || !errors.Is(err, ErrUnreadable) {
		t.Errorf("%d answers, error %v", len(answers), err)
	}
}
