#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes one key of each kind in the containers that tools write, and signatures by them over artifact.txt. Needs
# OpenSSL 3, ssh-keygen and jq. The private keys are thrown away.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
find . -type f ! -name make.sh -delete

printf 'release 1.0\n' >artifact.txt
url() { xxd -r -p | base64 -w0 | tr '+/' '-_' | tr -d =; }

# ECDSA P-256: each file p256-* is the same key.
openssl ecparam -name prime256v1 -genkey -noout -out "$keys/p256.pem"
openssl dgst -sha256 -sign "$keys/p256.pem" -out p256.sig artifact.txt
openssl pkey -in "$keys/p256.pem" -pubout -out p256-pkix.pem
openssl pkey -in "$keys/p256.pem" -pubout -outform DER -out p256-pkix.der
for form in compressed hybrid; do
	openssl ec -in "$keys/p256.pem" -pubout -conv_form $form -out p256-$form.pem 2>/dev/null
	openssl ec -in "$keys/p256.pem" -pubout -conv_form $form -param_enc explicit -out p256-explicit-$form.pem 2>/dev/null
done
openssl ec -in "$keys/p256.pem" -pubout -param_enc explicit -out p256-explicit.pem 2>/dev/null
openssl ec -in "$keys/p256.pem" -pubout -param_enc explicit -outform DER -out p256-explicit.der 2>/dev/null
{ openssl ecparam -name prime256v1; cat p256-pkix.pem; } >p256-parameters.pem
{ printf '\xef\xbb\xbf'; cat p256-pkix.pem; } >p256-bom.pem
sed 's/$/\r/' p256-pkix.pem >p256-crlf.pem
{ printf 'Our release key, 2026:\n\n'; cat p256-pkix.pem; printf '\nAsk us before you trust it.\n'; } >p256-text.pem
base64 p256-pkix.pem >p256-pem.b64
base64 -w0 p256-pkix.der >p256-der.b64
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$keys/root.pem" -subj /CN=Root -days 3650 -out "$keys/root-cert.pem" 2>/dev/null
openssl req -new -key "$keys/p256.pem" -subj /CN=Signer -out p256-request.pem
openssl x509 -req -in p256-request.pem -CA "$keys/root-cert.pem" -CAkey "$keys/root.pem" -days 3650 -out "$keys/cert.pem" 2>/dev/null
openssl x509 -in "$keys/cert.pem" -text -out p256-cert-text.pem
openssl x509 -in "$keys/cert.pem" -outform DER -out p256-cert.der
sed 's/CERTIFICATE/X509 CERTIFICATE/' "$keys/cert.pem" >p256-cert-label.pem
openssl x509 -in "$keys/cert.pem" -trustout -out p256-trusted.pem
openssl crl2pkcs7 -nocrl -certfile "$keys/cert.pem" -certfile "$keys/root-cert.pem" -out p256.p7b
openssl crl2pkcs7 -nocrl -certfile "$keys/root-cert.pem" -certfile "$keys/cert.pem" -outform DER -out p256-backwards.p7c
openssl pkcs12 -export -in "$keys/cert.pem" -nokeys -passout pass:x -out "$keys/cert.p12"
openssl pkcs12 -in "$keys/cert.p12" -passin pass:x -nokeys -out p256-bag.pem
ssh-keygen -i -m PKCS8 -f p256-pkix.pem >p256-openssh.pub
ssh-keygen -e -m RFC4716 -f p256-openssh.pub >p256-ssh2.pub
point=$(openssl ec -in "$keys/p256.pem" -pubout -outform DER 2>/dev/null | tail -c 64 | xxd -p -c 64)
jq -n --arg x "$(echo "${point:0:64}" | url)" --arg y "$(echo "${point:64}" | url)" '{kty:"EC",crv:"P-256",x:$x,y:$y,use:"sig",kid:"1"}' >p256.jwk
jq '{keys:[.]}' p256.jwk >p256.jwks

