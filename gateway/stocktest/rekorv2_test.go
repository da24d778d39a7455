// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"context"
	"crypto"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// startGateway runs a gateway with Rekor v2's own routes in front of a real log. It returns its URL and the log's trusted root, which knows nothing
// of the gateway.
func startGateway(t *testing.T) (url, trustedRoot string) {
	t.Helper()
	log, dir := rekortest.StartServer(t), t.TempDir()
	key, err := log.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	logRoot, err := trustroot.New(trustroot.LogKey{Origin: log.Origin(), SPKI: key, Start: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.TrustedRoot = filepath.Join(dir, "trusted_root.json")
	if err := logRoot.Write(c.TrustedRoot); err != nil {
		t.Fatal(err)
	}
	c.HTTP.Listen, c.GRPC.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Logs = []config.Log{{ID: "log", Origin: log.Origin(), GRPCURL: log.GRPCURL(), ReadURL: log.ReadURL()}}
	c.Store.SQLite.Path, c.RekorAPI.V2 = filepath.Join(dir, "store.db"), "log"
	s, err := server.Build(t.Context(), &c, server.Options{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addresses().HTTP, c.TrustedRoot
}

// TestSigstoreGoSignsThroughGateway: sigstore-go signs, with the gateway for its Rekor v2, and verifies by the log's key alone; whoever signs the
// same again, as a build that is repeated, gets the same entry, which it cannot have of the log itself.
func TestSigstoreGoSignsThroughGateway(t *testing.T) {
	t.Parallel()
	url, path := startGateway(t)
	trusted, err := root.NewTrustedRootFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []commonpb.PublicKeyDetails{commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384, commonpb.PublicKeyDetails_PKIX_ED25519_PH} {
		keypair, err := sign.NewEphemeralKeypair(&sign.EphemeralKeypairOptions{Algorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		expiring, err := verifierOf(keypair)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]sign.Content{
			"message": &sign.PlainData{Data: []byte("an artifact")},
			"DSSE":    &sign.DSSEData{Data: []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` + artifactDigest + `"}}],"predicateType":"https://example.com/p","predicate":{}}`), PayloadType: "application/vnd.in-toto+json"},
		} {
			signed, err := sign.Bundle(content, keypair, sign.BundleOptions{TransparencyLogs: []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: url, Version: 2})}})
			if err != nil {
				t.Fatalf("%v, %s: %v", algorithm, name, err)
			}
			b, err := bundle.NewBundle(signed)
			if err != nil {
				t.Fatal(err)
			}
			keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return expiring, nil })
			v, err := verify.NewVerifier(root.TrustedMaterialCollection{trusted, keys}, verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps())
			if err != nil {
				t.Fatal(err)
			}
			check := func(artifact string) error {
				_, err := v.Verify(b, verify.NewPolicy(verify.WithArtifact(bytes.NewReader([]byte(artifact))), verify.WithKey()))
				return err
			}
			if err := check("an artifact"); err != nil {
				t.Errorf("%v, %s: %v", algorithm, name, err)
			}
			if check("another artifact") == nil {
				t.Errorf("%v, %s: another artifact verifies", algorithm, name)
			}
			before := proto.CloneOf(signed)
			signed.VerificationMaterial.TlogEntries = nil
			pem, err := keypair.GetPublicKeyPem()
			if err != nil {
				t.Fatal(err)
			}
			again := sign.NewRekor(&sign.RekorOptions{BaseURL: url, Version: 2})
			if err := again.GetTransparencyLogEntry(t.Context(), []byte(pem), signed); err != nil || !proto.Equal(before, signed) {
				t.Errorf("%v, %s, again: %v", algorithm, name, err)
			}
		}
	}
}

// artifactDigest is SHA-256 of "an artifact".
const artifactDigest = "326086a5d542fbb3f783c4d9182b3188caecd714d02d6c10cbdea982e2bfc409"

func verifierOf(k *sign.EphemeralKeypair) (root.TimeConstrainedVerifier, error) {
	hash := map[commonpb.HashAlgorithm]crypto.Hash{commonpb.HashAlgorithm_SHA2_256: crypto.SHA256, commonpb.HashAlgorithm_SHA2_384: crypto.SHA384, commonpb.HashAlgorithm_SHA2_512: crypto.SHA512}
	v, err := signature.LoadVerifierWithOpts(k.GetPublicKey(), options.WithHash(hash[k.GetHashAlgorithm()]), options.WithED25519ph())
	return root.NewExpiringKey(v, time.Time{}, time.Time{}), err
}
