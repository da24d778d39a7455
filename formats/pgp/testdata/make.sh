#!/usr/bin/env bash
# Makes the vectors of this folder with GnuPG (2.2 or later). Run it here; the keys it makes live
# in a temporary folder and are gone afterwards. Version 6 and version 3 vectors, which GnuPG
# does not make, come from make.go: go run make.go
set -euo pipefail
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
exec 2> >(grep -v 'faked system time' >&2)
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
when=20250101T000000

g() { gpg --batch --yes --quiet --no-tty --pinentry-mode loopback --passphrase '' --faked-system-time "$when" "$@"; }
key() { g --quick-gen-key "$1 <$1@example.org>" "$2" "$3" "${4:-0}"; }                # name algorithm usage [expiry]
export_key() { g --armor --export "$1@example.org" > "$1.key"; }
sign() { g --local-user "$1@example.org" --digest-algo "$2" --output "$3" "${@:4}"; } # name hash output options…

printf 'the artifact\nits second line\n' > artifact
printf 'the text\r\nends its lines\nboth ways\n' > text
printf 'Release 1.0\n\n- first item\n-----dashes-----\ntrailing blanks  \nlast line\n' > notes

for bits in 2048 3072 4096; do
	key "rsa$bits" "rsa$bits" sign
	export_key "rsa$bits"
	for hash in SHA256 SHA384 SHA512; do sign "rsa$bits" $hash "rsa$bits-$hash.sig" --detach-sign artifact; done
done
for curve in 256:SHA256 384:SHA384 521:SHA512; do
	name="p${curve%:*}"
	key "$name" "nistp${curve%:*}" sign
	export_key "$name"
	sign "$name" "${curve#*:}" "$name.sig" --detach-sign artifact
done
sign p256 SHA512 p256-SHA512.sig --detach-sign artifact
key ed25519 ed25519 sign
export_key ed25519
sign ed25519 SHA512 ed25519.sig --detach-sign artifact

# The forms a signature comes in.
sign rsa3072 SHA256 armored.asc --armor --comment one --comment two --detach-sign artifact
sign rsa3072 SHA256 text.asc --armor --textmode --detach-sign text
sign rsa3072 SHA256 cleartext.asc --clear-sign notes
sign ed25519 SHA512 cleartext-ed25519.asc --clear-sign notes
sign rsa3072 SHA256 inline.asc --armor --sign artifact
sign rsa3072 SHA256 inline.gpg --compress-algo none --sign artifact
cat rsa3072-SHA256.sig p256.sig > two.sig
cat rsa3072-SHA256.sig ed25519.sig p256.sig > three.sig
for f in rsa3072-SHA256 ed25519; do gpg --batch --enarmor < $f.sig | sed 's/PGP ARMORED FILE/PGP SIGNATURE/; /^Comment/d'; done > mixed.asc
g --local-user rsa3072@example.org --local-user p256@example.org --armor --output two.asc --detach-sign artifact
sign rsa3072 SHA256 expires.sig --default-sig-expire 30d --detach-sign artifact
sign rsa3072 SHA256 notation.sig --sig-notation 'build@example.org=7' --detach-sign artifact
sign rsa3072 SHA256 critical-notation.sig --sig-notation '!build@example.org=7' --detach-sign artifact

# A certifying primary key and a signing subkey.
key subkey rsa2048 cert
fpr=$(g --with-colons --list-keys subkey@example.org | awk -F: '/^fpr/ { print $10; exit }')
g --quick-add-key "$fpr" rsa2048 sign
g --quick-add-key "$fpr" cv25519 encr
export_key subkey
sign subkey SHA256 subkey.sig --detach-sign artifact

# Weak keys and hashes.
key rsa1024 rsa1024 sign
export_key rsa1024
sign rsa1024 SHA256 rsa1024.sig --detach-sign artifact
key dsa dsa2048 sign
export_key dsa
sign dsa SHA256 dsa.sig --detach-sign artifact
sign rsa2048 SHA1 sha1.sig --detach-sign artifact

# Keys that expire: one signature before the end, one after (made while the key was extended).
key expired rsa2048 sign 30d
export_key expired
sign expired SHA256 expired-before.sig --detach-sign artifact
fpr=$(g --with-colons --list-keys expired@example.org | awk -F: '/^fpr/ { print $10; exit }')
g --quick-set-expire "$fpr" 0
when=20250301T000000
sign expired SHA256 expired-after.sig --detach-sign artifact

# Revoked keys; the reason decides. Signatures are from before and after the revocation.
revoke() { # name reason
	when=20250101T000000
	key "$1" nistp256 sign
	sign "$1" SHA256 "$1-before.sig" --detach-sign artifact
	when=20250401T000000
	sign "$1" SHA256 "$1-after.sig" --detach-sign artifact
	when=20250201T000000
	printf 'y\n%s\n\ny\n' "$2" | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' \
		--faked-system-time $when --yes --output "$GNUPGHOME/rev" --gen-revoke "$1@example.org" 2> /dev/null
	g --import "$GNUPGHOME/rev"
	export_key "$1"
}
revoke revoked-none 0
revoke revoked-compromised 1
revoke revoked-superseded 2
revoke revoked-retired 3

# A revoked signing subkey.
when=20250101T000000
key subrevoked rsa2048 cert
fpr=$(g --with-colons --list-keys subrevoked@example.org | awk -F: '/^fpr/ { print $10; exit }')
g --quick-add-key "$fpr" rsa2048 sign
sign subrevoked SHA256 subrevoked.sig --detach-sign artifact
when=20250201T000000
printf 'y\n1\n\ny\n' | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' \
	--faked-system-time $when --edit-key subrevoked@example.org 'key 1' revkey save 2> /dev/null
export_key subrevoked

# A key with another person's certification, several user IDs and a keyring of many.
when=20250101T000000
key many nistp256 sign
fpr=$(g --with-colons --list-keys many@example.org | awk -F: '/^fpr/ { print $10; exit }')
g --quick-add-uid "$fpr" 'second <second@example.org>'
g --local-user rsa2048@example.org --quick-sign-key "$fpr" > /dev/null
export_key many
sign many SHA256 many.sig --detach-sign artifact
g --export > keyring.gpg
