#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the test data beside it with OpenSSL 3 (and Go for Ed25519ph, which OpenSSL 3.0
# lacks). Private keys stay in a temporary folder, so every run makes new data.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.der ./*.sig ./*.b64 ./*.bin

printf 'a release, version 1.0\n' >artifact.bin

rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$1" -out "$keys/rsa$1.pem" 2>/dev/null; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$keys/$2.pem"; }
public() { openssl pkey -in "$keys/$1.pem" -pubout -out "$1.pem"; }
sign() { key=$1 hash=$2 out=$3; shift 3; openssl dgst "-$hash" -sign "$keys/$key.pem" "$@" -out "$out" artifact.bin; }

for bits in 1024 2048 2560 3072 4096; do rsa $bits; public rsa$bits; done
ec P-224 p224; ec P-256 p256; ec P-384 p384; ec P-521 p521; ec secp256k1 k256
openssl genpkey -algorithm ED25519 -out "$keys/ed25519.pem"
openssl genpkey -algorithm ED448 -out "$keys/ed448.pem"
openssl dsaparam -genkey 2048 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$keys/dsa.pem"
for key in p224 p256 p384 p521 k256 ed25519 ed448 dsa; do public $key; done
openssl rsa -in "$keys/rsa2048.pem" -RSAPublicKey_out -out rsa2048-pkcs1.pem 2>/dev/null
openssl pkey -in "$keys/p256.pem" -pubout -outform DER -out p256.der

sign rsa1024 sha256 rsa1024.sig
sign rsa2048 sha256 rsa2048.sig
sign rsa2560 sha256 rsa2560.sig
sign rsa3072 sha256 rsa3072.sig
sign rsa4096 sha256 rsa4096.sig
sign rsa2048 sha1 rsa2048-sha1.sig
sign rsa2048 md5 rsa2048-md5.sig
sign rsa2048 sha224 rsa2048-sha224.sig
sign rsa2048 sha384 rsa2048-sha384.sig
sign rsa2048 sha512 rsa2048-sha512.sig
sign rsa2048 sha256 rsa2048-pss.sig -sigopt rsa_padding_mode:pss
sign rsa3072 sha512 rsa3072-pss.sig -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1
sign rsa2048 sha256 rsa2048-pss20.sig -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20
sign p224 sha256 p224.sig
sign p256 sha256 p256.sig
sign p384 sha384 p384.sig
sign p384 sha256 p384-sha256.sig
sign p521 sha512 p521.sig
sign p521 sha256 p521-sha256.sig
sign dsa sha256 dsa.sig
openssl pkeyutl -sign -rawin -inkey "$keys/ed25519.pem" -in artifact.bin -out ed25519.sig
go run ./ed25519ph "$keys/ed25519.pem" artifact.bin >ed25519ph.sig
base64 <rsa3072.sig >rsa3072.b64
openssl base64 -A -in p256.sig -out p256.b64

# A root, an intermediate, and leaves for code signing, for nothing but key agreement, and alone.
cert() { openssl x509 -req -CA "$1" -CAkey "$2" -CAcreateserial -CAserial "$keys/serial" -days "$3" -extfile "$4" -out "$5" 2>/dev/null; }
request() { openssl req -new -key "$keys/$1.pem" -subj "/CN=$2"; }
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >"$keys/ca.ext"
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n' >"$keys/leaf.ext"
printf 'basicConstraints=CA:FALSE\nkeyUsage=keyAgreement\n' >"$keys/agreement.ext"
printf 'basicConstraints=CA:FALSE\n1.2.3.4.5=critical,ASN1:NULL\n' >"$keys/critical.ext"
ec P-256 root; ec P-256 issuer
openssl req -x509 -key "$keys/root.pem" -subj "/CN=Test Root" -days 7300 -out root-cert.pem
request issuer "Test Issuer" | cert root-cert.pem "$keys/root.pem" 3650 "$keys/ca.ext" issuer-cert.pem
request p256 "Test Signer" | cert issuer-cert.pem "$keys/issuer.pem" 365 "$keys/leaf.ext" p256-cert.pem
request p256 "Test Agreement" | cert issuer-cert.pem "$keys/issuer.pem" 365 "$keys/agreement.ext" p256-agreement-cert.pem
request p256 "Test Critical" | cert issuer-cert.pem "$keys/issuer.pem" 365 "$keys/critical.ext" p256-critical-cert.pem
openssl x509 -in p256-cert.pem -outform DER -out p256-cert.der
cat p256-cert.pem issuer-cert.pem root-cert.pem >p256-chain.pem
cat issuer-cert.pem p256-cert.pem >p256-chain-backwards.pem

# What other protocols sign, signed with the same key: the attributes of a CMS signature and
# an SSHSIG blob. The attributes are cut out of the DER: the [0] after the digest algorithm.
openssl cms -sign -binary -outform DER -signer p256-cert.pem -inkey "$keys/p256.pem" -in artifact.bin -out "$keys/cms.der"
at=$(openssl asn1parse -inform DER -in "$keys/cms.der" | grep 'cont \[ 0 \]' | tail -n 1)
offset=$(echo "$at" | cut -d: -f1)
length=$(($(echo "$at" | sed 's/.*hl=\([0-9]*\) l= *\([0-9]*\).*/\1 + \2/')))
{ printf '\061'; tail -c "+$((offset + 2))" "$keys/cms.der" | head -c "$((length - 1))"; } >attributes.bin
openssl dgst -sha256 -sign "$keys/p256.pem" -out attributes.sig attributes.bin
printf 'SSHSIG\000\000\000\004file\000\000\000\000\000\000\000\006sha256\000\000\000\0400123456789abcdef0123456789abcdef' >sshsig.bin
openssl dgst -sha256 -sign "$keys/p256.pem" -out sshsig.sig sshsig.bin

# Private keys as people paste them, encrypted; made for this, used for nothing.
ec P-256 leaked
openssl pkcs8 -topk8 -passout pass:x -in "$keys/leaked.pem" -outform DER -out secret-encrypted.der
openssl req -x509 -key "$keys/leaked.pem" -subj "/CN=Leaked" -out "$keys/leaked-cert.pem"
openssl pkcs12 -export -inkey "$keys/leaked.pem" -in "$keys/leaked-cert.pem" -passout pass:x -out secret-pkcs12.der
