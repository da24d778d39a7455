#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the private keys beside it with OpenSSL. They sign the submissions that no tool makes
# on purpose, are used for nothing else, and are no secret.
set -eu
cd "$(dirname "$0")"
rm -f throwaway-*.pem
rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$1" -out "throwaway-rsa$1.pem" 2>/dev/null; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "throwaway-$2.pem"; }
rsa 1024
rsa 2048
ec P-256 p256
ec P-256 other
ec P-384 p384
openssl genpkey -algorithm ED25519 -out throwaway-ed25519.pem
