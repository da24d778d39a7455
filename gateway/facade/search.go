// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// maxFound bounds what a search returns.
const maxFound = 1000

// Search returns the IDs of entries by the digest of what was signed, and by the key, X.509 alone: nothing else is in the leaves. The newest are first.
func (f *Facade) Search(ctx context.Context, s rekorjson.Search) ([]rekorjson.ID, error) {
	var wanted []gateway.ListParams
	if s.Hash != "" {
		p := gateway.ListParams{}
		if d, ok := parseHash(s.Hash); ok {
			p.Artifact = &d
		}
		wanted = append(wanted, p)
	}
	if s.PublicKey != nil {
		p := gateway.ListParams{}
		if sum, ok := parseKey(*s.PublicKey); ok {
			p.Signer = &sum
		}
		wanted = append(wanted, p)
	}
	if s.Email != "" || s.Subject != "" {
		wanted = append(wanted, gateway.ListParams{})
	}
	if s.Operator == "and" {
		both := gateway.ListParams{}
		for _, p := range wanted {
			if p.Artifact == nil && p.Signer == nil {
				return nil, nil // nothing has all
			}
			if p.Artifact != nil {
				both.Artifact = p.Artifact
			}
			if p.Signer != nil {
				both.Signer = p.Signer
			}
		}
		wanted = []gateway.ListParams{both}
	}
	return f.listAny(ctx, wanted)
}

// listAny returns what any of the lists has that are asked for, each once.
func (f *Facade) listAny(ctx context.Context, wanted []gateway.ListParams) (ids []rekorjson.ID, err error) {
	known := map[rekorjson.ID]bool{}
	for _, p := range wanted {
		if p.Artifact == nil && p.Signer == nil {
			continue
		}
		p.PageSize = maxFound
		page, _, err := f.cfg.Store.List(ctx, gateway.FacadeTenant(), p)
		if err != nil {
			return nil, err
		}
		for _, sub := range page {
			id, ok := f.idOf(sub)
			if ok && !known[id] && len(ids) < maxFound {
				known[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// idOf returns the ID of the entry that a submission is, once it is logged.
func (f *Facade) idOf(sub gateway.Submission) (rekorjson.ID, bool) {
	for _, e := range sub.Entries {
		for _, t := range f.trees() {
			if e.Log == t.Log && e.State == gateway.Logged {
				return rekorjson.ID{Tree: t.ID, Leaf: e.LeafHash}, true
			}
		}
	}
	return rekorjson.ID{}, false
}

// parseHash reads a digest as a search has it.
func parseHash(text string) (formats.Digest, bool) {
	if !strings.Contains(text, ":") {
		text = string(formats.SHA256) + ":" + text
	}
	d, err := formats.ParseDigest(text)
	return d, err == nil
}

// parseKey returns the SHA-256 of the SubjectPublicKeyInfo of a key or certificate.
func parseKey(key rekorjson.SearchPublicKey) (sum [sha256.Size]byte, ok bool) {
	block, _ := pem.Decode(key.Content)
	if key.Format != "x509" || block == nil {
		return sum, false
	}
	spki := block.Bytes
	if cert, err := x509.ParseCertificate(spki); err == nil {
		spki = cert.RawSubjectPublicKeyInfo
	}
	return sha256.Sum256(spki), true
}
