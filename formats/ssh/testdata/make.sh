#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the files beside it with ssh-keygen, and where that needs a security key with the
# program in authenticator/, which stands in for one. ssh-keygen -Y verify then has its say
# about each. The private keys are made for these files and thrown away.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f -- *.pub *.sig *.signers artifact.txt
go build -o "$keys/authenticator" ./authenticator

printf 'released with care\nversion 1.0\n' >artifact.txt
principal=release@example.org

generate() { ssh-keygen -q -N '' -C "$principal" -f "$keys/$1" "${@:2}"; }
generate ecdsa-256 -t ecdsa -b 256
generate ecdsa-384 -t ecdsa -b 384
generate ecdsa-521 -t ecdsa -b 521
generate ed25519 -t ed25519
generate rsa -t rsa -b 2048
generate rsa-1024 -t rsa -b 1024
generate other -t ecdsa -b 256
generate ca -t ed25519
generate ca-other -t ecdsa -b 256
"$keys/authenticator" new sk-ecdsa "$keys/sk-ecdsa"
"$keys/authenticator" new sk-ed25519 "$keys/sk-ed25519"
"$keys/authenticator" new rsa "$keys/rsa-sha256"

# certify KEY NAME CA OPTION...: a certificate for KEY, kept as NAME-cert.pub beside a copy of the key.
certify() {
	[ "$1" = "$2" ] || { cp "$keys/$1" "$keys/$2"; cp "$keys/$1.pub" "$keys/$2.pub"; }
	ssh-keygen -q -s "$keys/$3" -I 'somebody in person' "${@:4}" "$keys/$2.pub"
}
certify ecdsa-256 ecdsa-256 ca -n "$principal"
certify ecdsa-256 cert-expired ca -n "$principal" -V 20200101:20210101
certify ecdsa-256 cert-later ca -n "$principal" -V 20900101:20910101
certify ecdsa-256 cert-host ca -n "$principal" -h
certify ecdsa-256 cert-nobody ca
certify ecdsa-256 cert-stranger ca -n stranger@example.net
certify ecdsa-256 cert-option ca -n "$principal" -O force-command=/bin/true
certify ecdsa-256 cert-verify ca -n "$principal" -O verify-required
certify ed25519 ed25519 ca-other -n "$principal"
certify sk-ecdsa sk-ecdsa ca -n "$principal" -O verify-required

# sign KEYFILE NAME OPTION...
sign() { ssh-keygen -q -Y sign -n file -f "$keys/$1" "${@:3}" <artifact.txt >"$2.sig" 2>"$keys/log"; }
for key in ecdsa-256 ecdsa-384 ecdsa-521 ed25519 rsa rsa-1024; do
	sign $key $key
done
sign ecdsa-256 sha256 -O hashalg=sha256
sign ecdsa-256 namespace -n git
sign ecdsa-256-cert.pub cert-ecdsa
sign ed25519-cert.pub cert-ed25519
for cert in expired later host nobody stranger option verify; do
	sign cert-$cert-cert.pub cert-$cert
done

touch=0x01 pin=0x05
for key in sk-ecdsa sk-ed25519; do
	"$keys/authenticator" sign "$keys/$key" "$keys/$key.pub" $touch <artifact.txt >$key.sig
	"$keys/authenticator" sign "$keys/$key" "$keys/$key.pub" 0 <artifact.txt >$key-no-touch.sig
done
"$keys/authenticator" sign "$keys/sk-ecdsa" "$keys/sk-ecdsa-cert.pub" $pin <artifact.txt >cert-sk-ecdsa.sig
"$keys/authenticator" sign "$keys/sk-ecdsa" "$keys/sk-ecdsa-cert.pub" $touch <artifact.txt >cert-sk-no-pin.sig
"$keys/authenticator" sign "$keys/rsa-sha256" "$keys/rsa-sha256.pub" 0 <artifact.txt >rsa-sha256.sig

for key in ecdsa-256 ecdsa-384 ecdsa-521 ed25519 rsa rsa-1024 other sk-ecdsa sk-ed25519 rsa-sha256 ca ca-other; do
	cp "$keys/$key.pub" $key.pub
done
cp "$keys/ecdsa-256-cert.pub" cert-ecdsa.pub

line() { printf '%s %s%s\n' "$principal" "$2" "$(cut -d' ' -f1,2 "$1.pub")"; }
{
	echo '# the people who release'
	line other ''
	line ecdsa-256 'namespaces="git,file" '
	echo
	line sk-ed25519 'valid-after="20200101",valid-before="20990101Z" '
} >allowed.signers
line ca 'cert-authority ' >ca.signers
line ca-other 'cert-authority,namespaces="file" ' >ca-other.signers
for key in ecdsa-256 ecdsa-384 ecdsa-521 ed25519 rsa sk-ecdsa sk-ed25519 rsa-sha256; do
	line $key ''
done >"$keys/all"
cat ca.signers ca-other.signers >>"$keys/all"

# verify WANT NAME OPTION...
verify() {
	local got=accepted
	ssh-keygen -q -Y verify -f "$keys/all" -I "$principal" -n file -s "$2.sig" "${@:3}" <artifact.txt >"$keys/log" 2>&1 || got=refused
	[ $got = "$1" ] || { echo "ssh-keygen: $2 $got, want $1"; cat "$keys/log"; exit 1; }
}
for sig in ecdsa-256 ecdsa-384 ecdsa-521 ed25519 rsa sha256 rsa-sha256 sk-ecdsa sk-ed25519 cert-ecdsa cert-ed25519 cert-sk-ecdsa; do
	verify accepted $sig
done
# ssh-keygen is laxer than the plugin here: without a touch, without the PIN, and with options for logins.
for sig in sk-ecdsa-no-touch sk-ed25519-no-touch cert-sk-no-pin cert-verify cert-option; do
	verify accepted $sig
done
for sig in namespace cert-expired cert-later cert-host cert-nobody cert-stranger; do
	verify refused $sig
done
