// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/client/write"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

func keyVerifier(public crypto.PublicKey, details commonpb.PublicKeyDetails) *rekorv2pb.Verifier {
	return &rekorv2pb.Verifier{KeyDetails: details, Verifier: &rekorv2pb.Verifier_PublicKey{PublicKey: &rekorv2pb.PublicKey{RawBytes: must(x509.MarshalPKIXPublicKey(public))}}}
}

func certificateVerifier(t *testing.T, k crypto.Signer, details commonpb.PublicKeyDetails) *rekorv2pb.Verifier {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw := must(x509.CreateCertificate(rand.Reader, template, template, k.Public(), k))
	return &rekorv2pb.Verifier{KeyDetails: details, Verifier: &rekorv2pb.Verifier_X509Certificate{X509Certificate: &commonpb.X509Certificate{RawBytes: raw}}}
}

// signFor returns a request of Rekor v2 for text, by k.
func signFor(text string, k crypto.Signer, hash crypto.Hash, v *rekorv2pb.Verifier) *rekorv2pb.HashedRekordRequestV002 {
	h := hash.New()
	h.Write([]byte(text))
	digest := h.Sum(nil)
	return &rekorv2pb.HashedRekordRequestV002{Digest: digest, Signature: &rekorv2pb.Signature{Content: must(k.Sign(rand.Reader, digest, hash)), Verifier: v}}
}

// sign returns a request by the tests' key.
func signRekor(text string) *rekorv2pb.HashedRekordRequestV002 {
	return signFor(text, key, crypto.SHA256, keyVerifier(key.Public(), commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256))
}

func wrapRekor(h *rekorv2pb.HashedRekordRequestV002) *rekorv2pb.CreateEntryRequest {
	return &rekorv2pb.CreateEntryRequest{Spec: &rekorv2pb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: h}}
}

// dialRekor returns the gateway as a Rekor v2 server, over gRPC.
func (r *running) dialRekor() (rekorv2pb.RekorClient, *grpc.ClientConn) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	r.t.Cleanup(func() { conn.Close() })
	return rekorv2pb.NewRekorClient(conn), conn
}

// checkProven: an answer is of the log, has the entry that was sent, and its proof leads to its checkpoint.
func checkProven(t *testing.T, log *rekortest.Server, sent *rekorv2pb.HashedRekordRequestV002, e *rekorpb.TransparencyLogEntry) {
	t.Helper()
	body := new(rekorv2pb.Entry)
	if err := protojson.Unmarshal(e.GetCanonicalizedBody(), body); err != nil {
		t.Fatal(err)
	}
	recorded := body.GetSpec().GetHashedRekordV002()
	if body.GetKind() != "hashedrekord" || body.GetApiVersion() != "0.0.2" || !bytes.Equal(recorded.GetData().GetDigest(), sent.GetDigest()) || !proto.Equal(recorded.GetSignature(), sent.GetSignature()) {
		t.Errorf("recorded %s, sent %s", e.GetCanonicalizedBody(), sent)
	}
	p := e.GetInclusionProof()
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(e.GetLogIndex()), uint64(p.GetTreeSize()), rfc6962.DefaultHasher.HashLeaf(e.GetCanonicalizedBody()), p.GetHashes(), p.GetRootHash()); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(p.GetCheckpoint().GetEnvelope(), fmt.Sprintf("%s\n%d\n", log.Origin(), p.GetTreeSize())) || e.GetIntegratedTime() != 0 || e.GetInclusionPromise() != nil ||
		e.GetKindVersion().GetVersion() != "0.0.2" || len(e.GetLogId().GetKeyId()) != sha256.Size || e.GetLogIndex() != p.GetLogIndex() {
		t.Errorf("answer: %s", e)
	}
}

