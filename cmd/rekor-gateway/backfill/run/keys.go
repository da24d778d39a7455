// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// keyStock is what --key names, by the formats that can read it. It was read once: a keyring of thousands of keys is looked up by the
// key that a signature names.
type keyStock struct {
	keys     map[string][][]byte
	prepared map[string]formats.PreparedKeys
	digest   [sha256.Size]byte // of all the files
}

// loadKeys reads key files of any format.
func loadKeys(ctx context.Context, paths []string) (*keyStock, error) {
	s := &keyStock{keys: map[string][][]byte{}, prepared: map[string]formats.PreparedKeys{}}
	sum := sha256.New()
	for _, path := range paths {
		if err := s.addFile(ctx, path, sum); err != nil {
			return nil, err
		}
	}
	sum.Sum(s.digest[:0])
	for name, files := range s.keys {
		prepared, err := all.Formats().PrepareKeys(ctx, name, files)
		if err != nil {
			return nil, fmt.Errorf("reading the keys for %s: %w", name, err)
		}
		if prepared != nil {
			s.prepared[name] = prepared
		}
	}
	s.keys = formats.OpenKeys(s.keys)
	return s, nil
}

// addFile adds a key file to all the formats that can read it.
func (s *keyStock) addFile(ctx context.Context, path string, sum hash.Hash) error {
	raw, err := input.ReadFile(path, input.MaxKeyring)
	if err != nil {
		return err
	}
	one := sha256.Sum256(raw)
	sum.Write(one[:])
	var why []error
	found := false
	for _, f := range all.Formats().All() {
		checker, ok := f.(formats.KeyChecker)
		if !ok {
			continue
		}
		switch err := formats.CheckKeyFile(ctx, checker, raw); {
		case err == nil:
			s.keys[f.Name()] = append(s.keys[f.Name()], raw)
			found = true
		case formats.ReasonOf(err) == formats.ReasonSecretKey || ctx.Err() != nil:
			return fmt.Errorf("%s: %w", path, err)
		default:
			why = append(why, fmt.Errorf("%s: %w", f.Name(), err))
		}
	}
	if !found {
		return fault.Fail(formats.ReasonMalformedKey, fmt.Errorf("%s is no key file of any format: %w", path, errors.Join(why...)),
			"name files with public keys or certificates, as their tools export them")
	}
	return nil
}

// hold returns p with these keys as the only ones that may have signed, where the format has any here.
func (s *keyStock) hold(p formats.Policy) formats.Policy {
	p.Keys, p.KeysAreOpen, p.Prepared = s.keys, true, s.prepared
	return p
}

// ownWords turn what a gateway says of its policy's keys into what they are here.
var ownWords = strings.NewReplacer("this gateway's allowed signers", "the keys given", "the keys this gateway trusts", "the keys given",
	"this gateway's minisign keys", "the keys given", "the policy names the keys that may sign", "the keys given are those that may sign")

// explainMissingKey says of a signature that is by none of the keys that --key has to name its signer's.
func explainMissingKey(err error) error {
	var refusal *formats.Error
	if !errors.As(err, &refusal) {
		return err
	}
	reason := refusal.Reason
	switch reason {
	case formats.ReasonKeyNotTrusted:
		reason = formats.ReasonKeyMismatch
	case formats.ReasonKeyMismatch, formats.ReasonMissingKey:
	default:
		return err
	}
	return formats.WrapError(err, reason, ownWords.Replace(refusal.Message), "name a file with the signer's key: --key FILE")
}
