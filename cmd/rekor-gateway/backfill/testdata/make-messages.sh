#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the messages below messages/ with GnuPG 2.2: signed inside, as gpg --sign does, in each of its ways, and others that are not.
set -eu
cd "$(dirname "$0")/messages"
export GNUPGHOME="$(mktemp -d)"
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
gpg() { command gpg --batch --quiet --yes --pinentry-mode loopback --passphrase '' "$@"; }
gpg --quick-generate-key 'Signer <signer@example.com>' ed25519 sign never
echo hello > "$GNUPGHOME/app"
for algo in none zip zlib bzip2; do
  gpg --compress-algo "$algo" --output "signed-$algo.gpg" --sign "$GNUPGHOME/app"
done
gpg --armor --output signed-armored.asc --sign "$GNUPGHOME/app"
gpg --output stored.gpg --store "$GNUPGHOME/app"
command gpg --batch --quiet --yes --pinentry-mode loopback --passphrase secret --output encrypted.gpg --symmetric "$GNUPGHOME/app"
command gpg --batch --quiet --yes --pinentry-mode loopback --passphrase secret --armor --output encrypted.asc --symmetric "$GNUPGHOME/app"
