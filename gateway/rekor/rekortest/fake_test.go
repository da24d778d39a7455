// SPDX-License-Identifier: Apache-2.0

package rekortest_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekorverify "github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// contender is what the real log and the fake have in common.
type contender interface {
	GRPCURL() string
	ReadURL() string
	Verifier() note.Verifier
	KeyID() []byte
}

func dial(t *testing.T, c contender) rekortilespb.RekorClient {
	t.Helper()
	u, err := url.Parse(c.GRPCURL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return rekortilespb.NewRekorClient(conn)
}

// TestFakeIsLikeTheRealLog sends the same requests to both and compares what they say.
func TestFakeIsLikeTheRealLog(t *testing.T) {
	logs := map[string]contender{"real": rekortest.StartServer(t), "fake": rekortest.StartFake(t)}
	requests := map[string]*rekortilespb.HashedRekordRequestV002{}
	good := func() *rekortilespb.HashedRekordRequestV002 { return request(rekortest.NewECDSASigner(t)) }
	add := func(name string, change func(*rekortilespb.HashedRekordRequestV002)) {
		r := good()
		change(r)
		requests[name] = r
	}
	add("wrong digest", func(r *rekortilespb.HashedRekordRequestV002) { r.Digest = make([]byte, 32) })
	add("no digest", func(r *rekortilespb.HashedRekordRequestV002) { r.Digest = nil })
	add("no signature", func(r *rekortilespb.HashedRekordRequestV002) { r.Signature = nil })
	add("no verifier", func(r *rekortilespb.HashedRekordRequestV002) { r.Signature.Verifier = nil })
	add("no key details", func(r *rekortilespb.HashedRekordRequestV002) { r.Signature.Verifier.KeyDetails = 0 })
	add("broken key", func(r *rekortilespb.HashedRekordRequestV002) {
		r.Signature.Verifier.GetPublicKey().RawBytes = []byte("key")
	})
	pure := request(rekortest.NewEd25519phSigner(t))
	pure.Signature.Verifier.KeyDetails = commonpb.PublicKeyDetails_PKIX_ED25519
	requests["pure ed25519"] = pure
	for name, r := range requests {
		codes := map[string]string{}
		for which, l := range logs {
			_, err := send(t, l, r, nil)
			codes[which] = status.Code(err).String() + ": " + status.Convert(err).Message()
		}
		if codes["real"] != codes["fake"] {
			t.Errorf("%s: %v", name, codes)
		}
	}
	for which, l := range logs {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			answersRightly(t, l, good())
		})
	}
}

func request(signer *rekortest.Signer) *rekortilespb.HashedRekordRequestV002 {
	r := signer.Record("artifact")
	return &rekortilespb.HashedRekordRequestV002{
		Digest: r.Digest,
		Signature: &rekortilespb.Signature{Content: r.Signature, Verifier: &rekortilespb.Verifier{
			KeyDetails: r.KeyDetails,
			Verifier:   &rekortilespb.Verifier_PublicKey{PublicKey: &rekortilespb.PublicKey{RawBytes: r.SPKI}},
		}},
	}
}

func send(t *testing.T, l contender, r *rekortilespb.HashedRekordRequestV002, header *metadata.MD) (*rekorpb.TransparencyLogEntry, error) {
	t.Helper()
	var options []grpc.CallOption
	if header != nil {
		options = append(options, grpc.Header(header))
	}
	return dial(t, l).CreateEntry(t.Context(), &rekortilespb.CreateEntryRequest{
		Spec: &rekortilespb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: r},
	}, options...)
}

// answersRightly checks an answer, the duplicate's, and the tiles against each other.
func answersRightly(t *testing.T, l contender, r *rekortilespb.HashedRekordRequestV002) {
	answer, err := send(t, l, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rekorverify.VerifyLogEntry(answer, l.Verifier()); err != nil {
		t.Error(err)
	}
	body, err := rekortest.Canonicalize(r)
	if err != nil || !bytes.Equal(answer.GetCanonicalizedBody(), body) {
		t.Errorf("logged %s, %v; want %s", answer.GetCanonicalizedBody(), err, body)
	}
	if !bytes.Equal(answer.GetLogId().GetKeyId(), l.KeyID()) {
		t.Errorf("log id %x, want %x", answer.GetLogId().GetKeyId(), l.KeyID())
	}
	var header metadata.MD
	_, err = send(t, l, r, &header)
	if got := status.Code(err).String(); got != "AlreadyExists" || len(header.Get("x-log-index")) != 1 || header.Get("x-log-index")[0] != "0" {
		t.Errorf("duplicate: %s, %v", got, header)
	}
	bundle := append([]byte{byte(len(body) >> 8), byte(len(body))}, body...)
	for path, want := range map[string][]byte{
		"/checkpoint":             []byte(answer.GetInclusionProof().GetCheckpoint().GetEnvelope()),
		"/tile/0/000.p/1":         answer.GetInclusionProof().GetRootHash(),
		"/tile/entries/000.p/1":   bundle,
		"/tile/0/000":             nil,
		"/tile/entries/000.p/2":   nil,
		"/tile/1/000":             nil,
		"/tile/entries/x001/000":  nil,
		"/tile/entries/../../etc": nil,
	} {
		if got := read(t, l.ReadURL()+path); !bytes.Equal(got, want) {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// read returns what is at url, nil for a 404.
func read(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		t.Fatal(err)
	case resp.StatusCode == http.StatusNotFound:
		return nil
	case resp.StatusCode != http.StatusOK:
		t.Errorf("%s: %s", url, resp.Status)
	}
	return raw
}