// TestRekorV2: the client of Rekor v2 that cosign and sigstore-go have, and a plain gRPC one, are answered as by the log; sent again, too, whichever
// way, and with nothing new in the log.
func TestRekorV2(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	r := run(t, newConfigOver(t, log))
	defer r.stop()
	writer := must(write.NewWriter(r.Addresses().HTTP))
	remote, _ := r.dialRekor()
	edKey := must2(ed25519.GenerateKey(rand.Reader))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for name, sent := range map[string]*rekorv2pb.HashedRekordRequestV002{
		"key":         signRekor("by a key"),
		"certificate": signFor("by a certificate", key, crypto.SHA256, certificateVerifier(t, key, commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256)),
		"P-384":       signFor("by P-384", p384, crypto.SHA384, keyVerifier(p384.Public(), commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384)),
		"Ed25519ph":   signFor("prehashed", edKey, crypto.SHA512, keyVerifier(edKey.Public(), commonpb.PublicKeyDetails_PKIX_ED25519_PH)),
	} {
		first, err := writer.Add(t.Context(), sent)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkProven(t, log, sent, first)
		again, err := writer.Add(t.Context(), sent)
		if err != nil || !proto.Equal(first, again) {
			t.Errorf("%s, again: %v\n%s\n%s", name, err, first, again)
		}
		overGRPC, err := remote.CreateEntry(t.Context(), wrapRekor(sent))
		if err != nil || !proto.Equal(first, overGRPC) {
			t.Errorf("%s, over gRPC: %v", name, err)
		}
	}
	r.checkMirror(log, 4)
}

func must2[A, B any](_ A, b B, err error) B {
	if err != nil {
		panic(err)
	}
	return b
}

// checkMirror reads the log through the gateway as a client of tlog-tiles does, and proves an entry by what it reads.
func (r *running) checkMirror(log *rekortest.Server, size uint64) {
	r.t.Helper()
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(r.Addresses().HTTP+"/api/v2/")), nil))
	raw := must(fetcher.ReadCheckpoint(r.t.Context()))
	if !bytes.HasPrefix(raw, fmt.Appendf(nil, "%s\n%d\n", log.Origin(), size)) {
		r.t.Fatalf("checkpoint: %s", raw)
	}
	bundle := must(client.GetEntryBundle(r.t.Context(), fetcher.ReadEntryBundle, 0, size))
	builder := must(client.NewProofBuilder(r.t.Context(), size, fetcher.ReadTile))
	root := must(base64.StdEncoding.DecodeString(strings.Split(string(raw), "\n")[2]))
	for i, entry := range bundle.Entries {
		hashes := must(builder.InclusionProof(r.t.Context(), uint64(i)))
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), size, rfc6962.DefaultHasher.HashLeaf(entry), hashes, root); err != nil {
			r.t.Errorf("entry %d: %v", i, err)
		}
	}
	remote, _ := r.dialRekor()
	overGRPC, err := remote.GetCheckpoint(r.t.Context(), new(emptypb.Empty))
	if err != nil || !bytes.Equal(overGRPC.GetData(), raw) {
		r.t.Errorf("checkpoint over gRPC: %v %s", err, overGRPC.GetData())
	}
	tile, err := remote.GetTile(r.t.Context(), &rekorv2pb.TileRequest{L: 0, N: fmt.Sprintf("000.p/%d", size)})
	if err != nil || len(tile.GetData()) != int(size)*sha256.Size {
		r.t.Errorf("tile over gRPC: %v %d bytes", err, len(tile.GetData()))
	}
	entries, err := remote.GetEntryBundle(r.t.Context(), &rekorv2pb.EntryBundleRequest{N: fmt.Sprintf("000.p/%d", size)})
	if err != nil || !bytes.Contains(entries.GetData(), bundle.Entries[0]) {
		r.t.Errorf("entries over gRPC: %v", err)
	}
	for _, path := range []string{"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/64/000.p/1", "tile/0/x", "tile/entries/000", "tile/entries/x", "tile/entries/000.p/0", "log", "tile/0", "../own", "log/entries/1"} {
		resp := must(http.Get(r.Addresses().HTTP + "/api/v2/" + path))
		if text := must(io.ReadAll(resp.Body)); resp.StatusCode != http.StatusNotFound {
			r.t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
		resp.Body.Close()
	}
	if _, err := remote.GetTile(r.t.Context(), &rekorv2pb.TileRequest{L: 9, N: "x"}); status.Code(err) != codes.NotFound {
		r.t.Errorf("a tile that is none, over gRPC: %v", err)
	}
}

// postRekor posts JSON to Rekor's own route, and returns the answer, which is google.rpc.Status unless it is 201.
func (r *running) postRekor(body string, header ...string) (code int, said map[string]any, retryAfter string) {
	r.t.Helper()
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/api/v2/log/entries", strings.NewReader(body)))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	resp := must(http.DefaultClient.Do(request))
	defer resp.Body.Close()
	said = map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%d %s: %v", resp.StatusCode, resp.Header.Get("Content-Type"), err)
	}
	return resp.StatusCode, said, resp.Header.Get("Retry-After")
}

