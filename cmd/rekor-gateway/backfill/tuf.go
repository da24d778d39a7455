// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tufNames are the latest metadata of the roles that name others' keys.
type tufNames struct{ root, targets string }

// findTUF looks for a repository's metadata, once for the folder.
func (f *folder) findTUF() tufNames {
	if f.tuf != nil {
		return *f.tuf
	}
	f.tuf = &tufNames{}
	if !f.read {
		f.tuf.root, f.tuf.targets = f.findAny("root.json", "1.root.json"), f.findAny("targets.json", "1.targets.json")
		return *f.tuf
	}
	versions := map[string]int{}
	for _, e := range f.entries {
		version, role := parseTUFName(e.name)
		if version < versions[role] {
			continue
		}
		switch role {
		case "root":
			f.tuf.root = e.name
		case "targets":
			f.tuf.targets = e.name
		default:
			continue
		}
		versions[role] = version
	}
	return *f.tuf
}

func (f *folder) findAny(names ...string) string {
	for _, name := range names {
		if _, ok := f.find(name); ok {
			return name
		}
	}
	return ""
}

// hasRoot reports whether the folder has a TUF repository's root metadata.
func (f *folder) hasRoot() bool { return f.findTUF().root != "" }

// tufName parts a metadata file's name: its version, which most repositories put there, and its role.
var tufName = regexp.MustCompile(`^(?:([0-9]{1,9})\.)?(.+)\.json$`)

func parseTUFName(name string) (version int, role string) {
	if !strings.HasSuffix(name, ".json") { // the most of a folder
		return 0, ""
	}
	m := tufName.FindStringSubmatch(name)
	if m == nil {
		return 0, ""
	}
	version, _ = strconv.Atoi(m[1]) // "" is 0
	return version, m[2]
}

// tufKeys returns the metadata that names the keys of the one called name: the latest root, of a root the one before it, and of a
// delegated role the targets that delegate to it. That older metadata was signed when another root was current does not show in names.
func (f *folder) tufKeys(name string) []string {
	version, role := parseTUFName(name)
	if role == "root" {
		before := strconv.Itoa(version-1) + ".root.json"
		if _, ok := f.find(before); ok {
			return []string{f.path(before), f.path(name)}
		}
		return []string{f.path(name)}
	}
	names := f.findTUF()
	keys := []string{f.path(names.root)}
	if !slices.Contains([]string{"targets", "snapshot", "timestamp"}, role) && names.targets != "" {
		keys = append(keys, f.path(names.targets))
	}
	return keys
}
