// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// spooledBytes returns an artifact of two parts and a bit, that is derived from name.
func spooledBytes(name string) []byte {
	return bytes.Repeat([]byte(name+"\n"), 1+(2*gateway.BlobPart+1000)/(len(name)+1))
}

// spool writes an artifact, a little at a time.
func spool(t testing.TB, s gateway.BlobStore, data []byte) gateway.Blob {
	t.Helper()
	w, err := gateway.NewBlobWriter(t.Context(), s, 1<<30)
	noError(t, err)
	for left := data; len(left) > 0; {
		n := min(len(left), 100_001)
		_, err := w.Write(left[:n])
		noError(t, err)
		left = left[n:]
	}
	b, err := w.Finish()
	noError(t, err)
	if b.Size != int64(len(data)) || b.SHA256 != sha256.Sum256(data) {
		t.Fatalf("blob is %+v", b)
	}
	return b
}

// withBlob returns a submission whose entries are sent with b.
func withBlob(sub gateway.NewSubmission, b gateway.Blob) gateway.NewSubmission {
	for i := range sub.Entries {
		sub.Entries[i].Blob = &b
	}
	return sub
}

func blobOf(t testing.TB, s gateway.Store, sub gateway.Submission) gateway.Blob {
	t.Helper()
	b, err := s.BlobOf(t.Context(), sub.Entries[0].LeafHash)
	noError(t, err)
	return b
}

func wantSpooled(t testing.TB, s gateway.Store, b gateway.Blob, want []byte) {
	t.Helper()
	got, err := io.ReadAll(gateway.NewBlobReader(t.Context(), s, b))
	noError(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes are there, not the %d that were spooled", len(got), len(want))
	}
}

func wantGone(t testing.TB, s gateway.Store, b gateway.Blob) {
	t.Helper()
	_, err := s.BlobPart(t.Context(), b.ID, 0)
	wantError(t, err, gateway.ErrBlobGone)
}

// sweep removes all that can be, and returns what is left.
func sweep(t testing.TB, s gateway.Store) gateway.SweptBlobs {
	t.Helper()
	for range 1000 {
		swept, err := s.SweepBlobs(t.Context())
		noError(t, err)
		if !swept.More {
			return swept
		}
	}
	t.Fatal("there is always more to remove")
	return gateway.SweptBlobs{}
}

func wantBlobs(t testing.TB, s gateway.Store, blobs int, size int64) {
	t.Helper()
	if left := sweep(t, s); left.Blobs != blobs || left.Bytes != size {
		t.Errorf("%d blobs of %d bytes are left, want %d of %d", left.Blobs, left.Bytes, blobs, size)
	}
}

