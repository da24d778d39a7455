// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// gatewayMembers are the members of a gateway trust file's objects, as they have to be spelled.
var gatewayMembers = []string{"mediaType", "keys", "spki", "logs", "origin", "from", "to", "ownLogs", "key", "anchorKeys"}

// checkMembers refuses JSON in which an object has a member twice or in another case: encoding/json would mix the
// two.
func checkMembers(b []byte) error {
	return walkValue(json.NewDecoder(bytes.NewReader(b)), 0)
}

const maxDepth = 16

func walkValue(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		err = walkObject(d, depth)
	case json.Delim('['):
		for err == nil && d.More() {
			err = walkValue(d, depth+1)
		}
	default:
		return nil
	}
	if err == nil {
		_, err = d.Token() // the closing one
	}
	return err
}

func walkObject(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		member := fmt.Sprint(name)
		if seen[member] || !slices.Contains(gatewayMembers, member) {
			return fmt.Errorf("the member %.40q is unknown, or there twice", member)
		}
		seen[member] = true
		if err := walkValue(d, depth+1); err != nil {
			return err
		}
	}
	return nil
}
