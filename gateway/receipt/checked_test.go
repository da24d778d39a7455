// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// check returns what a caller finds of the signature himself, who has verified it.
func (s *signed) check(tb testing.TB, as receiptpb.Receipt_Representation) *receipt.Checked {
	tb.Helper()
	facts, verified := s.facts(tb, as)
	return &receipt.Checked{Content: s.signature, Description: facts.Description, Verified: verified, At: s.options().Now}
}

// checkedOptions are those of a caller who has verified the signature, and expects its signers.
func (s *signed) checkedOptions(c *receipt.Checked) receipt.Options {
	o := s.options()
	o.ExpectedKeys, o.ExpectedSigners = nil, identitiesOf(c.Description.Signers)
	return o
}

func identitiesOf(signers []formats.Signer) (ids [][sha256.Size]byte) {
	for _, s := range signers {
		ids = append(ids, sha256.Sum256(s.SPKI))
	}
	return ids
}

// checkChecked wants a receipt that c fits to be judged with it as it is without, and returns whether it fits.
func (s *signed) checkChecked(t *testing.T, c *receipt.Checked, r *receiptpb.Receipt, o receipt.Options) bool {
	t.Helper()
	if !c.Fits(r, o.GatewayTrust) {
		o.Checked = c
		if _, err := s.verify(t, r, o); err == nil {
			t.Error("what was checked stands for a receipt that it does not fit")
		}
		return false
	}
	want, wantErr := s.verify(t, r, o)
	o.Checked, o.Artifact, o.Digest = c, nil, nil
	got, err := receipt.Verify(t.Context(), r, o)
	if (err == nil) != (wantErr == nil) || formats.ReasonOf(err) != formats.ReasonOf(wantErr) {
		t.Errorf("with what was checked: %v, without: %v", err, wantErr)
	}
	if err == nil && wantErr == nil && got.String() != want.String() {
		t.Errorf("with what was checked:\n%s\nwithout:\n%s", got, want)
	}
	return true
}

// TestChecked: a signature that the caller has verified is not verified again, and whatever is changed in a receipt is refused as ever, or takes verifying it.
func TestChecked(t *testing.T) {
	for name, s := range map[string]*signed{"native": native(t), "projected": projected(t, 1)} {
		t.Run(name, func(t *testing.T) {
			c := s.check(t, s.receipt.GetRepresentation())
			o := s.checkedOptions(c)
			o.TrustedRoot = s.log.Root()
			if !s.checkChecked(t, c, s.receipt, o) {
				t.Fatal("what was checked does not fit its receipt")
			}
			if name != "native" {
				return
			}
			for name, test := range tamperings(t, s) {
				t.Run(name, func(t *testing.T) {
					r := proto.CloneOf(s.receipt)
					test.change(r)
					s.checkChecked(t, c, r, o)
				})
			}
		})
	}
}

// TestCheckedFits: what was checked stands for one signature, by these keys, over this artifact, and with no weakness.
func TestCheckedFits(t *testing.T) {
	s := native(t)
	fits := func(change func(*receipt.Checked, *receiptpb.Receipt)) bool {
		c, r := s.check(t, receiptpb.Receipt_NATIVE), proto.CloneOf(s.receipt)
		c.Content = bytes.Clone(c.Content)
		change(c, r)
		return c.Fits(r, nil)
	}
	if !fits(func(*receipt.Checked, *receiptpb.Receipt) {}) {
		t.Fatal("it does not fit its own receipt")
	}
	if !fits(func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Artifact.Size, r.Artifact.Digests = -1, nil }) {
		t.Error("it does not fit a receipt that says less of the artifact")
	}
	for name, change := range map[string]func(*receipt.Checked, *receiptpb.Receipt){
		"another file":      func(c *receipt.Checked, _ *receiptpb.Receipt) { c.Content[9] ^= 1 },
		"another format":    func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Signature.Format = "ssh" },
		"another key":       func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Signature.Keys[0][9] ^= 1 },
		"no key":            func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Signature.Keys = nil },
		"another digest":    func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Artifact.Digests[0].Value[0] ^= 1 },
		"another algorithm": func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Artifact.Digests[0].Algorithm = "sha512" },
		"a digest twice": func(_ *receipt.Checked, r *receiptpb.Receipt) {
			r.Artifact.Digests = append(r.Artifact.Digests, r.Artifact.Digests[0])
		},
		"another size":       func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Artifact.Size++ },
		"a size, by digest":  func(c *receipt.Checked, _ *receiptpb.Receipt) { c.Verified.Size = -1 },
		"an exception":       func(_ *receipt.Checked, r *receiptpb.Receipt) { r.Policy = &receiptpb.Policy{Historical: true} },
		"a weakness":         func(c *receipt.Checked, _ *receiptpb.Receipt) { c.Description.Findings = make([]formats.Finding, 1) },
		"another, unchecked": func(c *receipt.Checked, _ *receiptpb.Receipt) { c.Description.Unchecked = make([]formats.Unchecked, 1) },
		"several signatures": func(c *receipt.Checked, _ *receiptpb.Receipt) { c.Description.Parts = make([]formats.Description, 2) },
		"several in the receipt": func(_ *receipt.Checked, r *receiptpb.Receipt) {
			r.FormatVersion, r.Recorded = 3, make([]*receiptpb.RecordedSignature, 2)
		},
	} {
		if fits(change) {
			t.Errorf("%s: it fits", name)
		}
	}
}

