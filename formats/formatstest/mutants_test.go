// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// mutant is a format with one promise broken.
type mutant struct {
	formats.Format
	parse    func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error)
	describe func(*formats.Description)
	verify   func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error)
}

func (m mutant) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	parsed, err := m.Format.Parse(ctx, signature, keys, p)
	if m.parse != nil {
		parsed, err = m.parse(ctx, m.Format, signature, keys, p)
	}
	if parsed == nil {
		return nil, err
	}
	return &mutantParsed{parsed, m}, err
}

type mutantParsed struct {
	formats.Parsed
	m mutant
}

func (p *mutantParsed) Describe() formats.Description {
	d := p.Parsed.Describe()
	if p.m.describe != nil {
		p.m.describe(&d)
	}
	return d
}

func (p *mutantParsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	if p.m.verify != nil {
		return p.m.verify(ctx, p.Parsed, a)
	}
	return p.Parsed.Verify(ctx, a)
}

// altering changes what was verified.
func altering(change func(*formats.Verified)) mutant {
	return mutant{verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		v, err := p.Verify(ctx, a)
		if err == nil {
			change(v)
		}
		return v, err
	}}
}

// reading changes how the artifact's bytes are read.
func reading(change func(io.Reader) (io.Reader, error)) mutant {
	return mutant{verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		if a.Reader() != nil {
			r, err := change(a.Reader())
			if err != nil {
				return nil, err
			}
			a = formats.FromReader(r)
		}
		return p.Verify(ctx, a)
	}}
}

// refusing changes the errors of Parse and of Verify.
func refusing(change func(error) error) mutant {
	return mutant{
		parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
			parsed, err := f.Parse(ctx, signature, keys, p)
			if err != nil {
				return nil, change(err)
			}
			return parsed, nil
		},
		verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
			v, err := p.Verify(ctx, a)
			if err != nil {
				return nil, change(err)
			}
			return v, nil
		},
	}
}

// under changes the policy that Parse sees.
func under(change func(*formats.Policy)) mutant {
	return mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		change(&p)
		return f.Parse(ctx, signature, keys, p)
	}}
}

// describing changes the description.
func describing(change func(*formats.Description)) mutant { return mutant{describe: change} }

// noted is a signature with one more note.
type noted struct{ formats.Parsed }

func (n noted) Describe() formats.Description {
	d := n.Parsed.Describe()
	d.Notes = append(slices.Clone(d.Notes), "it was looked at")
	return d
}