// TestRekorV2Refusals: what the log would not take, and what the policy forbids, is refused before the log is asked, in the form of the log's
// server and with the gateway's reason and hint, over HTTP and gRPC alike.
func TestRekorV2Refusals(t *testing.T) {
	log := rekortest.StartServer(t)
	cfg := newConfigOver(t, log)
	r := run(t, cfg)
	defer r.stop()
	remote, _ := r.dialRekor()
	edKey := must2(ed25519.GenerateKey(rand.Reader))
	pure := signRekor("pure")
	sum := sha512.Sum512([]byte("pure"))
	pure.Digest = sum[:]
	pure.Signature = &rekorv2pb.Signature{Content: ed25519.Sign(edKey, []byte("pure")), Verifier: keyVerifier(edKey.Public(), commonpb.PublicKeyDetails_PKIX_ED25519)}
	asPrehashed := proto.CloneOf(pure)
	asPrehashed.Signature.Verifier.KeyDetails = commonpb.PublicKeyDetails_PKIX_ED25519_PH
	own := must(x509.ParsePKCS8PrivateKey(pemOf(t, filepath.Join(filepath.Dir(cfg.Store.SQLite.Path), "key")))).(*ecdsa.PrivateKey)
	for name, test := range map[string]struct {
		change func(*rekorv2pb.HashedRekordRequestV002)
		sent   *rekorv2pb.HashedRekordRequestV002
		status int
		reason string
		code   codes.Code
	}{
		"pure Ed25519":              {nil, pure, 422, "NOT_PROJECTABLE", codes.FailedPrecondition},
		"pure Ed25519 as prehashed": {nil, asPrehashed, 422, "SIGNATURE_INVALID", codes.FailedPrecondition},
		"the gateway's own key":     {nil, signFor("own", own, crypto.SHA256, keyVerifier(own.Public(), commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256)), 422, "FORBIDDEN_SIGNER", codes.FailedPrecondition},
		"another digest":            {func(h *rekorv2pb.HashedRekordRequestV002) { h.Digest[0] ^= 1 }, nil, 422, "SIGNATURE_INVALID", codes.FailedPrecondition},
		"a short digest":            {func(h *rekorv2pb.HashedRekordRequestV002) { h.Digest = h.Digest[:31] }, nil, 422, "SIGNATURE_INVALID", codes.FailedPrecondition},
		"another algorithm": {func(h *rekorv2pb.HashedRekordRequestV002) {
			h.Signature.Verifier.KeyDetails = commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384
		}, nil, 422, "ALGORITHM_NOT_LOGGABLE", codes.FailedPrecondition},
		"no algorithm":  {func(h *rekorv2pb.HashedRekordRequestV002) { h.Signature.Verifier.KeyDetails = 0 }, nil, 422, "ALGORITHM_NOT_LOGGABLE", codes.FailedPrecondition},
		"no signature":  {func(h *rekorv2pb.HashedRekordRequestV002) { h.Signature.Content = nil }, nil, 400, "MISSING_SIGNATURE", codes.InvalidArgument},
		"no digest":     {func(h *rekorv2pb.HashedRekordRequestV002) { h.Digest = nil }, nil, 400, "MALFORMED_DIGEST", codes.InvalidArgument},
		"no key":        {func(h *rekorv2pb.HashedRekordRequestV002) { h.Signature.Verifier = nil }, nil, 400, "MISSING_KEY", codes.InvalidArgument},
		"no key at all": {func(h *rekorv2pb.HashedRekordRequestV002) { h.Signature = nil }, nil, 400, "MISSING_SIGNATURE", codes.InvalidArgument},
		"base64 in base64": {func(h *rekorv2pb.HashedRekordRequestV002) {
			h.Signature.Content = []byte(`MEUCIQDx`)
		}, nil, 422, "SIGNATURE_INVALID", codes.FailedPrecondition},
		"a key that is none": {func(h *rekorv2pb.HashedRekordRequestV002) {
			h.Signature.Verifier.GetPublicKey().RawBytes = []byte("no key")
		}, nil, 400, "MALFORMED_KEY", codes.InvalidArgument},
		"an entry that is too large": {func(h *rekorv2pb.HashedRekordRequestV002) { h.Signature.Content = make([]byte, 65535) }, nil, 413, "TOO_LARGE", codes.InvalidArgument},
	} {
		sent := test.sent
		if sent == nil {
			sent = signRekor(name)
			test.change(sent)
		}
		code, said, _ := r.postRekor(string(must(protojson.Marshal(wrapRekor(sent)))))
		message, _ := said["message"].(string)
		if code != test.status || said["code"] != float64(test.code) || !strings.HasPrefix(message, test.reason+": ") {
			t.Errorf("%s: %d %v", name, code, said)
		}
		_, err := remote.CreateEntry(t.Context(), wrapRekor(sent))
		if status.Code(err) != test.code || status.Convert(err).Message() != message {
			t.Errorf("%s, over gRPC: %v, and over HTTP %s", name, err, message)
		}
	}
	for body, want := range map[string]struct {
		status int
		reason string
	}{
		``:               {400, "MALFORMED_REQUEST"},
		`{`:              {400, "MALFORMED_REQUEST"},
		`{}`:             {400, "MALFORMED_REQUEST"},
		`{"unknown":{}}`: {400, "MALFORMED_REQUEST"},
		`{} {}`:          {400, "MALFORMED_REQUEST"},
		`{"dsseRequestV002":{"envelope":{"payload":"AA=="},"verifiers":[]}}`:               {422, "UNSUPPORTED_FEATURE"},
		`{"dsseRequestV002":{"verifiers":[` + strings.Repeat(`{},`, 1000) + `{}]}}`:        {400, "MALFORMED_REQUEST"},
		`{"hashedRekordRequestV002":{"digest":"` + strings.Repeat("A", 300<<10) + `"}}`:    {413, "TOO_LARGE"},
		`{"hashedRekordRequestV002":{},"hashedRekordRequestV002":{}}`:                      {400, "MALFORMED_REQUEST"},
		strings.Repeat(`{"hashedRekordRequestV002":`, 40) + `{}` + strings.Repeat(`}`, 40): {400, "MALFORMED_REQUEST"},
	} {
		if code, said, _ := r.postRekor(body); code != want.status || !strings.HasPrefix(fmt.Sprint(said["message"]), want.reason+": ") {
			t.Errorf("%.60s: %d %v", body, code, said)
		}
	}
	resp := must(http.Get(log.ReadURL() + "/checkpoint"))
	defer resp.Body.Close()
	if raw := must(io.ReadAll(resp.Body)); !strings.Contains(string(raw), "\n0\n") {
		t.Errorf("the log was sent something:\n%s", raw)
	}
	if code, said, _ := r.postRekor(`{}`, "Sec-Fetch-Site", "cross-site"); code != 403 || !strings.HasPrefix(fmt.Sprint(said["message"]), "CROSS_ORIGIN_REQUEST: ") {
		t.Errorf("from another site: %d %v", code, said)
	}
}

