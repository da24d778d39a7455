#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the test data beside it with OpenSSL 3. Private keys stay in a temporary folder, so
# every run makes new data. What OpenSSL cannot make wrong, the tests forge themselves.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
rm -f ./*.pem ./*.der ./*.ber ./*.eml ./*.bin ./*.txt

printf 'a release, version 1.0\nof two lines\n' >text.txt
printf 'a release\000in bytes\n\001\002' >artifact.bin

# Keys, and a certificate for each by one issuer.
rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$1" -out "$keys/$2.pem" 2>/dev/null; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$keys/$2.pem"; }
rsa 2048 rsa2048; rsa 3072 rsa3072; rsa 1024 rsa1024
ec P-256 p256; ec P-384 p384; ec P-521 p521; ec P-256 other
openssl dsaparam -genkey 2048 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$keys/dsa.pem"
ec P-256 root; ec P-256 issuer

printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash\n' >"$keys/ca.ext"
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nsubjectKeyIdentifier=hash\n' >"$keys/leaf.ext"
printf 'basicConstraints=CA:FALSE\nkeyUsage=keyAgreement\n' >"$keys/agreement.ext"
request() { openssl req -new -key "$keys/$1.pem" -subj "/CN=$2"; }
issue() { openssl x509 -req -CA "$1-cert.pem" -CAkey "$keys/$1.pem" -CAcreateserial -CAserial "$keys/serial" -days "$2" -extfile "$keys/$3.ext" -out "$4-cert.pem" 2>/dev/null; }
openssl req -x509 -key "$keys/root.pem" -subj "/CN=Test Root" -days 7300 -out root-cert.pem
request issuer "Test Issuer" | issue root 3650 ca issuer
for key in rsa2048 rsa3072 rsa1024 p256 p384 p521 dsa other; do
	request $key "Test Signer $key" | issue issuer 365 leaf $key
done
cp "$keys/p256.pem" "$keys/agreement.pem"
request p256 "Test Agreement" | issue issuer 365 agreement agreement
cat rsa2048-cert.pem issuer-cert.pem >rsa2048-chain.pem
openssl x509 -in rsa2048-cert.pem -noout -pubkey >rsa2048.pem

# sign KEY OUT OPTIONS…: a detached signature over artifact.bin, signed attributes, DER.
sign() { key=$1 out=$2; shift 2; openssl cms -sign -binary -outform DER -in artifact.bin -signer "$key-cert.pem" -inkey "$keys/$key.pem" -out "$out" "$@"; }
for key in rsa2048 rsa3072 p256 p384 p521; do
	case $key in p384) md=sha384 ;; p521) md=sha512 ;; *) md=sha256 ;; esac
	sign $key $key.der -md $md
	sign $key $key-noattr.der -md $md -noattr
done
sign rsa2048 rsa2048-sha384.der -md sha384
sign rsa2048 rsa2048-sha512.der -md sha512
sign p384 p384-sha256.der -md sha256
sign rsa2048 rsa2048-pss.der -md sha256 -keyopt rsa_padding_mode:pss
sign rsa2048 rsa2048-pss20.der -md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:20
sign rsa2048 rsa2048-attached.der -md sha256 -nodetach
sign rsa2048 rsa2048-attached-noattr.der -md sha256 -nodetach -noattr
sign rsa2048 rsa2048-cades.der -md sha256 -cades
sign rsa2048 rsa2048-keyid.der -md sha256 -keyid
sign rsa2048 rsa2048-nocerts.der -md sha256 -nocerts
sign rsa2048 rsa2048-chain.der -md sha256 -certfile issuer-cert.pem
sign rsa2048 rsa2048-stream.ber -md sha256 -nodetach -stream
sign rsa2048 rsa2048-cms.pem -md sha256 -outform PEM
openssl smime -sign -binary -outform PEM -in artifact.bin -signer rsa2048-cert.pem -inkey "$keys/rsa2048.pem" -md sha256 -out rsa2048-pkcs7.pem

# Text: line ends as CRLF unless told -binary; S/MIME messages.
text() { key=$1 out=$2; shift 2; openssl cms -sign -in text.txt -signer "$key-cert.pem" -inkey "$keys/$key.pem" -md sha256 -out "$out" "$@"; }
text rsa2048 text.der -outform DER
text rsa2048 text-noattr.der -outform DER -noattr
text p256 text-attached.der -outform DER -nodetach
text rsa2048 text.eml
text rsa2048 text-crlf.eml -crlfeol
text rsa2048 text-noattr.eml -noattr
text rsa2048 text-plain.eml -text
text rsa2048 text-opaque.eml -nodetach -text
openssl smime -sign -text -in text.txt -signer p256-cert.pem -inkey "$keys/p256.pem" -md sha256 -out smime.eml \
	-from build@example.org -to archive@example.org -subject "Release 1.0"

# gpgsm, with a self-signed certificate of its own.
GNUPGHOME=$keys/gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
rsa 2048 gpgsm
openssl req -x509 -key "$keys/gpgsm.pem" -subj "/CN=Test gpgsm" -days 365 -out gpgsm-cert.pem
openssl pkcs12 -export -legacy -inkey "$keys/gpgsm.pem" -in gpgsm-cert.pem -passout pass:x -out "$keys/gpgsm.p12"
gpgsm() { echo x | command gpgsm --quiet --batch --disable-crl-checks --pinentry-mode loopback --passphrase-fd 0 "$@" 2>/dev/null; }
gpgsm --import "$keys/gpgsm.p12"
fingerprint=$(gpgsm --with-colons -k | grep '^fpr' | head -n 1 | cut -d: -f10)
echo "$fingerprint S relax" >"$GNUPGHOME/trustlist.txt"
gpgconf --kill gpg-agent
gpgsm --detach-sign --include-certs 1 -u "$fingerprint" --output gpgsm.ber artifact.bin
gpgsm --detach-sign --include-certs 1 --armor -u "$fingerprint" --output gpgsm.pem artifact.bin
gpgconf --kill all

# What must be refused.
sign rsa2048 sha1.der -md sha1
sign rsa2048 md5.der -md md5
sign rsa2048 sha224.der -md sha224
sign rsa1024 rsa1024.der -md sha256
sign dsa dsa.der -md sha256
sign agreement agreement.der -md sha256
openssl cms -sign -binary -outform DER -in artifact.bin -md sha256 -out two-signers.der \
	-signer rsa2048-cert.pem -inkey "$keys/rsa2048.pem" -signer p256-cert.pem -inkey "$keys/p256.pem"
openssl crl2pkcs7 -nocrl -certfile rsa2048-cert.pem -outform DER -out no-signer.der
openssl cms -encrypt -binary -outform DER -in artifact.bin -out enveloped.der rsa2048-cert.pem
openssl cms -data_create -in artifact.bin -outform DER -out data.der
sign rsa2048 other-content.der -md sha256 -nodetach -econtent_type 1.2.3.4
