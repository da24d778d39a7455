// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// listedBy are the digests by which a file may be recorded: which one depends on the format and on the signer's key.
var listedBy = []formats.DigestAlgorithm{formats.SHA256, formats.SHA512, formats.BLAKE2b512, formats.SHA384}

// usualPage is how many submissions a gateway puts on a page when it is not asked.
const usualPage = 100

// listFile asks for the submissions over a file, by each of its digests in turn, as if that were one list. A page's token says by which one
// it goes on, "ALG:TOKEN".
func listFile(ctx context.Context, remote client.Client, r *pb.ListSubmissionsRequest, digests []formats.Digest) (*pb.ListSubmissionsResponse, error) {
	page, size := &pb.ListSubmissionsResponse{}, r.GetPageSize()
	if size <= 0 {
		size = usualPage
	}
	at, token := findPage(r.GetPageToken(), digests)
	for ; at < len(digests); at, token = at+1, "" {
		room := size - int32(len(page.GetSubmissions())) // #nosec G115 -- no more than the size
		if room <= 0 {
			page.NextPageToken = formatPage(digests[at], "")
			return page, nil
		}
		asked := proto.CloneOf(r)
		asked.Artifact, asked.PageSize, asked.PageToken = digests[at].String(), room, token
		found, err := remote.List(ctx, asked)
		if err != nil {
			return nil, err
		}
		for _, s := range found.GetSubmissions() {
			if !isListedBy(s, digests[:at]) {
				page.Submissions = append(page.Submissions, s)
			}
		}
		if next := found.GetNextPageToken(); next != "" {
			page.NextPageToken = formatPage(digests[at], next)
			return page, nil
		}
	}
	return page, nil
}

// isListedBy reports whether s was listed by one of these digests before.
func isListedBy(s *pb.Submission, before []formats.Digest) bool {
	return slices.ContainsFunc(before, func(d formats.Digest) bool { return slices.Contains(s.GetArtifactDigests(), d.String()) })
}

func formatPage(d formats.Digest, token string) string { return string(d.Algorithm) + ":" + token }

// findPage returns which digest a token goes on by. A gateway's own is of the first.
func findPage(token string, digests []formats.Digest) (at int, rest string) {
	name, rest, _ := strings.Cut(token, ":")
	at = slices.IndexFunc(digests, func(d formats.Digest) bool { return string(d.Algorithm) == name })
	if at < 0 {
		return 0, token
	}
	return at, rest
}

// hashFile returns the file's digests by all of listedBy, in one pass.
func hashFile(path string) ([]formats.Digest, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withHint(err, "name a file, or a digest as sha256:HEX")
	}
	defer file.Close() //nolint:errcheck // only read
	var hashes []hash.Hash
	var all []io.Writer
	for _, a := range listedBy {
		h := a.New()
		hashes, all = append(hashes, h), append(all, h)
	}
	if _, err := io.Copy(io.MultiWriter(all...), file); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var digests []formats.Digest
	for i, a := range listedBy {
		digests = append(digests, formats.Digest{Algorithm: a, Value: hashes[i].Sum(nil)})
	}
	return digests, nil
}