var mutants = map[string]struct {
	check  string
	change mutant
}{
	"describes otherwise without what Rekor v1 records": {"without whole", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		parsed, err := f.Parse(ctx, signature, keys, p)
		if err == nil && p.WithoutWhole {
			parsed = noted{parsed}
		}
		return parsed, err
	}}},
	"finds what no exception is for": {"historical exceptions", describing(func(d *formats.Description) {
		d.Findings = append(d.Findings, formats.Finding{Reason: formats.ReasonWeakAlgorithm, Message: "it is old"})
	})},
	"buffers the artifact": {"constant memory", reading(func(r io.Reader) (io.Reader, error) {
		all, err := io.ReadAll(io.LimitReader(r, 64<<20))
		return bytes.NewReader(all), err
	})},
	"stops reading early": {"constant memory", reading(func(r io.Reader) (io.Reader, error) {
		return io.LimitReader(r, 1<<20), nil
	})},
	"ignores the context": {"cancelled", mutant{verify: func(_ context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		return p.Verify(context.Background(), a)
	}}},
	"refuses when cancelled": {"cancelled", mutant{verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		v, err := p.Verify(ctx, a)
		if errors.Is(err, context.Canceled) {
			err = formats.WrapError(err, formats.ReasonSignatureInvalid, "cancelled", "")
		}
		return v, err
	}}},
	"parses when the context has ended": {"context ended", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		return f.Parse(context.WithoutCancel(ctx), signature, keys, p)
	}}},
	"charges nothing": {"work limited", mutant{
		parse: func(_ context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
			return f.Parse(context.Background(), signature, keys, p)
		},
		verify: func(_ context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
			return p.Verify(context.Background(), a)
		},
	}},
	"takes too much work for a verdict": {"work limited", refusing(func(err error) error {
		if formats.ReasonOf(err) == formats.ReasonTooMuchWork {
			err = formats.WrapError(err, formats.ReasonSignatureInvalid, "does not verify", "")
		}
		return err
	})},
	"works more each time": {"work linear", toiling()},
	"refuses when the reader fails": {"reader fails", refusing(func(err error) error {
		if formats.ReasonOf(err) == "" {
			err = formats.WrapError(err, formats.ReasonMissingArtifact, "unreadable", "")
		}
		return err
	})},
	"changes the signature": {"input untouched", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		parsed, err := f.Parse(ctx, signature, keys, p)
		if len(signature) > 0 {
			signature[0] |= 1
			signature[0] ^= 1
			signature[len(signature)-1] ^= 1
		}
		return parsed, err
	}}},
	"changes the keys": {"input untouched", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		parsed, err := f.Parse(ctx, signature, keys, p)
		if len(keys) > 0 {
			keys[0] = nil
		}
		return parsed, err
	}}},
	"keeps the signature": {"input not kept", mutant{parse: keeping(func(l *late, signature []byte, keys [][]byte) {
		l.signature, l.keys = signature, cloneAll(keys)
	})}},
	"keeps the keys": {"input not kept", mutant{parse: keeping(func(l *late, signature []byte, keys [][]byte) {
		l.signature, l.keys = bytes.Clone(signature), keys
	})}},
	"accepts trailing bytes": {"bytes appended", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		line, _, _ := strings.Cut(string(signature), "\n")
		return f.Parse(ctx, []byte(line+"\n"), keys, p)
	}}},
	"accepts a cut signature": {"signature cut", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		if len(signature) == 0 {
			return f.Parse(ctx, signature, keys, p)
		}
		return f.Parse(ctx, remember(signature), keys, p)
	}}},
	"accepts other spellings as other submissions": {"bits flipped", mutant{
		parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
			parsed, err := f.Parse(ctx, bytes.ToLower(signature), keys, p)
			if err != nil {
				return nil, err
			}
			return &late{Parsed: parsed, signature: bytes.Clone(signature)}, nil
		},
		verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
			v, err := p.(*late).Parsed.Verify(ctx, a)
			if err == nil {
				v.Canonical = p.(*late).signature
			}
			return v, err
		},
	}},
	"returns a value beside Verify's error": {"artifact altered", mutant{verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		v, err := p.Verify(ctx, a)
		if err != nil {
			v = &formats.Verified{}
		}
		return v, err
	}}},
	"returns a value beside Parse's error": {"signature cut", mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		parsed, err := f.Parse(ctx, signature, keys, p)
		if err != nil {
			parsed = &late{}
		}
		return parsed, err
	}}},
	"shares its state": {"several at once", sharing()},
	"depends on chance": {"same result again", altering(func(v *formats.Verified) {
		v.Checks = append(v.Checks, string(rune('a'+rand.IntN(26)))+"-"+string(rune('a'+rand.IntN(26))))
	})},
	"takes each copy for another submission": {"wrapped", altering(func(v *formats.Verified) {
		v.Canonical = append(bytes.Clone(v.Canonical), byte(rand.IntN(256)), byte(rand.IntN(256)))
	})},
	"forgets forbidden ones":     {"forbidden signer", under(func(p *formats.Policy) { p.ForbiddenSigners = nil })},
	"forgets allowed identities": {"allowed signers", under(func(p *formats.Policy) { p.AllowedIdentities = nil })},
	"forgets allowed signers":    {"allowed signers", under(func(p *formats.Policy) { p.AllowedSigners = nil })},
	"prefers the keys sent":      {"policy's keys", under(func(p *formats.Policy) { p.Keys = nil })},
	"allows nobody": {"allowed signers", under(func(p *formats.Policy) {
		if len(p.AllowedSigners) > 0 {
			p.AllowedSigners = [][32]byte{{1}}
		}
	})},
	"projects a wrong signature": {"projections", altering(func(v *formats.Verified) {
		v.Projections[0].Signature = bytes.Repeat([]byte{1}, 64)
	})},
	"projects another candidate": {"projections", altering(func(v *formats.Verified) { v.Projections[0].Remedy = "another" })},
	"forgets the projection":     {"projections", altering(func(v *formats.Verified) { v.Projections = nil })},
	"rebuilds other bytes":       {"projections", altering(func(v *formats.Verified) { v.Projections[0].Recipe.Suffix = []byte("x") })},
	"digests once more":          {"projections", altering(func(v *formats.Verified) { v.Projections[0].Recipe.Hash = formats.SHA512 })},
	"shows another message":      {"projections", altering(func(v *formats.Verified) { v.Projections[0].Message = []byte("x") })},
	"states no SHA-256":          {"accepted", altering(func(v *formats.Verified) { v.Digests = v.Digests[:1] })},
	"states a false digest": {"accepted", altering(func(v *formats.Verified) {
		v.Digests = append(v.Digests, formats.ArtifactDigest{Digest: computeDigest(formats.SHA384, nil), Evidence: formats.EvidenceBytes})
	})},
	"states what it did not see": {"digest", altering(func(v *formats.Verified) {
		for i := range v.Digests {
			v.Digests[i].Evidence = formats.EvidenceBytes
		}
	})},
	"states no size":                {"accepted", altering(func(v *formats.Verified) { v.Size = -1 })},
	"names no signer":               {"accepted", altering(func(v *formats.Verified) { v.Signers = nil })},
	"names another signer":          {"description", altering(func(v *formats.Verified) { v.Signers[0].Fingerprint = "another" })},
	"gives keys that do not verify": {"minimal keys verify again", altering(func(v *formats.Verified) { v.Keys = [][]byte{[]byte("key:00\n")} })},
	"refuses without a type":        {"artifact altered", refusing(func(err error) error { return errors.New(err.Error()) })},
	"refuses in several lines": {"signature cut", refusing(func(err error) error {
		return formats.NewError(formats.ReasonOf(err), "one\ntwo", "")
	})},
	"refuses without words": {"signature cut", refusing(func(err error) error {
		return formats.NewError(formats.ReasonOf(err), "", "")
	})},
	"gives a false reason": {"refused", refusing(func(error) error {
		return formats.NewError(formats.ReasonArtifactMismatch, "message", "")
	})},
	"accepts an altered artifact": {"artifact altered", reading(func(r io.Reader) (io.Reader, error) {
		return io.LimitReader(r, int64(len(suite(nil).Vectors[0].Artifact))), nil
	})},
	"drops what comes with EOF": {"one byte at a time", reading(func(r io.Reader) (io.Reader, error) { return forgetful{r}, nil })},
	"accepts no artifact": {"artifact missing", mutant{verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
		if a.IsZero() {
			a = formats.FromReader(bytes.NewReader(suite(nil).Vectors[0].Artifact))
		}
		return p.Verify(ctx, a)
	}}},
	"takes no digest": {"digest", mutant{verify: takesNoDigest}},
	"offers what it does not take": {"signed digest", describing(func(d *formats.Description) {
		d.SignedDigests = []formats.DigestAlgorithm{formats.SHA512}
	})},
	"takes any signed digest": {"signed digest", mutant{
		describe: func(d *formats.Description) { d.SignedDigests = d.Digests },
		verify: func(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
			v, err := p.Verify(ctx, a)
			if a.SignedDigest() == nil {
				return v, err
			}
			v, err = p.Verify(ctx, formats.FromReader(bytes.NewReader(suite(nil).Vectors[0].Artifact)))
			if err == nil {
				v.Digests, v.Size = nil, -1
			}
			return v, err
		},
	}},
	"describes another format":    {"description", describing(func(d *formats.Description) { d.Format = "another" })},
	"describes no candidate":      {"description", describing(func(d *formats.Description) { d.Candidates = nil })},
	"projects in spite of doubts": {"description", describing(func(d *formats.Description) { d.Findings = []formats.Finding{{Message: "weak"}} })},
	"describes in several lines":  {"description", describing(func(d *formats.Description) { d.Notes = []string{"one\ntwo"} })},
	"says it takes no digest":     {"digest", describing(func(d *formats.Description) { d.Need, d.Digests = formats.NeedBytes, nil })},
	"describes one thing of other": {"same result again", describing(func(d *formats.Description) {
		d.Variant = string(rune('a'+rand.IntN(26))) + string(rune('a'+rand.IntN(26)))
	})},
}

