// SPDX-License-Identifier: Apache-2.0

// Command verify checks a BATCHED receipt for an X.509 or plain public key signature, from the file that was signed to the log, with
// public libraries and nothing of the gateway's:
//
//	verify RECEIPT ARTIFACT PUBLIC_KEY.pem TRUSTED_ROOT.json GATEWAY_TRUST.json
//
// It knows one signature over a file's SHA-256 by an ECDSA key. All else, rekor-gateway verify knows.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// receipt is what is read of a receipt here (docs/receipts.md, "The file").
type receipt struct {
	Entries []struct {
		Own *struct {
			Body    []byte `json:"body"`
			Proof   string `json:"proof"`
			Anchors []struct {
				Bundle json.RawMessage `json:"bundle"`
				SPKI   []byte          `json:"spki"`
			} `json:"anchors"`
		} `json:"own"`
	} `json:"entries"`
}

// record is the body of a record: a hashedrekord 0.0.2, as Rekor v2 has it.
type record struct {
	Kind string `json:"kind"`
	Spec struct {
		V002 struct {
			Data struct {
				Algorithm string `json:"algorithm"`
				Digest    []byte `json:"digest"`
			} `json:"data"`
			Signature struct {
				Content  []byte `json:"content"`
				Verifier struct {
					PublicKey struct {
						RawBytes []byte `json:"rawBytes"`
					} `json:"publicKey"`
				} `json:"verifier"`
			} `json:"signature"`
		} `json:"hashedRekordV002"`
	} `json:"spec"`
}

// ownLog is an own log in the gateway trust file (docs/receipts.md, "The gateway trust file").
type ownLog struct {
	Key        string `json:"key"`
	AnchorKeys []struct {
		SPKI []byte `json:"spki"`
		Logs []struct {
			Origin string `json:"origin"`
			From   int64  `json:"from"`
			To     *int64 `json:"to"`
		} `json:"logs"`
	} `json:"anchorKeys"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 6 {
		log.Fatal("usage: verify RECEIPT ARTIFACT PUBLIC_KEY.pem TRUSTED_ROOT.json GATEWAY_TRUST.json")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		log.Fatal("not verified: ", err)
	}
	fmt.Println("verified")
}

func run(receiptPath, artifactPath, keyPath, rootPath, trustPath string) error {
	var r receipt
	if err := readJSON(receiptPath, &r); err != nil {
		return err
	}
	var trust struct {
		OwnLogs []ownLog `json:"ownLogs"`
	}
	if err := readJSON(trustPath, &trust); err != nil {
		return err
	}
	logs, err := root.NewTrustedRootFromPath(rootPath)
	if err != nil {
		return err
	}
	if len(r.Entries) != 1 || r.Entries[0].Own == nil || len(r.Entries[0].Own.Anchors) == 0 {
		return errors.New("the receipt has not one entry in an own log")
	}
	own := r.Entries[0].Own
	if err := checkRecord(own.Body, artifactPath, keyPath); err != nil {
		return err
	}
	checkpoint, listed, err := checkProof(own.Body, own.Proof, trust.OwnLogs)
	if err != nil {
		return err
	}
	for _, anchor := range own.Anchors {
		if err := checkAnchor(anchor.Bundle, anchor.SPKI, checkpoint, listed, logs); err != nil {
			return err
		}
	}
	return nil
}

// checkRecord: the record is the expected key's signature over the artifact.
func checkRecord(body []byte, artifactPath, keyPath string) error {
	artifact, err := os.ReadFile(artifactPath)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(keyPath)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("the key is no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the key is no ECDSA key")
	}
	var rec record
	if err := json.Unmarshal(body, &rec); err != nil {
		return err
	}
	entry, digest := rec.Spec.V002, sha256.Sum256(artifact)
	switch {
	case rec.Kind != "hashedrekord" || entry.Data.Algorithm != "SHA2_256":
		return errors.New("the record is of another kind")
	case !bytes.Equal(entry.Data.Digest, digest[:]):
		return errors.New("the record is for another artifact")
	case !bytes.Equal(entry.Signature.Verifier.PublicKey.RawBytes, block.Bytes):
		return errors.New("the record is by another signer")
	case !ecdsa.VerifyASN1(public, digest[:], entry.Signature.Content):
		return errors.New("the record's signature is bad")
	}
	return nil
}

// checkProof: the record is in a checkpoint of an own log that the trust file lists. It returns what is anchored of the checkpoint: the
// note with the log's own signature line, without cosignatures (c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint).
func checkProof(body []byte, proof string, logs []ownLog) (string, ownLog, error) {
	_, signed, _ := strings.Cut(proof, "\n\n")
	text, signatures, _ := strings.Cut(signed, "\n\n")
	origin, _, _ := strings.Cut(text, "\n")
	for _, l := range logs {
		verifier, err := note.NewVerifier(l.Key)
		if err != nil {
			return "", ownLog{}, err
		}
		if verifier.Name() != origin {
			continue
		}
		policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(verifier))
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(body), []byte(proof)); err != nil {
			return "", ownLog{}, err
		}
		line, _, _ := strings.Cut(signatures, "\n") // the log's own is the first
		anchored := text + "\n\n" + line + "\n"
		_, err = note.Open([]byte(anchored), note.VerifierList(verifier))
		return anchored, l, err
	}
	return "", ownLog{}, errors.New("the trust file has no such own log")
}

// checkAnchor: the checkpoint is in a log of the trusted root, by an anchor key of the own log that counts there.
func checkAnchor(raw json.RawMessage, spki []byte, checkpoint string, own ownLog, logs *root.TrustedRoot) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(raw); err != nil {
		return err
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return err
	}
	verifier, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return err
	}
	always := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
	v, err := verify.NewVerifier(root.TrustedMaterialCollection{logs, keys}, verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	if _, err := v.Verify(&b, verify.NewPolicy(verify.WithArtifact(strings.NewReader(checkpoint)), verify.WithKey())); err != nil {
		return err
	}
	entry := b.GetVerificationMaterial().GetTlogEntries()[0].GetInclusionProof()
	origin, _, _ := strings.Cut(entry.GetCheckpoint().GetEnvelope(), "\n")
	for _, k := range own.AnchorKeys {
		for _, l := range k.Logs {
			if bytes.Equal(k.SPKI, spki) && l.Origin == origin && l.From <= entry.GetLogIndex() && (l.To == nil || entry.GetLogIndex() <= *l.To) {
				return nil
			}
		}
	}
	return errors.New("the anchor is by a key that does not count there")
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
