// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// knownTimes says that a receipt's signature existed by these times.
type knownTimes []time.Time

func (k knownTimes) VerifiedTimes(*receiptpb.Receipt) ([]receipt.VerifiedTime, error) {
	var times []receipt.VerifiedTime
	for _, t := range k {
		times = append(times, receipt.VerifiedTime{T: t, Word: "a test"})
	}
	return times, nil
}

// TestMoreTimeNeverRefuses: to know more of when a signature existed never turns yes into no, unless it
// proves the signer's claimed time false.
func TestMoreTimeNeverRefuses(t *testing.T) {
	moments := []time.Time{
		time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 28, 13, 0, 0, 0, time.UTC), time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, folder := range receiptFolders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			list := readVerdicts(t, folder)
			r, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
			if err != nil {
				t.Skip("no receipt that can be read") // edited so that it is none
			}
			claimed := latestClaim(r)
			for _, v := range list.Verifications {
				if v.Name != "right key" && v.Name != "right key, ten years later" && v.Name != "historical allowed" {
					continue
				}
				verifyWith := func(before time.Time, times []time.Time) error {
					o := v.options(t, folder, list.Trust)
					if o.Historical.Allow != 0 {
						o.Historical.SignedBefore = before
					}
					o.TimeSources = []receipt.TimeSource{knownTimes(times)}
					_, err := receipt.Verify(t.Context(), r, o)
					return err
				}
				for _, date := range []time.Time{{}, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), claimed.Add(time.Second)} {
					known := []time.Time{}
					before := verifyWith(date, known)
					for _, m := range moments {
						known = append(known, m)
						after := verifyWith(date, known)
						falsified := claimed.After(known[0].Add(formats.ClockSkew))
						if before == nil && after != nil && !falsified {
							t.Errorf("%s, signed before %v: accepted, and refused once it was known to exist by %v: %v", v.Name, date, known, after)
						}
						before = after
					}
				}
			}
		})
	}
}

// latestClaim returns the latest time at which one of the signatures says to have been made.
func latestClaim(r *receiptpb.Receipt) (latest time.Time) {
	claims := []*timestamppb.Timestamp{r.GetSignature().GetClaimedTime()}
	for _, s := range r.GetRecorded() {
		claims = append(claims, s.GetClaimedTime())
	}
	for _, c := range claims {
		if c != nil && c.AsTime().After(latest) {
			latest = c.AsTime()
		}
	}
	return latest
}

// TestAt: a reader who knows that a signature existed while its key was good says so.
func TestAt(t *testing.T) {
	folder := filepath.Join(corpusDir, "ssh-valid-before-2030")
	list := readVerdicts(t, folder)
	r, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Verifications {
		if v.Name != "right key, ten years later" {
			continue
		}
		o := v.options(t, folder, list.Trust)
		if _, err := receipt.Verify(t.Context(), r, o); formats.ReasonOf(err) != receipt.ReasonSignatureInvalid {
			t.Fatalf("years after its key expired: %v", err)
		}
		o = v.options(t, folder, list.Trust)
		o.At = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, err := receipt.Verify(t.Context(), r, o); err != nil {
			t.Errorf("at a time of the reader's choice: %v", err)
		}
		return
	}
	t.Fatal("the corpus does not ask")
}
