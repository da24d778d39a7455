// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on key files, so that reading them takes a fraction of a second.
const (
	maxLine    = 8 << 10
	maxEntries = 10000
)

// entry is one line of a .pub or allowed_signers file.
type entry struct {
	principals string // pattern list; "" in a .pub file
	key        xssh.PublicKey
	authority  bool
	namespaces string // pattern list; "" for any
	after      time.Time
	before     time.Time
}

// parseEntries reads key files line by line. A line that cannot be read is refused rather
// than skipped: it may be the one that was meant. One with a whole key of a kind that is not known, or that the library does not
// verify with, is skipped, as ssh-keygen does; where there is no other, the error says what it was.
func parseEntries(m *formats.Meter, files [][]byte) ([]entry, error) {
	var all []entry
	var skipped error
	for _, file := range files {
		if err := refuseOther(file); err != nil {
			return nil, err
		}
		number := 0
		for line := range bytes.Lines(file) {
			if err := m.ChargeElements(1); err != nil {
				return nil, err
			}
			number++
			line = bytes.Trim(line, " \t\r\n")
			if len(line) == 0 || line[0] == '#' {
				continue
			}
			if len(all) == maxEntries {
				return nil, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("there are more than %d keys", maxEntries),
					"send the signer's line alone")
			}
			if err := chargeEntry(m, line); err != nil {
				return nil, err
			}
			e, err := parseEntry(line)
			switch {
			case formats.ReasonOf(err) == formats.ReasonUnsupportedAlgorithm:
				skipped = err
			case err != nil:
				return nil, withLine(err, number)
			default:
				all = append(all, e)
			}
		}
	}
	if len(all) == 0 {
		return nil, skipped
	}
	return all, nil
}

// others is how files begin that hold an SSH key or another one in a form that is not read here.
var others = []struct{ start, what, hint string }{
	{"-----BEGIN PUBLIC KEY-----", "a key in PEM", "convert it: ssh-keygen -i -m PKCS8 -f FILE"},
	{"-----BEGIN RSA PUBLIC KEY-----", "a key in PEM", "convert it: ssh-keygen -i -m PEM -f FILE"},
	{"---- BEGIN SSH2 PUBLIC KEY ----", "a key in SSH2's format", "convert it: ssh-keygen -i -f FILE"},
	{"-----BEGIN PGP PUBLIC KEY BLOCK-----", "a PGP key", "it goes with a PGP signature; send the signer's SSH .pub file"},
	{"untrusted comment:", "a minisign or signify key", "it goes with a minisign or signify signature; send the signer's SSH .pub file"},
}

func refuseOther(file []byte) error {
	for _, o := range others {
		if bytes.HasPrefix(file, []byte(o.start)) {
			return formats.NewError(formats.ReasonMalformedKey, "the key file is "+o.what, o.hint)
		}
	}
	return nil
}

// chargeEntry charges for a line that is tried as a public key first, then as an allowed_signers line: twice
// decoded and parsed each, with the check that a point is on its curve.
func chargeEntry(m *formats.Meter, line []byte) error {
	if err := m.ChargeBytes(8 * len(line)); err != nil {
		return err
	}
	return m.ChargeParses(4)
}

// withLine makes a refusal of err; the line's content stays out of it.
func withLine(err error, number int) error {
	if r := formats.ReasonOf(err); r != "" {
		return err
	}
	return formats.NewError(formats.ReasonMalformedKey, fmt.Sprintf("line %d of a key file: %v", number, err),
		"send the signer's .pub file, or lines in the format of allowed_signers (man ssh-keygen)")
}

var (
	errLine   = errors.New("neither a public key nor an allowed_signers line")
	errOption = errors.New("an option that allowed_signers lines do not have, or a malformed one")
)

func parseEntry(line []byte) (entry, error) {
	if len(line) > maxLine {
		return entry{}, errLine
	}
	if key, _, options, _, err := xssh.ParseAuthorizedKey(line); err == nil && len(options) == 0 {
		return newEntry(entry{key: key})
	}
	principals, rest, err := cutPrincipals(string(line))
	if err != nil {
		if err := findUnsupported(line); err != nil {
			return entry{}, err
		}
		return entry{}, err
	}
	key, _, options, _, err := xssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		if err := findUnsupported(line); err != nil {
			return entry{}, err
		}
		return entry{}, errLine // the library's words may quote the line
	}
	e := entry{principals: principals, key: key}
	for _, o := range options {
		if err := e.setOption(o); err != nil {
			return entry{}, err
		}
	}
	if !e.after.IsZero() && !e.before.IsZero() && !e.before.After(e.after) {
		return entry{}, errOption
	}
	return newEntry(e)
}