# RSA: each file rsa-* is the same key.
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/rsa.pem" 2>/dev/null
openssl dgst -sha256 -sign "$keys/rsa.pem" -out rsa.sig artifact.txt
openssl pkey -in "$keys/rsa.pem" -pubout -out rsa-pkix.pem
openssl rsa -in "$keys/rsa.pem" -RSAPublicKey_out -out rsa-pkcs1.pem 2>/dev/null
openssl rsa -in "$keys/rsa.pem" -RSAPublicKey_out -outform DER -out rsa-pkcs1.der 2>/dev/null
base64 rsa-pkcs1.der >rsa-pkcs1-der.b64
ssh-keygen -i -m PKCS8 -f rsa-pkix.pem >rsa-openssh.pub
jq -n --arg n "$(openssl rsa -in "$keys/rsa.pem" -noout -modulus | cut -d= -f2 | url)" '{kty:"RSA",n:$n,e:"AQAB"}' >rsa.jwk

# RSA keys that are for RSA-PSS alone, without and with a hash.
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out "$keys/pss.pem" 2>/dev/null
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 \
	-pkeyopt rsa_pss_keygen_saltlen:48 -out "$keys/pss384.pem" 2>/dev/null
openssl pkey -in "$keys/pss.pem" -pubout -out pss-pkix.pem
openssl pkey -in "$keys/pss384.pem" -pubout -out pss384-pkix.pem
openssl dgst -sha256 -sign "$keys/pss.pem" -sigopt rsa_padding_mode:pss -out pss.sig artifact.txt
openssl dgst -sha384 -sign "$keys/pss384.pem" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48 -out pss384.sig artifact.txt

# Ed25519, two keys; another P-256 key.
for n in 1 2; do
	openssl genpkey -algorithm ED25519 -out "$keys/ed25519-$n.pem"
	openssl pkey -in "$keys/ed25519-$n.pem" -pubout -out ed25519-$n.pem
	openssl pkeyutl -sign -rawin -inkey "$keys/ed25519-$n.pem" -in artifact.txt -out ed25519-$n.sig
done
jq -n --arg x "$(openssl pkey -pubin -in ed25519-1.pem -outform DER | tail -c 32 | xxd -p -c 64 | url)" '{kty:"OKP",crv:"Ed25519",x:$x}' >ed25519-1.jwk
cat ed25519-2.pem ed25519-1.pem >ed25519-both.pem
openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out other-p256.pem

# An exponent of 33 bits; a chain whose leaf is signed with SHA-1.
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:4294967297 -out "$keys/exponent.pem" 2>/dev/null
openssl pkey -in "$keys/exponent.pem" -pubout -out exponent-pkix.pem
openssl dgst -sha256 -sign "$keys/exponent.pem" -out exponent.sig artifact.txt
openssl req -x509 -key "$keys/exponent.pem" -subj /CN=Exponent -days 3650 -out exponent-cert.pem
openssl rsa -in "$keys/exponent.pem" -RSAPublicKey_out -out exponent-pkcs1.pem 2>/dev/null
openssl x509 -req -sha1 -in p256-request.pem -CA "$keys/root-cert.pem" -CAkey "$keys/root.pem" -days 3650 -out "$keys/sha1.pem" 2>/dev/null
cat "$keys/sha1.pem" "$keys/root-cert.pem" >chain-sha1.pem
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$keys/stranger.pem" -subj /CN=Root -days 3650 -out "$keys/stranger-cert.pem" 2>/dev/null
cat "$keys/cert.pem" "$keys/stranger-cert.pem" >chain-stranger.pem
openssl ecparam -name prime256v1 -genkey -noout -out "$keys/other.pem"
openssl req -new -key "$keys/other.pem" -subj "/CN=No authority" |
	openssl x509 -req -CA "$keys/root-cert.pem" -CAkey "$keys/root.pem" -days 3650 -extfile <(echo basicConstraints=CA:FALSE) -out "$keys/other-cert.pem" 2>/dev/null
openssl x509 -req -in p256-request.pem -CA "$keys/other-cert.pem" -CAkey "$keys/other.pem" -days 3650 -out "$keys/leaf.pem" 2>/dev/null
cat "$keys/leaf.pem" "$keys/other-cert.pem" "$keys/root-cert.pem" >chain-no-authority.pem
cp "$keys/root-cert.pem" root.pem
