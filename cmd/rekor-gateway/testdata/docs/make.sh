#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the files that README.md's lines take for granted, with gpg: a key, and its signature over
# the artifact that the lines before make. The key lives in a temporary folder and is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/README"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT

gpg --batch -q --passphrase '' --quick-gen-key "signer <signer@example.org>" nistp256 sign never
gpg --armor --export signer@example.org >signer.asc
echo "release 1.0" | gpg --batch -q --yes --armor --output artifact.asc --detach-sign
