// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// shelf lists submissions by their digests, as a gateway does; a token is how many were listed.
type shelf struct {
	client.Client
	all []*pb.Submission
}

func (s shelf) List(_ context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	var found []*pb.Submission
	for _, sub := range s.all {
		if slices.Contains(sub.GetArtifactDigests(), r.GetArtifact()) {
			found = append(found, sub)
		}
	}
	from, _ := strconv.Atoi(r.GetPageToken())
	to := min(len(found), from+int(r.GetPageSize()))
	page := &pb.ListSubmissionsResponse{Submissions: found[from:to]}
	if to < len(found) {
		page.NextPageToken = strconv.Itoa(to)
	}
	return page, nil
}

// TestListFile: a file is found by whatever digest it was recorded under, once, and in pages of any size.
func TestListFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(path, []byte("app\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	digests, err := hashFile(path)
	if err != nil || len(digests) != 4 {
		t.Fatal(digests, err)
	}
	for _, d := range digests {
		if h := d.Algorithm.New(); true {
			_, _ = h.Write([]byte("app\n"))
			if !d.Equal(formats.Digest{Algorithm: d.Algorithm, Value: h.Sum(nil)}) {
				t.Errorf("%s is not that of the file", d)
			}
		}
	}
	var s shelf
	var want []string
	add := func(id string, by ...formats.Digest) {
		sub := &pb.Submission{Id: id}
		for _, d := range by {
			sub.ArtifactDigests = append(sub.ArtifactDigests, d.String())
		}
		s.all, want = append(s.all, sub), append(want, id)
	}
	for i, d := range digests {
		for n := range 3 {
			add(fmt.Sprint(d.Algorithm, n), d)
		}
		add(fmt.Sprint("two", i), d, digests[(i+1)%len(digests)])
	}
	add("another", formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)})
	want = want[:len(want)-1]
	slices.Sort(want)
	for _, size := range []int32{0, 1, 2, 3, 4, 5, 16, 1000} {
		var got []string
		r := &pb.ListSubmissionsRequest{PageSize: size}
		for pages := 0; ; pages++ {
			page, err := listFile(t.Context(), s, r, digests)
			if err != nil || pages > 40 || size > 0 && len(page.GetSubmissions()) > int(size) {
				t.Fatalf("%d submissions on page %d, %v", len(page.GetSubmissions()), pages, err)
			}
			for _, sub := range page.GetSubmissions() {
				got = append(got, sub.GetId())
			}
			if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
				break
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", size, got, want)
		}
	}
	page, err := listFile(t.Context(), s, &pb.ListSubmissionsRequest{PageSize: 1, PageToken: "2"}, digests) // a gateway's own
	if err != nil || len(page.GetSubmissions()) != 1 || page.GetSubmissions()[0].GetId() != "sha2562" {
		t.Errorf("%v, %v", page, err)
	}
}
