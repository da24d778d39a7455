// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// Export says what the commands of an export name. Paths are used as they are given.
type Export struct {
	Dir         string // for the files written; made if need be
	Artifact    string // the signed file; "" when it is inside the signature
	TrustedRoot string // the trusted root's file
}

// Command is a command line, program first.
type Command []string

// String returns the command for a POSIX shell.
func (c Command) String() string {
	words := make([]string, len(c))
	for i, w := range c {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+,@%"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ExportCosign writes what stock cosign (v3) needs to verify each entry, offline, and returns
// its command lines: one per entry, all of which must succeed; a statement that is in a log of Rekor v1 as well is exported once, from the other log. Per entry it writes the key (the
// signer's as key.pem, or the gateway's as gateway.pub), bundle.json and, when the format signs
// other bytes than the artifact's, derived.bin; from the second entry on the names are numbered.
//
// Cosign trusts whatever key it is given, so a receipt whose signer was not checked is not
// exported. Refusals have ReasonExportNotPossible.
func (r *Report) ExportCosign(ctx context.Context, x Export) ([]Command, error) {
	if !r.SignerChecked {
		return nil, refuse(ReasonExportNotPossible, "the signer was not checked, and an export would trust whoever it was",
			hintSigner)
	}
	if err := os.MkdirAll(x.Dir, 0o755); err != nil { // #nosec G301 -- nothing in it is secret
		return nil, fmt.Errorf("exporting for cosign: %w", err)
	}
	var commands []Command
	for i, e := range r.logged {
		if e.isRekorV1Statement() && slices.ContainsFunc(r.logged, e.isSaidBetterBy) {
			continue
		}
		c, err := e.export(ctx, x, i)
		if err != nil {
			return nil, err
		}
		commands = append(commands, c)
	}
	return commands, nil
}

func (e logEntry) export(ctx context.Context, x Export, i int) (Command, error) {
	if e.entry.GetOwn() != nil {
		return nil, refuse(ReasonExportNotPossible, "the signature is recorded in a gateway's own log, and stock cosign sees neither signer nor file in its anchor",
			hintNoExport)
	}
	if e.whole {
		return nil, refuse(ReasonExportNotPossible, "the entry is of Rekor v1's kind rekord or tuf, which stock cosign cannot verify",
			hintNoExport)
	}
	if e.projection == nil {
		return e.exportStatement(x, i)
	}
	if e.entry.GetBundle().GetVerificationMaterial().GetCertificate() != nil {
		return nil, refuse(ReasonExportNotPossible, "a certificate was logged, which stock cosign refuses without a trusted timestamp",
			hintNoExport)
	}
	digestFlag, err := cosignDigest(e.projection.Candidate)
	if err != nil {
		return nil, err
	}
	key, bundle, err := e.exportEntry(x, i, "key.pem")
	if err != nil {
		return nil, err
	}
	blob, err := e.exportBlob(ctx, x, i)
	if err != nil {
		return nil, err
	}
	command := Command{"cosign", "verify-blob", "--key", key, "--bundle", bundle, "--trusted-root", x.TrustedRoot}
	return append(append(command, digestFlag...), blob), nil
}

// hintNoExport is for what verifies, and not by stock cosign.
const hintNoExport = "leave --export-cosign out: rekor-gateway verify verifies the receipt itself"

// isRekorV1Statement reports whether the entry is a statement in a log of Rekor v1. It is a hashedrekord there too, and stock clients look for statements
// in that log's entries of the kinds dsse and intoto alone.
func (e logEntry) isRekorV1Statement() bool {
	return e.predicateType != "" && e.entry.GetOwn() == nil && logged(e.entry).GetKindVersion().GetVersion() == hashedrekord.V1APIVersion
}

// isSaidBetterBy reports whether another entry is of the same statement, in a log where stock clients find it.
func (e logEntry) isSaidBetterBy(other logEntry) bool {
	return !other.isRekorV1Statement() && other.predicateType == e.predicateType && other.subject == e.subject && other.entry.GetOwn() == nil
}

// exportStatement pins the signer by the predicate type: a statement of the same gateway about
// a stranger's signature has another one.
func (e logEntry) exportStatement(x Export, i int) (Command, error) {
	if e.isRekorV1Statement() {
		return nil, refuse(ReasonExportNotPossible, "the statement is a hashedrekord in a log of Rekor v1, and stock cosign takes none of that kind there",
			hintNoExport)
	}
	if e.subject == "" {
		return nil, refuse(ReasonExportNotPossible, "the gateway saw only a BLAKE2b digest of the artifact, which stock cosign does not know",
			"verify it with rekor-gateway verify; or submit the artifact itself (rekor-gateway submit --send-bytes), and export that receipt")
	}
	key, bundle, err := e.exportEntry(x, i, "gateway.pub")
	if err != nil {
		return nil, err
	}
	command := Command{"cosign", "verify-blob-attestation", "--key", key, "--type", e.predicateType, "--bundle", bundle, "--trusted-root", x.TrustedRoot}
	if x.Artifact != "" {
		return append(command, x.Artifact), nil
	}
	algorithm, value, _ := strings.Cut(e.subject, ":")
	return append(command, "--digestAlg", algorithm, "--digest", value), nil
}

// exportEntry writes the key and the bundle, and returns their files.
func (e logEntry) exportEntry(x Export, i int, keyName string) (keyPath, bundlePath string, err error) {
	bundle, err := protojson.Marshal(e.entry.GetBundle())
	if err != nil {
		return "", "", fmt.Errorf("encoding bundle: %w", err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: e.entry.GetSpki()})
	keyPath, bundlePath = x.path(keyName, i), x.path("bundle.json", i)
	if err := writeFile(keyPath, key); err != nil {
		return "", "", err
	}
	return keyPath, bundlePath, writeFile(bundlePath, bundle)
}

// cosignDigest returns the flag without which cosign takes any key to sign SHA-256. It takes
// Ed25519 keys to sign purely, whatever the flags, but a log has only prehashed signatures.
func cosignDigest(c formats.Candidate) ([]string, error) {
	switch {
	case c.Scheme == formats.Ed25519ph:
		return nil, refuse(ReasonExportNotPossible, "stock cosign cannot verify Ed25519ph with a key",
			hintNoExport)
	case c.Hash != formats.SHA256:
		return []string{"--signature-digest-algorithm", string(c.Hash)}, nil
	}
	return nil, nil
}

// path numbers the files of all entries but the first.
func (x Export) path(name string, i int) string {
	if i > 0 {
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i+1, ext)
	}
	return filepath.Join(x.Dir, name)
}

func writeFile(path string, b []byte) error {
	if err := os.WriteFile(path, b, 0o644); err != nil { // #nosec G306 -- nothing in it is secret
		return fmt.Errorf("exporting for cosign: %w", err)
	}
	return nil
}

// exportBlob writes the bytes the signature is over, and returns their file: the artifact
// itself when it is that.
func (e logEntry) exportBlob(ctx context.Context, x Export, i int) (string, error) {
	recipe := e.projection.Recipe
	if recipe.Artifact && x.Artifact == "" {
		return "", refuse(ReasonMissingArtifact, "the artifact is not at hand", "give the signed file (--artifact FILE)")
	}
	if recipe.Artifact && !recipe.CRLF && len(recipe.Prefix) == 0 && len(recipe.Suffix) == 0 {
		return x.Artifact, nil
	}
	var artifact io.Reader = strings.NewReader("")
	if recipe.Artifact {
		f, err := os.Open(x.Artifact)
		if err != nil {
			return "", fmt.Errorf("exporting for cosign: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		artifact = f
	}
	path := x.path("derived.bin", i)
	return path, writeDerived(ctx, path, recipe.Reader(artifact))
}

func writeDerived(ctx context.Context, path string, signed io.Reader) error {
	f, err := os.Create(path) // #nosec G304 -- the caller names the folder
	if err != nil {
		return fmt.Errorf("exporting for cosign: %w", err)
	}
	_, err = formats.Copy(ctx, f, signed)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("exporting for cosign: %w", err)
	}
	return nil
}