// toiling parses once more at each Parse.
func toiling() mutant {
	times := 0
	return mutant{parse: func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		times++
		for range times {
			_, _ = f.Parse(ctx, signature, keys, p)
		}
		return f.Parse(ctx, signature, keys, p)
	}}
}

// remember returns the vector's signature that this one is the start of.
func remember(signature []byte) []byte {
	for _, v := range suite(nil).Vectors {
		if bytes.HasPrefix(v.Signature, signature) {
			return v.Signature
		}
	}
	return signature
}

func takesNoDigest(ctx context.Context, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
	if a.Digest() != nil {
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a digest is not enough", "")
	}
	return p.Verify(ctx, a)
}

// late parses again what the mutant kept, each time.
type late struct {
	formats.Parsed
	format    formats.Format
	signature []byte
	keys      [][]byte
	policy    formats.Policy
}

func (l *late) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	p, err := l.format.Parse(context.Background(), l.signature, l.keys, l.policy)
	if err != nil {
		return nil, err
	}
	return p.Verify(ctx, a)
}

func keeping(keep func(l *late, signature []byte, keys [][]byte)) func(context.Context, formats.Format, []byte, [][]byte, formats.Policy) (formats.Parsed, error) {
	return func(ctx context.Context, f formats.Format, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
		parsed, err := f.Parse(ctx, signature, keys, p)
		if err != nil {
			return nil, err
		}
		l := &late{Parsed: parsed, format: f, policy: p}
		keep(l, signature, keys)
		return l, nil
	}
}

// forgetful drops the bytes that come together with the end.
type forgetful struct{ r io.Reader }

func (f forgetful) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		n = 0
	}
	return n, err
}

// sharing buffers in one place for all verifications. Each access is locked, so that no race
// detector is needed to notice.
func sharing() mutant {
	var mu sync.Mutex
	var shared bytes.Buffer
	return reading(func(r io.Reader) (io.Reader, error) {
		mu.Lock()
		shared.Reset()
		mu.Unlock()
		chunk := make([]byte, 512)
		for {
			n, err := r.Read(chunk)
			mu.Lock()
			shared.Write(chunk[:n])
			mu.Unlock()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return bytes.NewReader(bytes.Clone(shared.Bytes())), nil
	})
}