// findUnsupported looks in a line for a kind of key followed by a key that says it is of this kind, in base64. Errors have
// ReasonUnsupportedAlgorithm; nil when there is no such key, or it is of a kind that is read.
func findUnsupported(line []byte) error {
	fields := bytes.Fields(line)
	for i := range max(len(fields)-1, 0) {
		wire, err := base64.StdEncoding.DecodeString(string(fields[i+1]))
		var head struct {
			Type string
			Rest []byte `ssh:"rest"`
		}
		if err != nil || xssh.Unmarshal(wire, &head) != nil || head.Type != string(fields[i]) || len(head.Rest) == 0 {
			continue
		}
		if err := checkRSA(wire); err != nil {
			return err
		}
		if err := checkKeyType(wire); formats.ReasonOf(err) == formats.ReasonUnsupportedAlgorithm {
			return err
		}
	}
	return nil
}

func newEntry(e entry) (entry, error) {
	if _, ok := e.key.(*xssh.Certificate); ok {
		return entry{}, formats.NewError(formats.ReasonKeyNotValid, "a certificate was sent as a key; it proves nothing without its authority",
			"send the authority's key in an allowed_signers line: PRINCIPALS cert-authority KEY")
	}
	return e, nil
}

// cutPrincipals takes the first field, which may be in double quotes, off a line.
func cutPrincipals(line string) (principals, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		principals, rest, ok = strings.Cut(quoted, `"`)
		if !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t") {
			return "", "", errLine
		}
	} else if i := strings.IndexAny(line, " \t"); i > 0 {
		principals, rest = line[:i], line[i:]
	}
	if principals == "" || isOption(principals) {
		return "", "", errLine
	}
	return principals, strings.TrimLeft(rest, " \t"), nil
}

// isOption tells an authorized_keys line, which starts with options: what they forbid would
// be lost if they were taken for principals.
func isOption(field string) bool {
	name, _, _ := strings.Cut(field, ",")
	name, _, _ = strings.Cut(strings.ToLower(name), "=")
	return slices.Contains([]string{
		"agent-forwarding", "cert-authority", "command", "environment", "expiry-time", "from", "namespaces",
		"no-agent-forwarding", "no-port-forwarding", "no-pty", "no-touch-required", "no-user-rc", "no-x11-forwarding",
		"permitlisten", "permitopen", "port-forwarding", "principals", "pty", "restrict", "tunnel", "user-rc",
		"valid-after", "valid-before", "verify-required", "x11-forwarding",
	}, name)
}

func (e *entry) setOption(option string) (err error) {
	key, value, hasValue := strings.Cut(option, "=")
	if key = strings.ToLower(key); key == "cert-authority" && !hasValue && !e.authority {
		e.authority = true
		return nil
	}
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || strings.ContainsAny(value[1:len(value)-1], `"\`) {
		return errOption
	}
	value = value[1 : len(value)-1]
	switch {
	case key == "namespaces" && e.namespaces == "" && value != "":
		e.namespaces = value
		return nil
	case key == "valid-after" && e.after.IsZero():
		e.after, err = parseTime(value)
		return err
	case key == "valid-before" && e.before.IsZero():
		e.before, err = parseTime(value)
		return err
	}
	return errOption
}

// encodeMinimal returns the line without what names people, and without namespaces, which the
// policy judges again. The validity stays: a signature that needs leniency needs it always.
func (e entry) encodeMinimal() []byte {
	var options []string
	if e.authority {
		options = append(options, "cert-authority")
	}
	if !e.after.IsZero() {
		options = append(options, `valid-after="`+e.after.Format(timeSeconds)+`Z"`)
	}
	if !e.before.IsZero() {
		options = append(options, `valid-before="`+e.before.Format(timeSeconds)+`Z"`)
	}
	key := xssh.MarshalAuthorizedKey(e.key)
	if len(options) == 0 {
		return key
	}
	return append([]byte("* "+strings.Join(options, ",")+" "), key...)
}

const timeSeconds = "20060102150405"

// parseTime reads YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or without a Z. OpenSSH
// takes a time without Z as local; a server has no place, so here it is UTC as well.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSuffix(s, "Z")
	for _, layout := range []string{"20060102", "200601021504", timeSeconds} {
		if len(s) == len(layout) {
			if t, err := time.Parse(layout, s); err == nil && t.Unix() > 0 {
				return t, nil
			}
		}
	}
	return time.Time{}, errOption
}