func pemOf(t *testing.T, path string) []byte {
	t.Helper()
	block, _ := pem.Decode(must(os.ReadFile(path)))
	return block.Bytes
}

// TestRekorV2Callers: Rekor's routes take the callers, rights, path tokens and limits of all others, and refuse in Rekor's form.
func TestRekorV2Callers(t *testing.T) {
	t.Parallel()
	cfg := withCallers(newConfig(t), map[string][]string{"farm": {"submit"}, "reader": {"read"}})
	cfg.Callers[0].Limits.RequestsPerMinute, cfg.Callers[1].Limits.RequestsPerMinute = 600, 600
	r := run(t, withPathToken(cfg))
	defer r.stop()
	sent := signRekor("by callers")
	body := string(must(protojson.Marshal(wrapRekor(sent))))
	for name, test := range map[string]struct {
		header []string
		status int
		reason string
	}{
		"nobody":     {nil, 401, "UNAUTHENTICATED"},
		"a stranger": {[]string{"Authorization", bearer("nobody")}, 401, "UNAUTHENTICATED"},
		"a reader":   {[]string{"Authorization", bearer("reader")}, 403, "FORBIDDEN"},
	} {
		if code, said, _ := r.postRekor(body, test.header...); code != test.status || !strings.HasPrefix(fmt.Sprint(said["message"]), test.reason+": ") {
			t.Errorf("%s: %d %v", name, code, said)
		}
	}
	if code, said, _ := r.postRekor(body, "Authorization", bearer("farm")); code != 201 {
		t.Errorf("the farm: %d %v", code, said)
	}
	remote, conn := r.dialRekor()
	if _, err := remote.CreateEntry(t.Context(), wrapRekor(sent)); status.Code(err) != codes.Unauthenticated || !strings.HasPrefix(status.Convert(err).Message(), "UNAUTHENTICATED: ") {
		t.Errorf("nobody over gRPC: %v", err)
	}
	if _, err := remote.CreateEntry(metadata.AppendToOutgoingContext(t.Context(), "authorization", bearer("farm")), wrapRekor(sent)); err != nil {
		t.Errorf("the farm over gRPC: %v", err)
	}
	if _, err := remote.GetCheckpoint(metadata.AppendToOutgoingContext(t.Context(), "authorization", bearer("farm")), new(emptypb.Empty)); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the farm reads: %v", err)
	}
	base := r.Addresses().HTTP + "/r/" + pathToken
	if _, err := must(write.NewWriter(base)).Add(t.Context(), sent); err != nil {
		t.Errorf("by a token in the path: %v", err)
	}
	for path, want := range map[string]int{"checkpoint": 200, "tile/0/000.p/1": 200, "tile/entries/000.p/1": 200} {
		resp := must(http.Get(base + "/api/v2/" + path))
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s by a token in the path: %d", path, resp.StatusCode)
		}
		resp = must(http.Get(r.Addresses().HTTP + "/api/v2/" + path))
		if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s by nobody: %d", path, resp.StatusCode)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "dev.sigstore.rekor.v2.Rekor"})
		if err == nil && answer.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("health: %v %v", answer, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Without rekor_api there is nothing of it.
func TestRekorV2Off(t *testing.T) {
	cfg := newConfig(t)
	cfg.RekorAPI = config.RekorAPI{}
	r := run(t, cfg)
	defer r.stop()
	if code, said, _ := r.postRekor(`{}`); code != 404 {
		t.Errorf("%d %v", code, said)
	}
	remote, _ := r.dialRekor()
	if _, err := remote.CreateEntry(t.Context(), wrapRekor(signRekor("off"))); status.Code(err) != codes.Unimplemented {
		t.Errorf("over gRPC: %v", err)
	}
}

// TestRekorV2WaitersHoldLittle: calls that wait for a log that is down hold what a call holds by itself, and little of what they have sent. What they
// have sent is logged once the log is back, each once, and who sends it again gets it.
func TestRekorV2WaitersHoldLittle(t *testing.T) {
	t.Parallel()
	const waiters, each = 200, upload.CallMemory + 32<<10 // bytes
	log := rekortest.StartServer(t)
	r := run(t, newConfigOver(t, log))
	defer r.stop()
	remote, _ := r.dialRekor()
	if _, err := remote.CreateEntry(t.Context(), wrapRekor(signRekor("first"))); err != nil {
		t.Fatal(err)
	}
	log.Kill()
	ctx, leave := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	requests := make([]*rekorv2pb.CreateEntryRequest, waiters)
	for i := range requests {
		requests[i] = wrapRekor(signRekor(fmt.Sprint("waiting ", i)))
		waiting.Go(func() {
			if _, err := remote.CreateEntry(ctx, requests[i]); status.Code(err) != codes.Canceled {
				t.Errorf("%v", err)
			}
		})
	}
	r.awaitMetric(`entries_pending{log="test"}`, fmt.Sprint(waiters))
	r.awaitHeld("by those who wait", func(bytes float64) bool { return bytes > waiters*upload.CallMemory && bytes < waiters*each+1<<20 })
	leave()
	waiting.Wait()
	r.awaitHeld("when they are gone", func(bytes float64) bool { return bytes < 1<<20 })
	log.Restart()
	for _, request := range requests {
		waiting.Go(func() {
			if e, err := remote.CreateEntry(t.Context(), request); err != nil {
				t.Errorf("again: %v", err)
			} else {
				checkProven(t, log, request.GetHashedRekordRequestV002(), e)
			}
		})
	}
	waiting.Wait()
	cp, err := remote.GetCheckpoint(t.Context(), new(emptypb.Empty))
	if err != nil || !strings.HasPrefix(string(cp.GetData()), fmt.Sprintf("%s\n%d\n", log.Origin(), waiters+1)) {
		t.Errorf("the log: %v %s", err, cp.GetData())
	}
}
