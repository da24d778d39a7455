#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the bundles beside it with cosign 3 and OpenSSL 3: sh make.sh COSIGN. Private keys stay in a temporary folder, so every
# run makes new data. Bundles of older versions, and damaged ones, are made of these by the tests.
set -eu
cosign=$1
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.json
export COSIGN_PASSWORD=

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/p256.key"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$keys/p384.key"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$keys/rsa.key" 2>/dev/null
openssl genpkey -algorithm ED25519 -out "$keys/ed25519.key"
for key in p256 p384 rsa ed25519; do
	"$cosign" import-key-pair --key "$keys/$key.key" --output-key-prefix "$keys/$key-cosign" 2>/dev/null
	openssl pkey -in "$keys/$key.key" -pubout -out $key.pem
done
openssl req -x509 -key "$keys/p256.key" -subj "/CN=Test Signer" -days 1 -addext keyUsage=digitalSignature -addext extendedKeyUsage=codeSigning -out certificate.pem

# sign KEY OUT OPTIONS…: without a log.
sign() {
	key=$1 out=$2
	shift 2
	"$cosign" sign-blob --yes --key "$keys/$key-cosign.key" --bundle "$out" --tlog-upload=false --use-signing-config=false "$@" ../artifact.bin >/dev/null 2>"$keys/log" || cat "$keys/log"
}
for key in p256 p384 rsa ed25519; do
	sign $key $key.json
	sign $key $key-cosign.json --new-bundle-format=false
done
sign p256 certificate.json --certificate certificate.pem
sign p256 certificate-cosign.json --new-bundle-format=false --certificate certificate.pem
