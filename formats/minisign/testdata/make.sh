#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the files beside it with minisign and signify-openbsd. The secret keys are made for
# these files and thrown away, but for those in throwaway-*.key, which sign none of them: they
# show what a secret key looks like.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f -- *.pub *.minisig *.sig *.tgz *.key artifact.txt

printf 'released with care\nversion 1.0\n' >artifact.txt

for who in signer other; do
	minisign -G -W -p "$who.pub" -s "$keys/$who.key" >"$keys/log"
done
sign() { minisign -S -W -s "$keys/$1.key" -m artifact.txt -x "$2.minisig" "${@:3}"; }
sign signer prehashed
sign signer legacy -l
sign signer comment -c 'release 1.0' -t 'shipped by somebody@example.org'
sign signer unicode -t 'geprüft'
sign signer future -t $'timestamp:9999999999\tfile:artifact.txt'
sign signer overflow -t 'timestamp:99999999999999999999999'
sign signer two-times -t $'timestamp:1700000000\ttimestamp:1700000001'
sign signer not-a-time -t 'timestamp:yesterday at noon or a little later'
sign other by-other
sed 's/$/\r/' prehashed.minisig >crlf.minisig
sed 's/$/\r/' signer.pub >crlf.pub

# What minisign says of line ends is what the plugin goes by.
minisign -V -q -p crlf.pub -m artifact.txt -x crlf.minisig

# signify asks for this naming scheme, and writes it into the signature.
signify-openbsd -G -n -c release -p release.pub -s "$keys/release.sec"
signify-openbsd -S -s "$keys/release.sec" -m artifact.txt -x signify.sig
signify-openbsd -S -e -s "$keys/release.sec" -m artifact.txt -x signify-embedded.sig
signify-openbsd -V -q -p release.pub -m artifact.txt -x signify.sig
signify-openbsd -V -q -e -p release.pub -m - -x signify-embedded.sig >"$keys/message"

# usign, which OpenWrt has in its place, writes another comment.
id=$(sed -n 2p release.pub | base64 -d | od -An -tx1 -v | tr -d " \n" | cut -c5-20)
sed "1s/.*/untrusted comment: signed by key $id/" signify.sig >usign.sig
signify-openbsd -V -q -p release.pub -m artifact.txt -x usign.sig
head -c 100000 /dev/urandom >"$keys/release"
gzip -c "$keys/release" >"$keys/release.gz"
(cd "$keys" && signify-openbsd -S -z -s release.sec -m release.gz -x signify-gzip.tgz)
mv "$keys/signify-gzip.tgz" .
signify-openbsd -V -q -z -p release.pub -x signify-gzip.tgz >"$keys/verified"
cmp signify-gzip.tgz "$keys/verified"

minisign -G -W -p "$keys/t.pub" -s throwaway-minisign.key >"$keys/log"
printf 'password\npassword\n' | minisign -G -p "$keys/e.pub" -s throwaway-minisign-encrypted.key >"$keys/log"
signify-openbsd -G -n -c throwaway -p "$keys/throwaway.pub" -s "$keys/throwaway.sec"
cp "$keys/throwaway.sec" throwaway-signify.key
printf 'password\npassword\n' | signify-openbsd -G -c throwaway -p "$keys/encrypted.pub" -s "$keys/encrypted.sec" >"$keys/log" 2>&1
cp "$keys/encrypted.sec" throwaway-signify-encrypted.key
chmod 644 -- *.key
