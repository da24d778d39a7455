#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the data beside it: for each kind NAME.bin, the very bytes that another protocol's tool signed, NAME.sig, its
# signature, and NAME.pem, its public key. Nothing is signed here but by these tools; make/ only takes their
# output apart. Needs GnuPG, OpenSSH, OpenSSL 3, minisign, curl, jq, cosign (COSIGN) and sigsum-submit (SIGSUM: the folder it is in; go install
# sigsum.org/sigsum-go/cmd/...@v0.11.2). Private keys stay in a temporary folder, so every run makes new data.
set -euo pipefail
cd "$(dirname "$0")"
out=$PWD
work=$(mktemp -d)
export GNUPGHOME=$work/gnupg
mkdir -m 700 "$GNUPGHOME"
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
rm -f ./*.bin ./*.sig ./*.pem
(cd make && go build -o "$work/make" .)
cd "$work"
printf 'a release, version 1.0\n' >artifact

# OpenPGP: GnuPG's RSA with SHA-512, which is its default.
gpg --batch --quiet --passphrase '' --quick-gen-key 'Test <test@example.org>' rsa3072 sign never
gpg --batch --quiet --digest-algo SHA512 --output pgp.sig --detach-sign artifact
gpg --batch --quiet --export >pgp.key
./make openpgp "$out/openpgp" artifact pgp.sig pgp.key

# SSH: a signature, a certificate, a log-in.
for key in user ca; do ssh-keygen -q -t ed25519 -N '' -C "$key" -f $key; done
ssh-keygen -q -Y sign -n file -f user <artifact >ssh.sig
./make sshsig "$out/sshsig" artifact ssh.sig
ssh-keygen -q -s ca -I identity -n somebody user.pub
./make ssh-certificate "$out/ssh-certificate" user-cert.pub
./make ssh-userauth "$out/ssh-userauth" user

# minisign: the signature over another one and the trusted comment.
minisign -G -W -p minisign.pub -s minisign.key >minisign.log
minisign -S -W -s minisign.key -m artifact -x minisign.sig
./make minisign "$out/minisign" minisign.sig minisign.pub

# X.509: certificate, request, revocation list, OCSP response, CRMF, SPKAC; all by one key.
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.pem
openssl pkey -in ca.pem -pubout -out ca.pub
openssl req -x509 -key ca.pem -subj '/CN=Test CA' -days 36500 -out ca.crt
openssl req -new -key ca.pem -subj '/CN=Test' -out ca.csr
touch index; echo 01 >number
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\n' >ca.conf
openssl ca -config ca.conf -gencrl -keyfile ca.pem -cert ca.crt -out ca.crl
openssl ocsp -index index -CA ca.crt -rsigner ca.crt -rkey ca.pem -issuer ca.crt -serial 1 -respout ocsp.der
openssl cmp -cmd ir -use_mock_srv -ref a -secret pass:x -srv_ref a -srv_secret pass:x -newkey ca.pem -subject /CN=Test \
	-reqout cmp.der -rspout answer.der -certout none.pem || test -s cmp.der # the mock server has no certificate to give
openssl spkac -key ca.pem -digest sha256 -challenge once -out spkac.txt
./make certificate "$out/certificate" ca.crt ca.pub
./make csr "$out/csr" ca.csr ca.pub
./make crl "$out/crl" ca.crl ca.pub
./make ocsp "$out/ocsp" ocsp.der ca.pub
./make crmf "$out/crmf" cmp.der ca.pub
./make spkac "$out/spkac" spkac.txt ca.pub

# A TSTInfo; the authority signs attributes over it, so it has no signature of its own.
openssl ts -query -data artifact -sha256 -no_nonce -out query.tsq
printf 'extendedKeyUsage=critical,timeStamping\n' >tsa.ext
openssl x509 -req -in ca.csr -signkey ca.pem -days 36500 -extfile tsa.ext -out tsa.crt
printf '[t]\nserial=number\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\n' >tsa.conf
openssl ts -reply -config tsa.conf -section t -queryfile query.tsq -signer tsa.crt -inkey ca.pem -token_out -out token.der
openssl cms -verify -noverify -certfile tsa.crt -inform DER -in token.der -out "$out/tstinfo.bin"

# TLS between OpenSSL and Go, whose side shows what it signs.
openssl req -x509 -newkey ed25519 -nodes -keyout tls.pem -subj '/CN=Test' -days 36500 -out tls.crt
for version in 2 3; do
	./make tls-server "$out/tls1$version-server" tls.crt tls.pem $version
	./make tls-client "$out/tls1$version-client" tls.crt tls.pem $version
done

# DTLS 1.2 between OpenSSL and itself, which prints each message; one record has a whole one.
sleep 5 | openssl s_server -dtls1_2 -mtu 9000 -accept 45873 -cert ca.crt -key ca.pem -Verify 1 -client_sigalgs ECDSA+SHA256 >server.log 2>&1 &
server=$!
sleep 1
sleep 1 | openssl s_client -dtls1_2 -mtu 9000 -connect 127.0.0.1:45873 -cert ca.crt -key ca.pem -msg >client.log 2>&1
kill $server
./make dtls-client "$out/dtls12-client" client.log ca.pub

# DSSE by cosign, a leaf by sigsum-submit.
export COSIGN_PASSWORD=
"$COSIGN" generate-key-pair --output-key-prefix cosign
echo '{}' >predicate.json
"$COSIGN" attest-blob --key cosign.key --predicate predicate.json --type custom --tlog-upload=false --use-signing-config=false \
	--bundle bundle.json --yes artifact
./make dsse "$out/dsse" bundle.json cosign.pub
"$SIGSUM/sigsum-key" generate -o sigsum
"$SIGSUM/sigsum-submit" -k sigsum artifact
./make sigsum "$out/sigsum" artifact.req

# By the protocols' Go libraries: JWS (go-jose), COSE (go-cose), a checkpoint (x/mod), a cosignature (transparency-dev).
for kind in jws cose checkpoint cosignature; do ./make $kind "$out/$kind"; done
