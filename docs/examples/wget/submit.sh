#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Records a signature over an artifact of at most 16 MiB, and keeps the receipt beside it. Needs wget, jq and base64. wget makes
# no forms, so all goes as JSON.
#
#	submit.sh http://HOST:PORT SIGNATURE KEY ARTIFACT
set -eu
server=$1 signature=$2 key=$3 artifact=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# ask URL OPTION…: prints the answer, also when it is a refusal.
ask() {
	wget -q -O - --content-on-error --tries=5 --retry-connrefused --retry-on-http-error=429,503 --waitretry=10 "$@"
}

for part in signature key artifact; do
	eval "base64 -w0 <\"\$$part\"" >"$folder/$part"
done
jq -n --rawfile s "$folder/signature" --rawfile k "$folder/key" --rawfile a "$folder/artifact" \
	'{signature: $s, keys: [$k], artifact: $a}' >"$folder/submission"

answer=$folder/answer
ask --header 'Content-Type: application/json' --post-file "$folder/submission" "$server/v1/submissions?wait=60s" >"$answer" ||
	{ [ -s "$answer" ] || echo "$server does not answer" >&2; cat "$answer" >&2; exit 1; }
id=$(jq -r .id "$answer")
while [ "$(jq -r .state "$answer")" != LOGGED ]; do
	[ "$(jq -r .state "$answer")" != FAILED ] || { cat "$answer" >&2; exit 1; }
	sleep 2
	ask "$server/v1/submissions/$id" >"$answer"
done
ask "$server/v1/submissions/$id/receipt" >"$artifact.receipt.json"
