// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What the decoder says of a value: "line 5: cannot unmarshal !!str `abc` into int".
var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type (\S+)$`)
	badValue   = regexp.MustCompile("(?s)^line (\\d+): cannot unmarshal (!!\\w+)(?: `(.*)`)? into (\\S+)$")
)

// explainYAMLError says in the operator's words what the decoder found in raw.
func explainYAMLError(err error, raw []byte) error {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return fmt.Errorf("%w; see how that line and those before it are indented: what belongs together begins in one column, with spaces and no tabs", err)
	}
	problems := make([]string, len(typed.Errors))
	for i, text := range typed.Errors {
		problems[i] = text
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			problems[i] = explainUnknownKey(m[1], m[2], m[3])
		}
		if m := badValue.FindStringSubmatch(text); m != nil {
			problems[i] = explainValue(m[1], m[2], m[3], m[4], raw)
		}
	}
	return errors.New(strings.Join(problems, "; "))
}

// mayBeSecret matches keys and values that are not shown: what stands in the wrong place may be a token, or a URL with a password.
var mayBeSecret = regexp.MustCompile(`(?i)token|password|dsn|redis|postgres|rgw_|@`)

// explainValue names the key, what its value is, and what it should be.
func explainValue(line, tag, value, goType string, raw []byte) string {
	key, full := findKey(raw, line, tag, strings.TrimSuffix(value, "...")) // the decoder shortens
	if full == "" {
		full = value
	}
	what := map[string]string{"!!seq": "a list", "!!map": "a mapping", "!!null": "nothing"}[tag]
	if what == "" {
		what = fmt.Sprintf("%.60q", full)
		if mayBeSecret.MatchString(key) || mayBeSecret.MatchString(full) {
			what = "what is there"
		}
	}
	if key != "" {
		key += ": "
	}
	return "line " + line + ": " + key + what + " is not " + describeType(goType)
}

// describeType says what is expected where the decoder expects a Go type.
func describeType(goType string) string {
	switch strings.TrimPrefix(goType, "*") {
	case "int", "int64":
		return "a whole number"
	case "bool":
		return "true or false"
	case "string":
		return "text"
	case "time.Duration":
		return `a duration; write it as "30s"`
	case "config.Size":
		return "a size; write it as 8GiB, or as a number of bytes"
	case "config.InFlight":
		return fmt.Sprintf("a whole number from 1 to %d, or auto", maxInFlight)
	case "float64":
		return "a number"
	case "[]string":
		return "a list of texts; write it as [a, b]"
	case "config.Claim", "map[string]config.Claim":
		return "a mapping of claims, each with a text or a list of texts"
	case "config.Historical":
		return "a mapping of allow, signed_before and logged_before"
	case "[]config.Log", "[]config.FormerLog", "[]config.Caller", "[]config.Listener", "[]config.Identity":
		return "a list; begin each element with a dash"
	}
	return "a mapping of keys; see docs/configuration.md"
}

// findKey returns the path of the key in raw whose value is of that kind, begins in that line and starts with value, and
// the whole value; "" when it is not found.
func findKey(raw []byte, line, tag, value string) (key, full string) {
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&root); err != nil {
		return "", ""
	}
	walkNodes(&root, "", func(path string, n *yaml.Node) {
		if n.Kind != yaml.DocumentNode && strconv.Itoa(n.Line) == line && n.ShortTag() == tag && strings.HasPrefix(n.Value, value) {
			key, full = path, n.Value // of several in a line the innermost
		}
	})
	return key, full
}

// walkNodes visits every value below n with its path, as in "logs[0].id".
func walkNodes(n *yaml.Node, path string, visit func(path string, n *yaml.Node)) {
	visit(path, n)
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			walkNodes(c, path, visit)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			walkNodes(c, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			walkNodes(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."), visit)
		}
	}
}

// renamed are keys of earlier versions, by the struct type they were in, and what they are called now.
var renamed = map[string]map[string]string{"config.Config": {"log": "logging"}, "config.Worker": {"settle_after": "integration_delay of logs"}}

func explainUnknownKey(line, key, owner string) string {
	if now := renamed[owner][key]; now != "" {
		return fmt.Sprintf("line %s: %q is now %q", line, key, now)
	}
	return fmt.Sprintf("line %s: unknown key %q%s", line, key, DidYouMean(key, keysOf(owner)))
}

// keysOf returns the keys that the struct type called name has.
func keysOf(name string) []string {
	var keys []string
	walkKeys(reflect.TypeFor[Config](), "", func(owner reflect.Type, path string) {
		if owner.String() == name {
			keys = append(keys, path[strings.LastIndex(path, ".")+1:])
		}
	})
	return keys
}
