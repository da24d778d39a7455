// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	// maxDepth is how deep a bundle may be nested; those of the specification are 8 deep.
	maxDepth = 16
	// detectSize bounds what of a file is read to recognise a bundle.
	detectSize = 64 << 10
	// costOctet is how often an octet of a bundle is looked at: by two readers of JSON, compacted, hashed, decoded.
	costOctet = 20
	// costToken is what the second of them takes for a value, in elements.
	costToken = 30
)

// isBundle reports whether a file is a bundle, by the names of its outermost members. A file with those of TUF
// metadata is none.
func isBundle(file []byte) bool {
	prefix := bytes.TrimLeft(file[:min(len(file), detectSize)], " \t\r\n")
	if !bytes.HasPrefix(prefix, []byte("{")) {
		return false
	}
	found := false
	dec := json.NewDecoder(bytes.NewReader(prefix))
	for depth, isName := 0, false; ; {
		t, err := dec.Token()
		if err != nil {
			return found
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			isName = depth == 1
			continue
		case string:
			if !isName {
				break
			}
			if t == "signed" || t == "signatures" {
				return false
			}
			found = found || slices.Contains([]string{"base64Signature", "messageSignature", "dsseEnvelope", "verificationMaterial"}, t)
		}
		isName = depth == 1 && !isName
	}
}

// checkJSON refuses what two readers could understand differently: a member twice, text that is not Unicode, anything
// after the end. It returns the outermost members.
func checkJSON(m *formats.Meter, file []byte) (map[string]json.RawMessage, error) {
	if err := m.ChargeBytes(costOctet * len(file)); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	var whole json.RawMessage
	if err := dec.Decode(&whole); err != nil || !utf8.Valid(file) {
		return nil, errBundle("it is no JSON")
	}
	if rest := bytes.Trim(file[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the end of the bundle", "send one bundle at a time")
	}
	if err := checkNames(m, whole); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(whole, &members); err != nil {
		return nil, errBundle("it is no JSON object")
	}
	return members, nil
}

// level is an object or array that is open.
type level struct {
	names  map[string]bool // nil for an array
	isName bool            // the next token names a member
}

// checkNames walks over the tokens of well-formed JSON.
func checkNames(m *formats.Meter, whole []byte) error {
	dec := json.NewDecoder(bytes.NewReader(whole))
	var open []level
	for {
		t, err := dec.Token()
		if err != nil {
			return nil // the end
		}
		if err := m.ChargeElements(costToken); err != nil {
			return err
		}
		if t == json.Delim('}') || t == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			at := &open[n-1]
			at.isName = !at.isName
			if name, _ := t.(string); !at.isName {
				if at.names[name] {
					return errBundle("a member stands twice")
				}
				at.names[name] = true
				continue
			}
		}
		switch t {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}, isName: true})
		case json.Delim('['):
			open = append(open, level{})
		}
		if len(open) > maxDepth {
			return formats.NewError(formats.ReasonTooLarge, "the bundle is nested too deeply", hintBundle)
		}
	}
}
