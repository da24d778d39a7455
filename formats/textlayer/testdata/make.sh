#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the private keys beside it, in every form that a tool writes. They sign nothing and are thrown away: they show
# what a private key looks like. Needs openssl, ssh-keygen, puttygen (putty-tools), gpg, minisign, signify-openbsd,
# age-keygen (age), keytool (a JDK) and cosign.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f throwaway-*

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out throwaway-pkcs8.pem
openssl pkey -in throwaway-pkcs8.pem -outform DER -out throwaway-pkcs8.der
openssl pkcs8 -topk8 -in throwaway-pkcs8.pem -passout pass:x -out throwaway-encrypted.pem
openssl pkcs8 -topk8 -in throwaway-pkcs8.pem -passout pass:x -outform DER -out throwaway-encrypted.der
openssl pkcs8 -topk8 -in throwaway-pkcs8.pem -passout pass:x -v1 PBE-SHA1-3DES -outform DER -out throwaway-encrypted-3des.der
openssl ec -in throwaway-pkcs8.pem -out throwaway-sec1.pem 2>/dev/null
openssl ec -in throwaway-pkcs8.pem -outform DER -out throwaway-sec1.der 2>/dev/null
openssl ec -in throwaway-pkcs8.pem -aes128 -passout pass:x -out throwaway-sec1-encrypted.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -out throwaway-ecparam.pem
openssl ec -in throwaway-ecparam.pem -text -out throwaway-text.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$work/rsa.pem" 2>/dev/null
openssl rsa -in "$work/rsa.pem" -traditional -out throwaway-pkcs1.pem 2>/dev/null
openssl rsa -in "$work/rsa.pem" -traditional -outform DER -out throwaway-pkcs1.der 2>/dev/null
openssl genpkey -algorithm ED25519 -outform DER -out throwaway-ed25519.der
openssl req -x509 -key throwaway-pkcs8.pem -subj /CN=throwaway -out "$work/cert.pem"
openssl pkcs12 -export -inkey throwaway-pkcs8.pem -in "$work/cert.pem" -passout pass:changeit -out throwaway.p12
openssl pkcs12 -in throwaway.p12 -passin pass:changeit -nodes -out throwaway-pkcs12.pem
keytool -importkeystore -noprompt -srckeystore throwaway.p12 -srcstoretype PKCS12 -srcstorepass changeit \
	-destkeystore throwaway.jks -deststoretype JKS -deststorepass changeit 2>/dev/null
keytool -importkeystore -noprompt -srckeystore throwaway.p12 -srcstoretype PKCS12 -srcstorepass changeit \
	-destkeystore throwaway.jceks -deststoretype JCEKS -deststorepass changeit 2>/dev/null

ssh-keygen -q -t ed25519 -N '' -C throwaway -f "$work/ssh" && cp "$work/ssh" throwaway-openssh
ssh-keygen -q -t ed25519 -N secret -C throwaway -f "$work/sshe" && cp "$work/sshe" throwaway-openssh-encrypted
puttygen "$work/ssh" -O private -o throwaway.ppk
ssh-keygen -q -t rsa -b 1024 -N '' -C throwaway -f "$work/rsa"
puttygen "$work/rsa" -O private-sshcom -o throwaway-sshcom
puttygen -q -t rsa1 -b 1024 --new-passphrase /dev/null -C throwaway -o throwaway-ssh1

minisign -G -W -p "$work/m.pub" -s throwaway-minisign.key >/dev/null
printf 'password\npassword\n' | minisign -G -p "$work/n.pub" -s throwaway-minisign-encrypted.key >/dev/null
signify-openbsd -G -n -c throwaway -p "$work/s.pub" -s "$work/s.sec" && cp "$work/s.sec" throwaway-signify.key
sed -n 2p throwaway-minisign.key >throwaway-minisign-line.key
base64 -w0 throwaway-minisign-encrypted.key >throwaway-tauri.key

export GNUPGHOME="$work/gnupg"
mkdir -m 700 "$GNUPGHOME"
gpg --batch -q --passphrase '' --quick-gen-key throwaway ed25519 sign never 2>/dev/null
gpg --batch -q --passphrase '' --quick-gen-key throwaway-rsa rsa1024 sign never 2>/dev/null
gpg --batch -q --armor --export-secret-keys throwaway >throwaway-pgp.asc
gpg --batch -q --export-secret-keys throwaway >throwaway-pgp.gpg
gpg --batch -q --export-secret-keys throwaway-rsa >throwaway-pgp-rsa.gpg
gpg --batch -q --export-secret-subkeys throwaway >throwaway-pgp-stub.gpg
cp "$(find "$GNUPGHOME/private-keys-v1.d" -name '*.key' | head -n 1)" throwaway-agent.key

age-keygen -o throwaway-age.key 2>/dev/null
(cd "$work" && COSIGN_PASSWORD=x cosign generate-key-pair 2>/dev/null) && cp "$work/cosign.key" throwaway-cosign.key

# The numbers of the key as JSON, as JOSE's and TUF's tools write them.
numbers=$(openssl ec -in throwaway-pkcs8.pem -noout -text 2>/dev/null | tr -d ' :\n' | sed 's/.*priv\([0-9a-f]*\)pub04\([0-9a-f]\{64\}\)\([0-9a-f]\{64\}\).*/\1 \2 \3/')
url() { printf '%s' "$1" | sed 's/^00\(.\{64\}\)$/\1/' | xxd -r -p | base64 -w0 | tr '+/' '-_' | tr -d =; }
set -- $numbers
printf '{"kty":"EC","crv":"P-256","x":"%s","y":"%s","d":"%s"}\n' "$(url "$2")" "$(url "$3")" "$(url "$1")" >throwaway.jwk
printf '{"keys":[%s]}\n' "$(cat throwaway.jwk)" >throwaway.jwks
printf '{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"%s","private":"%s"}}\n' "$2" "$3" >throwaway-tuf.json
chmod 644 throwaway*
