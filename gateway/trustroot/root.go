// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
)

// MediaType is what stock Sigstore clients accept.
const MediaType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

// mediaTypeV02 names the operator of each log as well; it reads the same.
const mediaTypeV02 = "application/vnd.dev.sigstore.trustedroot.v0.2+json"

// MaxSize bounds a trust file, in bytes.
const MaxSize = 4 << 20

// Root is a trusted root. It is immutable and safe for concurrent use.
type Root struct {
	message *trustrootpb.TrustedRoot
	logs    []Log
}

// Log is a transparency log, or one shard of one, that is trusted.
type Log struct {
	Origin  string // the checkpoints' origin line; the host of the trusted root's baseUrl
	BaseURL string // as the trusted root has it; it may lack its scheme
	// Operator runs the log; "" where the trusted root does not say.
	Operator string
	ID       []byte // what entries call the log: SHA-256, of which the key id is a prefix
	KeyHash  uint32 // C2SP signed-note key id of Origin and key
	SPKI     []byte // DER
	Start    time.Time
	End      time.Time // zero while in use
	// Verifier checks the log's signature on checkpoints.
	Verifier note.Verifier

	rekorV1 bool // see IsRekorV1
}

// Load reads the trusted root in the file at path.
func Load(path string) (*Root, error) {
	b, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	root, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return root, nil
}

// ReadFile returns the content of a trusted root's file, of at most MaxSize bytes; Parse reads it.
func ReadFile(path string) ([]byte, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("reading trusted root: %w", err)
	}
	return b, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the caller names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("file is over %d bytes", MaxSize)
	}
	return b, nil
}

// Parse reads a trusted root (Sigstore protobuf-specs, trustroot v1, as JSON). An unknown
// field is an error. Logs whose keys are neither Ed25519 nor ECDSA P-256 are left out, since no
// Rekor v2 signs with such; everything else in the file is kept but not looked at.
func Parse(b []byte) (*Root, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("reading trusted root: over %d bytes", MaxSize)
	}
	var m trustrootpb.TrustedRoot
	if err := protojson.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("reading trusted root: %w", err)
	}
	return fromMessage(&m)
}

func fromMessage(m *trustrootpb.TrustedRoot) (*Root, error) {
	if m.GetMediaType() != MediaType && m.GetMediaType() != mediaTypeV02 {
		return nil, fmt.Errorf("reading trusted root: media type %.80q is not %q", m.GetMediaType(), MediaType)
	}
	r := &Root{message: m}
	for i, t := range m.GetTlogs() {
		l, err := readLog(t)
		if err != nil {
			return nil, fmt.Errorf("reading trusted root: log %d: %w", i+1, err)
		}
		if l == nil {
			continue
		}
		if _, twice := r.Log(l.Origin, l.KeyHash); twice {
			return nil, fmt.Errorf("reading trusted root: log %d: %s is there twice with one key id", i+1, l.Origin)
		}
		r.logs = append(r.logs, *l)
	}
	return r, nil
}

// readLog returns nil for a log that no Rekor v2 entry can be in.
func readLog(t *trustrootpb.TransparencyLogInstance) (*Log, error) {
	switch t.GetPublicKey().GetKeyDetails() {
	case commonpb.PublicKeyDetails_PKIX_ED25519, commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256:
	case commonpb.PublicKeyDetails_PUBLIC_KEY_DETAILS_UNSPECIFIED:
		return nil, fmt.Errorf("publicKey.keyDetails is missing")
	default:
		return nil, nil //nolint:nilnil // documented
	}
	if h := t.GetHashAlgorithm(); h != commonpb.HashAlgorithm_SHA2_256 {
		return nil, fmt.Errorf("hashAlgorithm is %v, not SHA2_256", h)
	}
	origin, err := originOf(t.GetBaseUrl())
	if err != nil {
		return nil, err
	}
	l, err := newLog(origin, t.GetPublicKey().GetRawBytes())
	if err != nil {
		return nil, err
	}
	if d := keyDetails(l.SPKI); d != t.GetPublicKey().GetKeyDetails() {
		return nil, fmt.Errorf("the key is not %v", t.GetPublicKey().GetKeyDetails())
	}
	l.BaseURL, l.Operator = t.GetBaseUrl(), t.GetOperator()
	if l.ID = t.GetLogId().GetKeyId(); len(l.ID) == 0 {
		return nil, fmt.Errorf("logId.keyId is missing")
	}
	validFor := t.GetPublicKey().GetValidFor()
	if validFor.GetStart() == nil {
		return nil, fmt.Errorf("publicKey.validFor.start is missing")
	}
	l.Start = validFor.GetStart().AsTime()
	if validFor.GetEnd() != nil {
		l.End = validFor.GetEnd().AsTime()
	}
	return l, nil
}

// originOf returns the host of a base URL, which may lack its scheme.
func originOf(base string) (string, error) {
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("baseUrl %.80q has no host", base)
	}
	return u.Hostname(), nil
}

func newLog(origin string, spki []byte) (*Log, error) {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	if keyDetails(spki) == commonpb.PublicKeyDetails_PUBLIC_KEY_DETAILS_UNSPECIFIED {
		return nil, fmt.Errorf("the log's key is neither Ed25519 nor ECDSA P-256")
	}
	verifier, err := signature.LoadVerifier(pub, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	noteVerifier, err := rekornote.NewNoteVerifier(origin, verifier)
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	hash, id, err := rekornote.KeyHash(origin, pub)
	if err != nil {
		return nil, fmt.Errorf("computing the log's key id: %w", err)
	}
	return &Log{Origin: origin, ID: id, KeyHash: hash, SPKI: spki, Verifier: noteVerifier}, nil
}

func keyDetails(spki []byte) commonpb.PublicKeyDetails {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return commonpb.PublicKeyDetails_PUBLIC_KEY_DETAILS_UNSPECIFIED
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return commonpb.PublicKeyDetails_PKIX_ED25519
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
		}
	}
	return commonpb.PublicKeyDetails_PUBLIC_KEY_DETAILS_UNSPECIFIED
}

// Logs returns the trusted logs in the file's order; the slice is the caller's.
func (r *Root) Logs() []Log { return slices.Clone(r.logs) }

// Log returns the log with that origin whose key has that key id in signed notes.
func (r *Root) Log(origin string, keyHash uint32) (Log, bool) {
	for _, l := range r.LogsOf(origin) {
		if l.KeyHash == keyHash {
			return l, true
		}
	}
	return Log{}, false
}

// Verifiers returns the verifiers of every log called origin: one per key it has had.
func (r *Root) Verifiers(origin string) []note.Verifier {
	var list []note.Verifier
	for _, l := range r.LogsOf(origin) {
		list = append(list, l.Verifier)
	}
	return list
}

// Marshal returns the trusted root as indented JSON.
func (r *Root) Marshal() ([]byte, error) {
	b, err := protojson.Marshal(r.message)
	if err != nil {
		return nil, fmt.Errorf("encoding trusted root: %w", err)
	}
	return indentJSON(b)
}

// indentJSON indents JSON, so that it has one form: protojson varies its spaces at random.
func indentJSON(b []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("encoding trusted root: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