// TestCheckedByGateway: what a gateway signs is no release, whoever says to have checked it.
func TestCheckedByGateway(t *testing.T) {
	s, g := native(t), newGateway(t)
	c := s.check(t, receiptpb.Receipt_NATIVE)
	trust := trust(t, g, 0, -1)
	if !c.Fits(s.receipt, trust) {
		t.Fatal("it does not fit its receipt")
	}
	c.Description.Signers = slices.Clone(c.Description.Signers)
	c.Description.Signers[0].SPKI = g.SPKI()
	if c.Fits(s.receipt, trust) {
		t.Error("a gateway's own signature fits")
	}
}

// TestCheckedBesideUnchecked: a receipt that hides a signature of the file which was let pass unchecked is refused, whoever has checked the other one.
func TestCheckedBesideUnchecked(t *testing.T) {
	data := func(name string) []byte { return readFile(t, filepath.Join("../../formats/pgp/testdata", name)) }
	s := &signed{format: "pgp", signature: data("mixed.asc"), keys: [][]byte{data("rsa3072.key")}, content: data("artifact")}
	s.policy = formats.Policy{Now: timeFor("pgp"), KnownOnly: true}
	facts, verified := s.facts(t, receiptpb.Receipt_PROJECTED)
	c := &receipt.Checked{Content: s.signature, Description: facts.Description, Verified: verified, At: s.policy.Now}
	facts.Description.Unchecked = nil
	r := receipt.New(facts)
	e, record, err := receipt.Project(verified.Projections[0], false)
	if err != nil {
		t.Fatal(err)
	}
	r.Entries = []*receiptpb.LogEntry{e}
	s.complete(t, r, record)
	o := s.checkedOptions(c)
	if _, err := s.verify(t, s.receipt, o); err == nil {
		t.Fatal("it is not refused by itself")
	}
	if o.Checked = c; c.Fits(s.receipt, nil) {
		o.Artifact = nil
		_, err := receipt.Verify(t.Context(), s.receipt, o)
		t.Errorf("it fits: %v", err)
	}
}

// TestCheckedCorpus: of what is kept of receipts that are good, edited and hostile, none that fits what its reader has verified is judged otherwise with it.
func TestCheckedCorpus(t *testing.T) {
	fit := 0
	for _, folder := range receiptFolders(t) {
		raw, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
		if err != nil {
			continue
		}
		s := &signed{format: raw.GetSignature().GetFormat(), signature: raw.GetSignature().GetContent(), receipt: raw}
		list := readVerdicts(t, folder)
		for _, v := range list.Verifications {
			o := v.options(t, folder, list.Trust)
			if s.content = nil; v.Artifact != "" {
				s.content = readFile(t, filepath.Join(folder, v.Artifact))
			}
			if s.keys = o.ExpectedKeys; len(s.keys) == 0 {
				s.keys = raw.GetSignature().GetKeys()
			}
			s.policy = formats.Policy{Now: v.At, Historical: formats.AllowAll(true), SSHNamespaces: v.SSHNamespaces, KnownOnly: true, WithoutWhole: true}
			c, err := s.tryCheck(t)
			if err != nil || !c.Fits(raw, o.GatewayTrust) {
				continue
			}
			fit++
			o.Each, o.AnySigner, o.Historical = false, false, formats.AllowAll(true)
			o.ExpectedKeys, o.ExpectedSigners = nil, identitiesOf(c.Description.Signers)
			if s.checkChecked(t, c, raw, o); t.Failed() {
				t.Fatal(filepath.Base(folder), v.Name)
			}
		}
	}
	if fit == 0 {
		t.Error("none fits")
	}
}

// tryCheck is check of what may not verify.
func (s *signed) tryCheck(t *testing.T) (*receipt.Checked, error) {
	parsed, err := registry.Parse(t.Context(), s.format, s.signature, s.keys, s.policy)
	if err != nil {
		return nil, err
	}
	given := formats.Artifact{}
	if s.content != nil {
		given = formats.FromReader(bytes.NewReader(s.content))
	}
	verified, err := parsed.Verify(t.Context(), given)
	return &receipt.Checked{Content: s.signature, Description: parsed.Describe(), Verified: verified, At: s.policy.Now}, err
}
