#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the signatures and certificates beside it with OpenSSL 3 and, for Ed25519 and Ed448, which OpenSSL 3.0 does not sign CMS
# with, BouncyCastle (Debian: default-jdk-headless, libbcpkix-java). Private keys stay in a temporary folder, so every run makes new data.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.der

# certify NAME OPTIONS…: a self-signed certificate for NAME.
certify() { key=$1; shift; openssl req -x509 -key "$keys/$key.pem" -subj "/CN=Test Signer $key" -days 7300 -addext keyUsage=digitalSignature -out "$key-cert.pem" "$@"; }
# sign NAME OUT OPTIONS…: a detached signature over artifact.bin.
sign() { key=$1 out=$2; shift 2; openssl cms -sign -binary -outform DER -in ../artifact.bin -signer "$key-cert.pem" -inkey "$keys/$key.pem" -md sha256 -out "$out" "$@"; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$keys/$2.pem"; }

# Curves that crypto/x509 does not know, and encodings of those that it does.
ec brainpoolP256r1 brainpool
ec secp256k1 secp256k1
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -out "$keys/explicit.pem"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -pkeyopt ec_param_enc:explicit -out "$keys/explicit-brainpool.pem"
ec P-384 plain
openssl ec -in "$keys/plain.pem" -conv_form compressed -out "$keys/compressed.pem" 2>/dev/null
openssl ec -in "$keys/plain.pem" -conv_form hybrid -out "$keys/hybrid.pem" 2>/dev/null
for key in brainpool secp256k1 explicit explicit-brainpool compressed hybrid; do
	certify $key
	sign $key $key.der
	sign $key $key-keyid.der -keyid
	sign $key $key-nocerts.der -nocerts
done

# RSA exponents: the largest that crypto/rsa takes, and two that it does not.
for e in 2147483647 4294967297 18446744073709551617; do
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt "rsa_keygen_pubexp:$e" -out "$keys/exponent-$e.pem" 2>/dev/null
	certify exponent-$e
	sign exponent-$e exponent-$e.der
	sign exponent-$e exponent-$e-nocerts.der -nocerts
done

# Keys for RSA-PSS alone: any, and SHA-256 with 32 bytes of salt or more.
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out "$keys/pss.pem" 2>/dev/null
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 \
	-pkeyopt rsa_pss_keygen_saltlen:32 -out "$keys/pss-sha256.pem" 2>/dev/null
for key in pss pss-sha256; do
	certify $key -sha256
	sign $key $key.der -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32
	sign $key $key-noattr.der -noattr -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32
	openssl pkey -in "$keys/$key.pem" -pubout -out "$key-key.pem"
done
sign pss pss-salt20.der -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:20

# A critical extension that nobody knows.
ec P-256 critical
certify critical -addext "1.2.840.113635.100.6.1.13=critical,DER:0500"
sign critical critical.der

# Ed25519 and Ed448.
jars=/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:/usr/share/java/bcpkix.jar
java() { command java -cp "$jars" SignCMS.java "$@"; }
for algorithm in Ed25519 Ed448; do
	key=$(echo $algorithm | tr A-Z a-z)
	openssl genpkey -algorithm $algorithm -out "$keys/$key.pem"
	certify $key
	java "$keys/$key.pem" $key-cert.pem $algorithm detached attributes ../artifact.bin $key.der
done
java "$keys/ed25519.pem" ed25519-cert.pem Ed25519 detached direct ../artifact.bin ed25519-noattr.der
java "$keys/ed25519.pem" ed25519-cert.pem Ed25519 attached attributes ../artifact.bin ed25519-attached.der
java "$keys/ed25519.pem" ed25519-cert.pem Ed25519 attached direct ../artifact.bin ed25519-attached-noattr.der
