// SPDX-License-Identifier: Apache-2.0

package tuf

// authority is a set of keys and the roles they may sign for.
type authority struct {
	keys  map[string]*key
	roles []role
}

func (a *authority) findRole(name string) *role {
	for i := range a.roles {
		if a.roles[i].name == name {
			return &a.roles[i]
		}
	}
	return nil
}

// role says how many of which keys must sign, and which targets a delegated role is confined to.
type role struct {
	name      string
	keyIDs    map[string]bool
	threshold int
	delegated bool
	confined  *confinement // nil for a top-level role
}

func decodeRoot(signed object) (*authority, error) {
	keys, err := decodeKeys(signed)
	if err != nil {
		return nil, err
	}
	roles, err := signed.readObject("roles")
	if err != nil {
		return nil, err
	}
	names := []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp}
	if err := roles.checkNames(names...); err != nil {
		return nil, err
	}
	a := &authority{keys: keys}
	for _, name := range names {
		o, err := roles.readObject(name)
		if err != nil {
			return nil, err
		}
		r, err := decodeRole(o, name, keys)
		if err != nil {
			return nil, err
		}
		a.roles = append(a.roles, r)
	}
	return a, nil
}

func decodeRole(o object, name string, keys map[string]*key) (role, error) {
	if err := o.checkNames("keyids", "threshold"); err != nil {
		return role{}, err
	}
	threshold, err := o.readInteger("threshold")
	if err != nil {
		return role{}, err
	}
	ids, err := decodeTexts(o, "keyids")
	if err != nil {
		return role{}, err
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if keys[id] == nil || seen[id] {
			return role{}, o.errMalformed("the role %.40q names the key id %.16q twice, or no such key is there", name, id)
		}
		seen[id] = true
	}
	if threshold < 1 || threshold > int64(len(ids)) {
		return role{}, o.errMalformed("the role %.40q has a threshold of %d with %d keys", name, threshold, len(ids))
	}
	return role{name: name, keyIDs: seen, threshold: int(threshold)}, nil
}

func decodeTexts(o object, name string) ([]string, error) {
	list, err := o.readList(name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, o.errMalformed("%q holds something other than strings", name)
		}
		out[i] = s
	}
	return out, nil
}
