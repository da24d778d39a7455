#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves that the fuzz targets of the formats find bugs: puts one bug into a copy of
# each parser and runs its target, which must fail within SEEDED_FUZZTIME (30s unless
# set) from the committed inputs. Arguments, if any, are the targets to try:
# "pgp/FuzzParse", or "FuzzParse" for the one of package formats itself.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime="${SEEDED_FUZZTIME:-30s}"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -c --exclude=formats/compare go.mod go.sum formats | tar -x -C "$copy"

# target | file under formats | what sed does to it | the bug
bugs=(
	'./FuzzParse|pkcs7/pkcs7.go|s/return isContentInfo\(signature\)/return signature[0] == 0x30/|claims what is another format'"'"'s'
	'./FuzzParseDigest|digest.go|s/len\(raw\) != h\.Size\(\)/len(raw) > h.Size()/|takes short digests'
	'./FuzzLineEnds|crlf.go|s/c\.out = c\.out\[:0\]/c.out, c.lastCR = c.out[:0], false/|forgets the CR between two reads'
	'./FuzzProjection|projection.go|s/ \|\| len\(p\.Digest\.Value\) != h\.Size\(\)//|takes digests of any length'
	'minisign/FuzzParse|minisign/signature.go|/^func parseSignify/,/^}/s/!isBase64\(lines\[1\], 74\)/false/|does not check a length before slicing'
	'pgp/FuzzParse|pgp/packet.go|s/n > int64\(len\(data\)-size\)/n > int64(len(data))/|forgets the header in a bounds check'
	'pgp/FuzzVerify|pgp/canonical.go|s/other\.Cmp\(low\) < 0/other.Sign() > 0/|a canonical form that is no fixed point'
	'ssh/FuzzParse|ssh/allowed.go|s/!ok \|\| rest == "" \|\|/!ok ||/|looks at the first character of an empty rest'
	'ssh/FuzzMatchPattern|ssh/pattern.go|s/strings\.Trim\(pattern\[j:\], "\*"\)/strings.Trim(pattern[j:], "*?")/|lets ? match nothing'
	'pkcs7/FuzzVerify|pkcs7/verify.go|s/Recipe\{Prefix: s\.data\.signer\.attributes\}/Recipe{Prefix: s.data.signer.attributes[:len(s.data.signer.attributes)-len(s.attributes.messageDigest)%3]}/|a recipe that rebuilds other bytes'
	'pkcs7/FuzzToDER|pkcs7/ber.go|s/len\(\*in\) < 2/len(*in) < 1/|reads the length octet of a value that ends before it'
	'tuf/FuzzDecodeJSON|tuf/json.go|s/len\(rest\) > 0/len(rest) > 9/|takes some bytes after the end'
	'tuf/FuzzReadsAsBefore|tuf/json.go|s/ \|\| n == "-0"//|takes a number that is written in two ways'
	'tuf/FuzzParse|tuf/metadata.go|s/return signature\{\}, o\.malformed\("a signature is not hexadecimal"\)/return signature{}, err/|an untyped error'
	'tuf/FuzzSigned|tuf/metadata.go|s/return signed\.malformed\("expires is not an RFC 3339 time"\)/return err/|an untyped error in signed metadata'
	'textlayer/FuzzFindJSON|textlayer/secretjson.go|s/AllowInvalidUTF8\(true\)/AllowInvalidUTF8(false)/|finds no private key beside what is no Unicode'
	'x509/FuzzVerify|x509/rsa.go|s/len\(em\) == 0 \|\| em/em/|indexes an empty slice'
	'x509/FuzzDetect|x509/encoding.go|s/return ok \&\& len\(rest\) == 0/return ok \&\& len(rest) >= 0/|claims bytes after the end'
	'keyfile/FuzzRead|keyfile/read.go|/^func readPKIX/,/^}/s/return Key\{\}, malformed\(err\)/return Key{}, err/|an untyped error'
	'container/FuzzReader|container/container.go|s/return formats\.WrapError\(err, ReasonMalformedContainer, .*/return fmt.Errorf("reading: %w", err)/|an untyped error'
	'foreign/FuzzSniffer|foreign/foreign.go|s/s\.done \|\| len\(p\) == 0/s.done || len(p) == 1/|overlooks single bytes'
	'ed25519stream/FuzzAgreesWithStandardLibrary|ed25519stream/ed25519stream.go|s/SetCanonicalBytes\(sig\[32:\]\)/SetUniformBytes(append(sig[32:64:64], make([]byte, 32)...))/|takes an S that is not reduced'
)

# try TARGET FILE SED BUG reports whether the target finds the bug.
try() {
	local package="./formats/${1%/*}" name="${1##*/}" file="$copy/formats/$2" log="$copy/log" start=$SECONDS
	cp "$file" "$copy/original"
	sed -i -E "$3" "$file"
	if cmp -s "$file" "$copy/original"; then
		echo "$1: the bug could not be put into $2" >&2
		return 1
	fi
	local code=0
	(cd "$copy" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x -parallel 2 "$package" \
		-args -test.fuzzcachedir="$copy/cache") >"$log" 2>&1 || code=$?
	cp "$copy/original" "$file"
	rm -rf "$copy/formats/${1%/*}/testdata/fuzz/$name"
	if [[ $code == 0 ]] || ! grep -qE 'Failing input|failure while testing seed corpus' "$log"; then
		echo "$1: NOT FOUND: $4" >&2
		tail -5 "$log" >&2
		return 1
	fi
	echo "$1: found after $((SECONDS - start))s: $4"
}

failed=0
ran=0
for bug in "${bugs[@]}"; do
	IFS='@' read -r target file change what <<<"$(sed -E 's/^([^|]*)\|([^|]*)\|(.*)\|([^|]*)$/\1@\2@\3@\4/' <<<"$bug")"
	if [[ $# -gt 0 && " $* " != *" ${target#./} "* ]]; then continue; fi
	ran=$((ran + 1))
	try "$target" "$file" "$change" "$what" || failed=1
done

# Every target is tried.
for target in $(grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9]+' formats | sed -E 's#^formats/?([^:]*/)?[^:]*:[0-9]+:func (Fuzz.*)#\1\2#'); do
	case "$target" in compare/*) continue ;; */*) ;; *) target="./$target" ;; esac
	if ! printf '%s\n' "${bugs[@]}" | grep -qF "$target|"; then
		echo "$target: no bug is seeded for it" >&2
		failed=1
	fi
done

echo "$ran seeded bugs tried"
[[ $failed == 0 && $ran -gt 0 ]]