// blobTests are about artifacts that are spooled.
var blobTests = map[string]func(testing.TB, opening){
	// What was spooled is there for whoever shares the store, and after a crash, as long as an entry waits that it is sent with.
	"Blob/kept while it waits": func(t testing.TB, o opening) {
		s := o.openToCrash()
		data := spooledBytes("artifact")
		b := spool(t, s, data)
		sub := enqueueAll(t, s, withBlob(newSubmission("one"), b))[0]
		s = s.crash()
		_, err := s.DoubtPending(t.Context(), logA, shard)
		noError(t, err)
		wantBlobs(t, s, 1, b.Size)
		s.setClock(after(2 * gateway.BlobGrace))
		wantBlobs(t, s, 1, b.Size)
		if got := blobOf(t, s.another(), sub); got != b {
			t.Errorf("blob is %+v, want %+v", got, b)
		}
		wantSpooled(t, s.another(), b, data)
		c := claimOne(t, s, after(2*gateway.BlobGrace))
		wantBlobs(t, s, 1, b.Size)
		finishEntries(t, s, retryOutcome(c, 0))
		resendDoubtful(t, s)
		wantBlobs(t, s, 1, b.Size)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, after(3*gateway.BlobGrace))))
		wantBlobs(t, s, 0, 0)
		wantGone(t, s, b)
		_, err = s.BlobOf(t.Context(), sub.Entries[0].LeafHash)
		wantError(t, err, gateway.ErrBlobGone)
	},

	// What was refused for good needs its artifact again when it is sent again, and gets the new one.
	"Blob/refused, and again": func(t testing.TB, o opening) {
		s := o.open()
		b := spool(t, s, spooledBytes("artifact"))
		enqueueAll(t, s, withBlob(newSubmission("one"), b))
		finishEntries(t, s, failedOutcome(claimOne(t, s, start)))
		wantBlobs(t, s, 0, 0)
		again := spool(t, s, spooledBytes("artifact"))
		sub := enqueueAll(t, s, withBlob(newSubmission("one"), again))[0]
		wantState(t, s, sub, gateway.Pending)
		wantBlobs(t, s, 1, again.Size)
		if got := blobOf(t, s, sub); got != again {
			t.Errorf("blob is %+v, want %+v", got, again)
		}
	},

	// One entry is sent with one artifact, which may be on its way: another of the same changes nothing, and is removed.
	"Blob/twice": func(t testing.TB, o opening) {
		s := o.open()
		first, second := spool(t, s, spooledBytes("artifact")), spool(t, s, spooledBytes("artifact"))
		sub := enqueueAll(t, s, withBlob(newSubmission("one"), first))[0]
		enqueueAll(t, s, withBlob(newSubmission("one"), second))
		enqueueAll(t, s, withBlob(NewSubmission(other, "one", logA), spool(t, s, spooledBytes("artifact"))))
		if got := blobOf(t, s, sub); got != first {
			t.Errorf("blob is %+v, want %+v", got, first)
		}
		wantBlobs(t, s, 1, first.Size)
		wantGone(t, s, second)
	},

	// Entries of several logs, and those that go over to another, are sent with one.
	"Blob/moved": func(t testing.TB, o opening) {
		s := o.open()
		data := spooledBytes("artifact")
		b := spool(t, s, data)
		sub := newSubmission("one")
		sub.Entries = append(sub.Entries, newEntry("log-c", "one"))
		stored := enqueueAll(t, s, withBlob(sub, b))[0]
		moved, err := s.Move(t.Context(), gateway.MoveParams{From: logA, To: logB, Limit: 10})
		noError(t, err)
		if moved.Submissions != 1 {
			t.Fatalf("moved %+v", moved)
		}
		wantBlobs(t, s, 1, b.Size)
		p := claimParams(1)
		p.Log = "log-c"
		claimed, err := s.Claim(t.Context(), p)
		noError(t, err)
		finishEntries(t, s, loggedOutcome(claimed[0]))
		wantBlobs(t, s, 1, b.Size)
		wantSpooled(t, s, blobOf(t, s, stored), data)
		p.Log = logB
		claimed, err = s.Claim(t.Context(), p)
		noError(t, err)
		finishEntries(t, s, loggedOutcome(claimed[0]))
		wantBlobs(t, s, 0, 0)
	},

	// The same submission, by its key, with another form of its signature, and so another leaf, is sent again after the log refused it: what is
	// stored of it is sent then, with the new artifact.
	"Blob/another leaf": func(t testing.TB, o opening) {
		s := o.open()
		data := spooledBytes("artifact")
		sub := enqueueAll(t, s, withBlob(newSubmission("one"), spool(t, s, data)))[0]
		finishEntries(t, s, failedOutcome(claimOne(t, s, start)))
		wantBlobs(t, s, 0, 0)
		again := newSubmission("one")
		again.Entries[0].LeafHash = sha256.Sum256([]byte("another leaf"))
		enqueueAll(t, s, withBlob(again, spool(t, s, data)))
		wantState(t, s, sub, gateway.Pending)
		wantBlobs(t, s, 1, int64(len(data)))
		wantSpooled(t, s, blobOf(t, s, sub), data)
	},

	// An entry that is another's, too, loses the artifact of that one's, and then goes over to another log.
	"Blob/shared, and moved": func(t testing.TB, o opening) {
		s := o.open()
		data := spooledBytes("artifact")
		enqueueAll(t, s, withBlob(NewSubmission(tenant, "first", logA, "one"), spool(t, s, data)))
		stored := enqueueAll(t, s, withBlob(NewSubmission(other, "second", logA, "one", "two"), spool(t, s, data)))[0]
		one, two := claimOne(t, s, start), claimOne(t, s, start)
		if one.LeafHash != stored.Entries[0].LeafHash {
			one, two = two, one
		}
		wantBlobs(t, s, 2, 2*int64(len(data)))
		finishEntries(t, s, failedOutcome(one), retryOutcome(two, 0))
		wantBlobs(t, s, 1, int64(len(data)))
		resendDoubtful(t, s)
		_, err := s.Move(t.Context(), gateway.MoveParams{From: logA, To: logB, Limit: 10})
		noError(t, err)
		moved, err := s.Get(t.Context(), other, stored.ID)
		noError(t, err)
		for i, e := range moved.Entries {
			if e.Log != logB || e.State != gateway.Pending {
				t.Errorf("entry %d is %s in %s", i, e.State, e.Log)
			}
			b, err := s.BlobOf(t.Context(), e.LeafHash)
			noError(t, err)
			wantSpooled(t, s, b, data)
		}
		wantBlobs(t, s, 1, int64(len(data)))
	},

	// A retired log needs none.
	"Blob/retired": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, withBlob(newSubmission("one"), spool(t, s, spooledBytes("artifact"))))
		_, err := s.Retire(t.Context(), gateway.RetireParams{Log: logA, Limit: 10})
		noError(t, err)
		enqueueAll(t, s, withBlob(newSubmission("two"), spool(t, s, spooledBytes("artifact"))))
		wantBlobs(t, s, 0, 0)
	},

	// One with which nothing was enqueued is dropped, or forgotten after a while: of a crash it is left.
	"Blob/orphans": func(t testing.TB, o opening) {
		s := o.open()
		dropped, left := spool(t, s, spooledBytes("dropped")), spool(t, s, spooledBytes("left"))
		noError(t, s.DropBlob(t.Context(), dropped.ID))
		noError(t, s.DropBlob(t.Context(), dropped.ID))
		_, refused := tryEnqueue(t, s, withBlob(newSubmission("at once"), dropped))
		wantError(t, refused[0], gateway.ErrBlobGone)
		wantBlobs(t, s, 1, left.Size)
		wantGone(t, s, dropped)
		_, refused = tryEnqueue(t, s, withBlob(newSubmission("late"), dropped))
		wantError(t, refused[0], gateway.ErrBlobGone)
		s.setClock(after(gateway.BlobGrace - time.Second))
		wantBlobs(t, s, 1, left.Size)
		s.setClock(after(gateway.BlobGrace + time.Second))
		wantBlobs(t, s, 0, 0)
		s.setClock(after(-2 * gateway.BlobGrace)) // by a clock that was set back
		old := spool(t, s, spooledBytes("old"))
		s.setClock(after(2 * gateway.BlobGrace))
		wantBlobs(t, s, 0, 0)
		wantGone(t, s, old)
	},

	// Of a blob that is enqueued nothing is dropped, and nothing is added to it.
	"Blob/closed": func(t testing.TB, o opening) {
		s := o.open()
		b := spool(t, s, bytes.Repeat([]byte("x"), gateway.BlobPart))
		enqueueAll(t, s, withBlob(newSubmission("one"), b))
		noError(t, s.DropBlob(t.Context(), b.ID))
		wantError(t, s.AppendBlob(t.Context(), b.ID, 1, []byte("more")), gateway.ErrBlobGone)
		wantBlobs(t, s, 1, b.Size)
	},

	// Parts come in order, each once, and whole but for the last one.
	"Blob/parts": func(t testing.TB, o opening) {
		s := o.open()
		id, whole := gateway.BlobID{1}, make([]byte, gateway.BlobPart)
		wantError(t, s.AppendBlob(t.Context(), id, 1, whole), gateway.ErrBlobGone)
		wantError(t, s.AppendBlob(t.Context(), id, -1, whole), gateway.ErrBlobGone)
		wantError(t, s.AppendBlob(t.Context(), id, 0, nil), gateway.ErrBlobGone)
		wantError(t, s.AppendBlob(t.Context(), id, 0, append(whole, 1)), gateway.ErrBlobGone)
		noError(t, s.AppendBlob(t.Context(), id, 0, whole))
		wantError(t, s.AppendBlob(t.Context(), id, 0, whole), gateway.ErrBlobGone)
		wantError(t, s.AppendBlob(t.Context(), id, 2, whole), gateway.ErrBlobGone)
		noError(t, s.AppendBlob(t.Context(), id, 1, []byte("end")))
		wantError(t, s.AppendBlob(t.Context(), id, 2, []byte("more")), gateway.ErrBlobGone)
		_, err := s.BlobPart(t.Context(), id, 2)
		wantError(t, err, gateway.ErrBlobGone)
		wantBlobs(t, s, 1, gateway.BlobPart+3)
	},

	// An entry gets a blob only as it is, and a refusal concerns its submission alone.
	"Blob/another": func(t testing.TB, o opening) {
		s := o.open()
		b := spool(t, s, spooledBytes("artifact"))
		for name, other := range map[string]gateway.Blob{"size": {ID: b.ID, Size: b.Size - 1, SHA256: b.SHA256}, "id": {ID: gateway.BlobID{9}, Size: b.Size, SHA256: b.SHA256}} {
			subs, refused := tryEnqueue(t, s, withBlob(newSubmission("bad "+name), other), newSubmission("beside "+name))
			wantError(t, refused[0], gateway.ErrBlobGone)
			noError(t, refused[1])
			wantState(t, s, subs[1], gateway.Pending)
		}
		enqueueAll(t, s, withBlob(newSubmission("one"), b))
		_, refused := tryEnqueue(t, s, withBlob(newSubmission("two"), gateway.Blob{ID: b.ID, Size: b.Size}))
		wantError(t, refused[0], gateway.ErrBlobGone)
	},

	// The bound on bytes is one for what is enqueued and its artifacts.
	"Blob/bound": func(t testing.TB, o opening) {
		s, _ := newTestStore(o.t, o.driver, Options{MaxPendingBytes: 5 * gateway.BlobPart})
		part := bytes.Repeat([]byte("x"), gateway.BlobPart)
		for _, name := range []string{"one", "two", "three", "four"} {
			enqueueAll(t, s, withBlob(newSubmission(name), spool(t, s, part)))
		}
		wantError(t, s.AppendBlob(t.Context(), gateway.BlobID{7}, 0, part), gateway.ErrQueueFull)
		stats, err := s.Stats(t.Context())
		noError(t, err)
		b := spool(t, s, part[stats.PendingBytes[logA]:]) // and nothing beside it
		_, refused := tryEnqueue(t, s, withBlob(newSubmission("five"), b))
		wantError(t, refused[0], gateway.ErrQueueFull)
		wantBlobs(t, s, 4, 4*gateway.BlobPart)
		enqueueAll(t, s, newSubmission("five"))
	},

	// What is open, whoever spools it, and after a crash, keeps nobody from enqueuing, with a small artifact, too.
	"Blob/open bound": func(t testing.TB, o opening) {
		s, _ := newTestStore(o.t, o.driver, Options{MaxPendingBytes: 16 * gateway.BlobPart})
		part := bytes.Repeat([]byte("x"), gateway.BlobPart)
		large := []int{4, 2, 1} // each as much as it leaves
		for i, parts := range large {
			id := gateway.BlobID{byte(i + 1)}
			for n := range parts {
				noError(t, s.AppendBlob(t.Context(), id, n, part))
			}
			wantError(t, s.AppendBlob(t.Context(), id, parts, part[:1]), gateway.ErrQueueFull)
		}
		wantError(t, s.AppendBlob(t.Context(), gateway.BlobID{8}, 0, part), gateway.ErrQueueFull)
		s.setClock(after(gateway.BlobGrace - time.Second)) // nobody continues them
		wantBlobs(t, s, len(large), 7*gateway.BlobPart)
		enqueueAll(t, s, NewSubmission(other, "one", logA), withBlob(NewSubmission(other, "two", logA), spool(t, s, []byte("small"))))
		noError(t, s.DropBlob(t.Context(), gateway.BlobID{1}))
		noError(t, s.AppendBlob(t.Context(), gateway.BlobID{8}, 0, part)) // before it is swept
	},

	// Quotas count an artifact once, however many logs it is sent to.
	"Blob/quota": func(t testing.TB, o opening) {
		s := o.open()
		b := spool(t, s, spooledBytes("artifact"))
		sub := newSubmission("one")
		sub.Entries = append(sub.Entries, newEntry(logB, "one"))
		sub.Quotas = []gateway.Quota{{Subject: "caller", Bytes: b.Size + 2000}}
		enqueueAll(t, s, withBlob(sub, b))
		next := newSubmission("two")
		next.Quotas = []gateway.Quota{{Subject: "caller", Bytes: b.Size}}
		_, refused := tryEnqueue(t, s, next)
		if refused[0] == nil {
			t.Error("the artifact does not count")
		}
	},

	// What is enqueued while others sweep keeps its artifact.
	"Blob/swept meanwhile": func(t testing.TB, o opening) {
		s := o.open()
		beside := s.another()
		data := []byte("small")
		for range 20 {
			b := spool(t, beside, data)
			var sweeping sync.WaitGroup
			for _, store := range []*testStore{s, beside} {
				sweeping.Go(func() {
					for range 3 {
						_, err := store.SweepBlobs(t.Context())
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			enqueueAll(t, s, withBlob(newSubmission("one"), b))
			c := claimOne(t, s, start)
			wantSpooled(t, s, blobOf(t, s, gateway.Submission{Entries: []gateway.Entry{c.Entry}}), data)
			finishEntries(t, s, failedOutcome(c))
			sweeping.Wait()
		}
		wantBlobs(t, s, 0, 0)
	},
}
