#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the signatures by several signers beside it with OpenSSL 3. Private keys stay in a temporary folder, so every run makes new data.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.der ./*.eml

certify() { openssl req -x509 -key "$keys/$1.pem" -subj "/CN=Test Signer $1" -days 7300 -addext keyUsage=digitalSignature -out "$1-cert.pem"; }
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/rsa.pem" 2>/dev/null
for curve in P-256 brainpoolP256r1; do
	openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$curve" -out "$keys/$curve.pem"
done
mv "$keys/brainpoolP256r1.pem" "$keys/brainpool.pem"
for key in rsa P-256 brainpool; do certify $key; done

by() { printf -- '-signer %s-cert.pem -inkey %s/%s.pem ' "$1" "$keys" "$1"; }
# sign OUT OPTIONS…: over artifact.bin.
sign() { out=$1; shift; openssl cms -sign -binary -outform DER -in ../artifact.bin -out "$out" "$@"; }

# shellcheck disable=SC2046
{
	sign two.der -md sha256 $(by rsa) $(by P-256)
	sign two-nocerts.der -md sha256 -nocerts $(by rsa) $(by P-256)
	sign two-noattr.der -md sha256 -noattr $(by rsa) $(by P-256)
	sign two-attached.der -md sha256 -nodetach $(by rsa) $(by P-256)
	sign two-keyid.der -md sha256 -keyid $(by rsa) $(by P-256)
	sign with-brainpool.der -md sha256 $(by rsa) $(by brainpool)
	openssl cms -sign -in ../text.txt -md sha256 -out two.eml $(by rsa) $(by P-256)
}
