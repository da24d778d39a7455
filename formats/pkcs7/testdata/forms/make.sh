#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the attached signatures beside it with OpenSSL 3. The private key stays in a temporary folder, so every run
# makes new data. Their other forms (detached, without certificates, with unsigned attributes) are made by
# package cmsedit.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.der

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/key.pem" 2>/dev/null
openssl req -x509 -key "$keys/key.pem" -subj "/CN=Test Signer" -days 7300 -addext keyUsage=digitalSignature -out cert.pem
openssl x509 -in cert.pem -noout -pubkey >key.pem
for md in sha256 sha384 sha512; do
	openssl cms -sign -binary -outform DER -in ../artifact.bin -signer cert.pem -inkey "$keys/key.pem" -md $md -nodetach -out attached-$md.der
	openssl cms -sign -binary -outform DER -in ../artifact.bin -signer cert.pem -inkey "$keys/key.pem" -md $md -nodetach -noattr -out attached-$md-noattr.der
done
