// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// isDSSE recognises a pre-authentication encoding (DSSE, protocol.md): "DSSEv1", then the type and the body, each
// after its length. The lengths fit the size.
func isDSSE(w *window) bool {
	rest, ok := bytes.CutPrefix(w.head, []byte("DSSEv1 "))
	if !ok {
		return false
	}
	n, rest, ok := takeNumber(rest)
	if !ok || n >= int64(len(rest)) || rest[n] != ' ' {
		return false
	}
	n, rest, ok = takeNumber(rest[n+1:])
	return ok && w.size-int64(len(w.head)-len(rest)) == n
}

// takeNumber reads a decimal number and the space after it.
func takeNumber(b []byte) (n int64, rest []byte, ok bool) {
	i := bytes.IndexByte(b[:min(len(b), 20)], ' ')
	if i < 0 {
		return 0, nil, false
	}
	n, err := strconv.ParseInt(string(b[:i]), 10, 64)
	return n, b[i+1:], err == nil && n >= 0
}

// isJWS recognises a signing input (RFC 7515, 5.1; RFC 7797, section 3): a header in base64url that is a JSON object
// with "alg", a dot, and the payload. A whole JWS has a second dot; it is not what is signed.
func isJWS(w *window) bool {
	encoded, payload, ok := bytes.Cut(w.head, []byte("."))
	if !ok {
		return false
	}
	header, err := base64.RawURLEncoding.Strict().DecodeString(string(encoded))
	if err != nil {
		return false
	}
	var h struct {
		Algorithm *string `json:"alg"`
		Encoded   any     `json:"b64"`
	}
	if json.Unmarshal(header, &h) != nil || h.Algorithm == nil {
		return false
	}
	if h.Encoded == false {
		return true
	}
	end, _ := w.last(int(min(w.size-int64(len(encoded)+1), int64(len(w.tail)))))
	return isBase64URL(payload) && isBase64URL(end)
}

// excludesJWS: a header can be longer than what is kept.
func excludesJWS(w *window) bool { return w.complete() || !isBase64URL(w.head) }

func isBase64URL(b []byte) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return len(bytes.Trim(b, alphabet)) == 0
}

// isCheckpoint recognises what a log or a witness signs: the text of a checkpoint (C2SP tlog-checkpoint: origin, size,
// root hash, extensions), the same after a cosignature's header (C2SP tlog-cosignature), and a subtree's cosigned message.
func isCheckpoint(w *window) bool {
	if bytes.HasPrefix(w.head, []byte("subtree/v1\n\x00")) {
		return true
	}
	text := w.head
	if rest, ok := bytes.CutPrefix(text, []byte("cosignature/v1\n")); ok {
		line, rest, _ := bytes.Cut(rest, []byte("\n"))
		if !bytes.HasPrefix(line, []byte("time ")) {
			return false
		}
		text = rest
	}
	lines := bytes.SplitN(text[:min(len(text), 4<<10)], []byte("\n"), 4)
	return len(lines) == 4 && len(lines[0]) > 0 && isSize(lines[1]) && isRootHash(lines[2]) && !bytes.Contains(w.head, []byte("\n\n"))
}

func isSize(line []byte) bool {
	n, err := strconv.ParseUint(string(line), 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == string(line)
}

func isRootHash(line []byte) bool {
	const size = 32
	hash, err := base64.StdEncoding.Strict().DecodeString(string(line))
	return err == nil && len(hash) == size
}

var sigsumContext = regexp.MustCompile(`^sigsum\.org/v1/[a-z-]+\x00`)

// isSigsum recognises a leaf or a token (Sigsum's log.md, section 2): its context, a NUL, then a hash or a key.
func isSigsum(w *window) bool { return sigsumContext.Match(w.head) }

var tufRoles = []string{"root", "targets", "snapshot", "timestamp", "mirrors"}

// Canonical JSON has no white space and sorts members by name: "version" is at the end.
var (
	tufStart = regexp.MustCompile(`^\{"[^"]*":[^ ]`)
	tufEnd   = regexp.MustCompile(`"version":[0-9]+[,}]`)
)

// isTUF recognises the signed part of metadata (TUF specification, 4.2 and 4.3): canonical JSON that has a role as its
// "_type", and "expires" or at its end "version", whichever can be seen.
func isTUF(w *window) bool {
	const end = 1 << 10
	if !tufStart.Match(w.head) || !bytes.HasSuffix(w.tail, []byte(`}`)) {
		return false
	}
	members := readMembers(w.head)
	return isRole(members["_type"]) && (members["expires"] != nil || tufEnd.Match(w.tail[max(len(w.tail)-end, 0):]))
}

func isRole(value any) bool {
	role, _ := value.(string)
	return slices.Contains(tufRoles, strings.ToLower(role))
}

// excludesTUF: in a large one the role or "expires" can lie beyond what is kept.
func excludesTUF(w *window) bool {
	if w.complete() || !tufStart.Match(w.head) || !bytes.HasSuffix(w.tail, []byte(`}`)) {
		return true
	}
	members := readMembers(w.head)
	if role := members["_type"]; role != nil {
		return !isRole(role)
	}
	for name := range members {
		if name > "_type" { // which would have come before
			return true
		}
	}
	return false
}

// readMembers returns the members of a JSON object up to where it is cut short or is no JSON: canonical JSON
// leaves control characters bare. The last one's value is nil then.
func readMembers(b []byte) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(b))
	members := map[string]any{}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return members
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return members
		}
		var value any
		err = dec.Decode(&value)
		members[name.(string)] = value
		if err != nil {
			return members
		}
	}
	return members
}
