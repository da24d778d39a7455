#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes the other projects' test vectors beside it out of their repositories,
# as README.md lists them. The argument is a folder with a clone of each, by the
# names that are used below. Secret keys stay where they are.
set -euo pipefail
clones=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

# take puts the files of a commit of a clone whose path fits the expression into
# the folder of that name, without the leading part of their path.
take() {
	local name=$1 commit=$2 prefix=$3 wanted=$4 path
	rm -rf "./$name"
	git -C "$clones/$name" ls-tree -r --name-only "$commit" "$prefix/" | sed "s,^$prefix/,," | { grep -E "^($wanted)$" || true; } |
		while IFS= read -r path; do
			mkdir -p "$name/$(dirname "$path")"
			git -C "$clones/$name" show "$commit:$prefix/$path" >"$name/$path"
		done
}

take sigstore-conformance a73de4970176d258e0154c530b89d20b89444e4d test/assets/bundle-verify \
	'a\.txt|[^/]*/(bundle\.sigstore\.json|artifact|key\.pub)'
take openssh 0ef0f5a839831c213f24e3f2ae434765c607fb50 regress/unittests/sshsig/testdata '.*\.(pub|sig)|signed-data'
take rekor eee7d8d644f5713e3c1ace419425aa3ceadc46d7 pkg/pki \
	'[a-z0-9]*/testdata/(.*\.(txt|sig|minisig|signify|pub|json|pem)|valid_.*\.pgp|bogus_.*\.pgp)'
take python-tuf 4abccdcf2ea89f10e92628d4def074257c461af9 tests \
	'generated_data/ed25519_metadata/.*json|repository_data/(repository|fishy_rolenames)/metadata/[a-z0-9.]*[a-z0-9]\.json'
take tough e8f453e7c502ea2bbcbb8f76d38fa2674c895342 tough/tests/data \
	'[a-z-]*/root\.json|(consistent-snapshots|safe-target-paths|expired-repository)/metadata/.*json|(rotated|cross-sign)-root/.*json'
take go-tuf 0b10964bd6da223f2633082a6714223331b5cbcc internal/testutils/repository_data/repository 'metadata/.*json'
