// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// targets is what targets metadata lists.
type targets struct {
	files       []target
	delegations *authority // nil when there are none
	succinct    bool       // delegates to hash bins by TAP 15
}

// target is one file that the metadata speaks for. Without hashes it can't be checked.
type target struct {
	path   string
	length int64
	hashes []formats.Digest
}

func decodeTargets(signed object) (*targets, error) {
	list, err := signed.readObject("targets")
	if err != nil {
		return nil, err
	}
	t := &targets{files: make([]target, 0, len(list.members))}
	for path := range list.members {
		o, err := list.readObject(path)
		if err != nil {
			return nil, err
		}
		file, err := decodeTarget(o, path)
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, file)
	}
	slices.SortFunc(t.files, func(a, b target) int { return strings.Compare(a.path, b.path) })
	if !signed.hasMember("delegations") {
		return t, nil
	}
	return t, t.decodeDelegations(signed)
}

func decodeTarget(o object, path string) (target, error) {
	if err := o.checkNames("length", "hashes"); err != nil {
		return target{}, err
	}
	length, err := o.readInteger("length")
	if err != nil {
		return target{}, err
	}
	if length < 0 {
		return target{}, o.errMalformed("the target %.40q has a negative length", path)
	}
	hashes, err := o.readObject("hashes")
	if err != nil {
		return target{}, err
	}
	t := target{path: path, length: length}
	t.hashes, err = decodeHashes(hashes)
	return t, err
}

// decodeHashes returns nothing when one of the hashes is of an algorithm that is not known: a
// target must be checked against all of its hashes, so this one cannot be.
func decodeHashes(o object) ([]formats.Digest, error) {
	var out []formats.Digest
	for name := range o.members {
		value, err := o.readText(name)
		if err != nil {
			return nil, err
		}
		if formats.DigestAlgorithm(name).Hash() == 0 {
			continue
		}
		d, err := formats.ParseDigest(name + ":" + value)
		if err != nil {
			return nil, o.errMalformed("a %s hash of a target is malformed", name)
		}
		out = append(out, d)
	}
	if len(out) < len(o.members) {
		return nil, nil
	}
	return out, nil
}

func (t *targets) decodeDelegations(signed object) error {
	o, err := signed.readObject("delegations")
	if err != nil {
		return err
	}
	if err := o.checkNames("keys", "roles", "succinct_roles"); err != nil {
		return err
	}
	keys, err := decodeKeys(o)
	if err != nil {
		return err
	}
	t.delegations = &authority{keys: keys}
	t.succinct = o.hasMember("succinct_roles")
	if !o.hasMember("roles") {
		return nil
	}
	list, err := o.readList("roles")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, v := range list {
		r, err := decodeDelegation(o, v, keys)
		if err != nil {
			return err
		}
		if seen[r.name] {
			return o.errMalformed("the role %.40q is delegated to twice", r.name)
		}
		seen[r.name] = true
		t.delegations.roles = append(t.delegations.roles, r)
	}
	return nil
}

func decodeDelegation(parent object, v any, keys map[string]*key) (role, error) {
	o, err := parent.asObject(v, "roles")
	if err != nil {
		return role{}, err
	}
	if err := o.checkNames("name", "keyids", "threshold", "terminating", "paths", "path_hash_prefixes"); err != nil {
		return role{}, err
	}
	name, err := o.readText("name")
	if err != nil {
		return role{}, err
	}
	r, err := decodeRole(o, name, keys)
	if err != nil {
		return role{}, err
	}
	r.delegated = true
	if o.hasMember("paths") == o.hasMember("path_hash_prefixes") {
		return role{}, o.errMalformed("the role %.40q has not exactly one of paths and path_hash_prefixes", name)
	}
	var texts []string
	if o.hasMember("paths") {
		texts, err = decodeTexts(o, "paths")
		r.confined = confineToPaths(texts)
	} else {
		texts, err = decodeTexts(o, "path_hash_prefixes")
		r.confined = confineToHashes(texts)
	}
	return r, err
}

// listAlgorithms returns the digests that the targets are listed with, SHA-256 first.
func (t *targets) listAlgorithms() []formats.DigestAlgorithm {
	out := []formats.DigestAlgorithm{formats.SHA256}
	for _, f := range t.files {
		for _, h := range f.hashes {
			if !slices.Contains(out, h.Algorithm) {
				out = append(out, h.Algorithm)
			}
		}
	}
	slices.Sort(out[1:])
	return out
}

// matchesFile reports whether t has that length and only hashes that are among digests.
func (t target) matchesFile(length int64, digests []formats.Digest) bool {
	return t.length == length && len(t.hashes) > 0 && !slices.ContainsFunc(t.hashes, func(h formats.Digest) bool {
		return !slices.ContainsFunc(digests, h.Equal)
	})
}

// findTarget returns the first target that matches and that r is trusted for.
func (t *targets) findTarget(m *formats.Meter, r *role, match func(target) bool) (*target, error) {
	var found *target
	if t == nil { // other roles list no targets
		t = &targets{}
	}
	if err := m.ChargeElements(len(t.files)); err != nil {
		return nil, err
	}
	for i := range t.files {
		f := &t.files[i]
		if !match(*f) {
			continue
		}
		may, err := r.confined.mayList(m, f.path)
		if err != nil {
			return nil, err
		}
		if may {
			return f, nil
		}
		found = f
	}
	if found != nil {
		return nil, formats.NewError(formats.ReasonNotAuthorized,
			fmt.Sprintf("the delegated role %.40q is not trusted for the target %.60q", r.name, found.path),
			"list the target in the metadata of a role whose paths cover it")
	}
	return nil, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is neither the metadata nor a target that it lists",
		"send the target as the metadata lists it, or no artifact at all")
}
