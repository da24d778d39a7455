#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Records a signature, and keeps the receipt beside the artifact. Needs curl and jq.
#
#	submit.sh http://HOST:PORT SIGNATURE KEY ARTIFACT
set -eu
server=$1 signature=$2 key=$3 artifact=$4
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# What failed for now is sent again, after as long as Retry-After says: it is recorded once all the same.
curl -sS --retry 5 --retry-connrefused --fail-with-body -o "$answer" \
	-F "signature=@$signature" -F "key=@$key" -F "artifact=@$artifact" "$server/v1/submissions?wait=60s" ||
	{ cat "$answer" >&2; exit 1; }
id=$(jq -r .id "$answer")

# 201 and 200 are logged; 202 is accepted, and will be.
while [ "$(jq -r .state "$answer")" != LOGGED ]; do
	[ "$(jq -r .state "$answer")" != FAILED ] || { cat "$answer" >&2; exit 1; }
	sleep 2
	curl -sS --retry 5 --retry-connrefused --fail-with-body -o "$answer" "$server/v1/submissions/$id"
done
curl -sS --retry 5 --fail-with-body -o "$artifact.receipt.json" "$server/v1/submissions/$id/receipt"
