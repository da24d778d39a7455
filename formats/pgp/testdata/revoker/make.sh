#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes keys with a designated revoker, their revocations by it and signatures from before, with GnuPG (2.2 or later),
# and writes down what gpg says of them: with the revoker's key at hand and without. Run it here; the keys it makes live
# in a temporary folder and are gone afterwards.
set -euo pipefail
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
exec 2> >(grep -v 'faked system time' >&2)
rm -f ./*.key ./*.sig verdicts.txt
when=20250101T000000

g() { gpg --batch --yes --quiet --no-tty --pinentry-mode loopback --passphrase '' --faked-system-time "$when" "$@"; }
fpr() { g --with-colons --list-keys "$1@example.org" | awk -F: '/^fpr/ { print $10; exit }'; }
export_key() { g --armor --export-options export-sensitive-revkeys --export "$1@example.org" > "$1.key"; }

g --quick-gen-key 'officer <officer@example.org>' rsa2048 sign 0
export_key officer

# generate NAME [sensitive]: a key whose revoker is the officer.
generate() {
	when=20250101T000000
	g --gen-key <<-END
		%no-protection
		Key-Type: ECDSA
		Key-Curve: nistp256
		Key-Usage: sign
		Name-Real: $1
		Name-Email: $1@example.org
		Revoker: 1:$(fpr officer) ${2:-}
		Creation-Date: $when
		Expire-Date: 0
	END
	g --local-user "$1@example.org" --digest-algo SHA256 --output "$1.sig" --detach-sign ../artifact
}

# revoke NAME REASON: 0 none, 1 compromised, 2 superseded, 3 retired.
revoke() {
	when=20250201T000000
	printf 'y\n%s\n\ny\n' "$2" | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' \
		--faked-system-time $when --yes --output "$GNUPGHOME/rev" --desig-revoke "$1@example.org" > /dev/null
	g --import "$GNUPGHOME/rev"
}

for name in none:0 compromised:1 superseded:2 retired:3; do
	generate "${name%:*}"
	revoke "${name%:*}" "${name#*:}"
	export_key "${name%:*}"
done
generate sensitive sensitive
revoke sensitive 1
export_key sensitive
generate named # and not revoked
export_key named

# What gpg says of each signature by its key alone, and with the officer's.
when=20260101T000000
for key in none compromised superseded retired sensitive named; do
	for with in alone officer; do
		home=$(mktemp -d)
		gpg --homedir "$home" --batch --quiet --import "$key.key" 2> /dev/null
		[ $with = alone ] || gpg --homedir "$home" --batch --quiet --import officer.key 2> /dev/null
		said=$(gpg --homedir "$home" --batch --no-tty --faked-system-time $when --status-fd 1 --verify "$key.sig" ../artifact 2> "$home/said" |
			awk '/GOODSIG|KEYREVOKED|REVKEYSIG|BADSIG|ERRSIG/ && !seen[$2]++ { printf " %s", $2 }')
		if grep -q 'might be revoked' "$home/said"; then said="$said maybe-revoked"; fi
		echo "$key $with$said" >> verdicts.txt
		gpgconf --homedir "$home" --kill all
		rm -rf "$home"
	done
done
