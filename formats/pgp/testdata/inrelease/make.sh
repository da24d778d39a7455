#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a Release file clear-signed by two throwaway keys, as Debian's archive signs.
set -eu
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
g() { gpg --batch --quiet --pinentry-mode loopback --passphrase '' --faked-system-time "$@"; }
g 20241201T000000 --quick-generate-key release@example.org rsa3072 sign never
g 20241201T000000 --quick-generate-key other@example.org nistp256 sign never
printf 'Origin: Example\nSuite: stable\n' > Release
g 20250101T000000 --local-user release@example.org --local-user other@example.org --digest-algo SHA256 --output InRelease --clear-sign Release
gpg --armor --export release@example.org other@example.org > keys.asc
gpgconf --kill all
rm -r "$GNUPGHOME"
