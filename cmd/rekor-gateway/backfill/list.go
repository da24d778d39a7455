// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// listed is a file as a list names it.
type listed struct {
	name   string
	size   int64           // -1 where the list does not say
	digest *formats.Digest // nil where the list has only digests that prove nothing today: MD5, SHA-1
}

const hintList = "check its files with the tool that made it; the signature of the list counts all the same"

// errList says what is wrong with a line of a list, counted from 1; 0 is none of them.
func errList(line int, message string) *formats.Error {
	if line > 0 {
		message = fmt.Sprintf("line %d of the list %s", line, message)
	}
	return formats.NewError(ReasonMalformedList, message, hintList)
}

// parseList reads the list called name: a Debian control file or Release, or else digests with names.
func parseList(name string, content []byte) ([]listed, error) {
	if len(content) > maxList {
		return nil, errList(0, fmt.Sprintf("the list is larger than %d bytes", maxList))
	}
	if bytes.Count(content, []byte("\n")) > maxListLines {
		return nil, errList(0, fmt.Sprintf("the list has more than %d lines", maxListLines))
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for i, l := range lines {
		if lines[i] = strings.TrimSuffix(l, "\r"); len(l) > maxListLine || strings.ContainsRune(l, 0) {
			return nil, errList(i+1, "is too long, or no text")
		}
	}
	if isControl(name) {
		return parseControl(lines)
	}
	return parseSums(name, lines)
}

// isList reports whether a file of that name is a list of files.
func isList(name string) bool { return isControl(name) || sumsNames.MatchString(name) }

// sumLine is what sha256sum prints: the digest, a space, and a space or an asterisk. Some tools leave out the second, or write a tab. With a backslash before it
// the name is escaped.
var sumLine = regexp.MustCompile(`^(\\?)([0-9A-Fa-f]{32,128})(?: [ *]|[ \t])([^ \t].*)$`)

// tagLine is what sha256sum --tag, BSD's sha256 and openssl dgst print: SHA256 (NAME) = HEX.
var tagLine = regexp.MustCompile(`^(\\?)([A-Za-z0-9-]{2,12}) ?\((.+)\) ?= ([0-9A-Fa-f]{32,128})$`)

var bareDigest = regexp.MustCompile(`^[0-9A-Fa-f]{64,128}$`)

// parseSums reads lines of digest and name. One digest alone is of the file that the list is named after.
func parseSums(list string, lines []string) ([]listed, error) {
	if at := sumsNames.FindStringIndex(list); len(lines) == 1 && bareDigest.MatchString(lines[0]) && at != nil && at[0] > 0 {
		digest, err := parseSum(list, "", lines[0], 1)
		return []listed{{list[:at[0]], -1, digest}}, err
	}
	var files []listed
	for i, l := range lines {
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if len(files) == maxListed {
			return nil, errList(0, fmt.Sprintf("the list names more than %d files", maxListed))
		}
		file, err := parseSumLine(list, l, i+1)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func parseSumLine(list, l string, line int) (listed, error) {
	var escaped, tag, sum, name string
	if m := sumLine.FindStringSubmatch(l); m != nil {
		escaped, sum, name = m[1], m[2], m[3]
	} else if m := tagLine.FindStringSubmatch(l); m != nil {
		escaped, tag, name, sum = m[1], m[2], m[3], m[4]
	} else {
		return listed{}, errList(line, "is no digest with a name")
	}
	if escaped != "" {
		name = unescapeName.Replace(name)
	}
	digest, err := parseSum(list, tag, sum, line)
	return listed{name, -1, digest}, err
}

// unescapeName undoes what sha256sum does to names with line ends.
var unescapeName = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")

// sumTags are the names of algorithms in lines that have them.
var sumTags = map[string]formats.DigestAlgorithm{
	"SHA256": formats.SHA256, "SHA2-256": formats.SHA256, "SHA384": formats.SHA384, "SHA2-384": formats.SHA384,
	"SHA512": formats.SHA512, "SHA2-512": formats.SHA512, "BLAKE2B": formats.BLAKE2b512, "BLAKE2B-512": formats.BLAKE2b512, "BLAKE2B512": formats.BLAKE2b512,
}

// parseSum returns a digest by the algorithm that the line names, or else that is as long; of 128 digits the list's name tells SHA-512 and
// BLAKE2b apart.
func parseSum(list, tag, sum string, line int) (*formats.Digest, error) {
	value, err := hex.DecodeString(sum)
	if err != nil {
		return nil, errList(line, "has a digest with an odd number of digits")
	}
	algorithm, known := sumTags[strings.ToUpper(tag)]
	if tag == "" {
		switch algorithm, known = map[int]formats.DigestAlgorithm{32: formats.SHA256, 48: formats.SHA384, 64: formats.SHA512}[len(value)]; {
		case known && len(value) == 64 && isBLAKE2(list):
			algorithm = formats.BLAKE2b512
		case !known && len(value) != 16 && len(value) != 20 && len(value) != 28:
			return nil, errList(line, "has a digest that is cut short")
		}
	}
	if !known {
		return nil, nil
	}
	if len(value) != algorithm.Hash().Size() {
		return nil, errList(line, "has a digest that is cut short")
	}
	return &formats.Digest{Algorithm: algorithm, Value: value}, nil
}

func isBLAKE2(list string) bool {
	list = strings.ToLower(list)
	return strings.Contains(list, "b2sum") || strings.Contains(list, "blake2")
}

// isControl reports whether name is of a Debian control file that lists files, or of a repository's Release.
func isControl(name string) bool {
	return clearNames.MatchString(name) || strings.EqualFold(name, "InRelease") || strings.EqualFold(name, "Release")
}

// controlFields have files and digests, the best first; weakFields those that prove nothing.
var (
	controlFields = []string{"checksums-sha256", "sha256", "checksums-sha512", "sha512"}
	weakFields    = []string{"checksums-sha1", "sha1", "files", "md5sum"}
)

// parseControl reads the files that a control file of one paragraph lists (Debian policy 5.1, 5.6.24; Release files likewise).
func parseControl(lines []string) ([]listed, error) {
	fields, err := splitFields(lines)
	if err != nil {
		return nil, err
	}
	for _, name := range controlFields {
		if f, ok := fields[name]; ok {
			return parseFiles(f, true)
		}
	}
	for _, name := range weakFields {
		if f, ok := fields[name]; ok {
			return parseFiles(f, false)
		}
	}
	return nil, nil
}

// field is the lines that follow a field's name.
type field struct {
	lines []string
	first int // the number of lines[0]
}

// splitFields returns the fields of a paragraph by their names in lower case.
func splitFields(lines []string) (map[string]field, error) {
	fields, current := map[string]field{}, ""
	for i, l := range lines {
		switch {
		case strings.TrimSpace(l) == "":
			if rest := strings.TrimSpace(strings.Join(lines[i:], "")); rest != "" {
				return nil, errList(i+1, "is empty, and there is more after it")
			}
			return fields, nil
		case strings.HasPrefix(l, "#"):
			return nil, errList(i+1, "is a comment, which may not be here")
		case l[0] == ' ' || l[0] == '\t':
			if current == "" {
				return nil, errList(i+1, "continues no field")
			}
			f := fields[current]
			f.lines = append(f.lines, l)
			fields[current] = f
		default:
			name, value, ok := strings.Cut(l, ":")
			if current = strings.ToLower(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, errList(i+1, "is no field")
			}
			if _, twice := fields[current]; twice {
				return nil, errList(i+1, "has a field that was there before")
			}
			fields[current] = field{[]string{value}, i + 1}
		}
	}
	return fields, nil
}

// parseFiles reads lines of digest, size and name, the last of the line's columns.
func parseFiles(f field, strong bool) ([]listed, error) {
	var files []listed
	for i, l := range f.lines {
		columns := strings.Fields(l)
		if len(columns) == 0 && i == 0 {
			continue
		}
		if len(columns) < 3 || strong && len(columns) != 3 {
			return nil, errList(f.first+i, "is not digest, size and name")
		}
		if len(files) == maxListed {
			return nil, errList(0, fmt.Sprintf("the list names more than %d files", maxListed))
		}
		size, err := strconv.ParseUint(columns[1], 10, 63)
		if err != nil {
			return nil, errList(f.first+i, "has no size")
		}
		digest, err := parseSum("", "", columns[0], f.first+i)
		if err != nil {
			return nil, err
		}
		if !strong {
			digest = nil
		}
		files = append(files, listed{columns[len(columns)-1], int64(size), digest})
	}
	return files, nil
}

// textOf returns the list that a signature holds: what was signed in the clear, or follows a signify signature.
func textOf(signature []byte, decodeClear func([]byte) ([]byte, bool)) ([]byte, bool) {
	if bytes.Contains(signature[:min(len(signature), maxHead)], []byte(beginClear)) {
		return decodeClear(signature)
	}
	if bytes.HasPrefix(signature, []byte("untrusted comment:")) {
		return signifyMessage(signature), true
	}
	return nil, false
}
