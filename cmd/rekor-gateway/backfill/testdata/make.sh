#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the tree of releases beside it with gpg, ssh-keygen, minisign, openssl, dpkg-source and coreutils. The secret keys are
# made for it and thrown away.
set -euo pipefail
cd "$(dirname "$0")"
secret=$(mktemp -d)
trap 'gpgconf --homedir "$secret/gpg" --kill gpg-agent; rm -rf "$secret"' EXIT
rm -rf tree
mkdir -p tree/{debian,kernel,minisign,pgp,pkcs7,ssh,sums,x509} "$secret/gpg"
chmod 700 "$secret/gpg"
cd tree

gpg=(gpg --homedir "$secret/gpg" --batch --quiet --no-tty --yes)
"${gpg[@]}" --passphrase '' --quick-generate-key 'Release <release@example.com>' rsa2048 sign never 2>"$secret/log"
ssh-keygen -q -t ecdsa -N '' -C release -f "$secret/ssh"
minisign -G -W -p minisign/release.pub -s "$secret/minisign" >"$secret/log"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=release -days 36500 \
	-keyout "$secret/x509" -out x509/release.pem 2>"$secret/log"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$secret/rsa" 2>"$secret/log"

for f in pgp/app.tar.gz pgp/app.bin ssh/app minisign/app pkcs7/app x509/app x509/raw; do
	echo "release of $f" >"$f"
done
"${gpg[@]}" --armor --export >pgp/release-key.asc
"${gpg[@]}" --export >pgp/release-key.gpg
"${gpg[@]}" --armor --detach-sign pgp/app.tar.gz
"${gpg[@]}" --detach-sign pgp/app.bin

cp "$secret/ssh.pub" ssh/release.pub
openssl pkey -in "$secret/rsa" -pubout -out x509/raw.pub
ssh-keygen -q -Y sign -f "$secret/ssh" -n file ssh/app 2>"$secret/log"
cp ssh/app.sig ssh/app.sshsig
minisign -S -W -s "$secret/minisign" -m minisign/app >"$secret/log"
openssl cms -sign -binary -in pkcs7/app -signer x509/release.pem -inkey "$secret/x509" -outform DER -out pkcs7/app.p7s
openssl cms -sign -binary -nodetach -in pkcs7/app -signer x509/release.pem -inkey "$secret/x509" -outform DER -out pkcs7/letter.p7m
openssl dgst -sha256 -sign "$secret/x509" -out x509/app.pem.sig x509/app
openssl dgst -sha256 -sign "$secret/rsa" -out x509/raw.sig x509/raw

printf 'kernel\n' >kernel/linux-1.0.tar
"${gpg[@]}" --armor --detach-sign --output kernel/linux-1.0.tar.sign kernel/linux-1.0.tar
xz kernel/linux-1.0.tar

echo one >sums/one.iso
echo two >sums/two.iso
(cd sums && sha256sum -- *.iso >SHA256SUMS && sha512sum --tag -- *.iso >SHA512SUMS)
"${gpg[@]}" --armor --detach-sign --output sums/SHA256SUMS.gpg sums/SHA256SUMS
minisign -S -W -s "$secret/minisign" -m sums/SHA256SUMS >"$secret/log"
"${gpg[@]}" --clear-sign sums/SHA512SUMS
rm sums/SHA512SUMS

mkdir -p "$secret/hello/debian/source"
cat >"$secret/hello/debian/control" <<'END'
Source: hello
Maintainer: Release <release@example.com>
Standards-Version: 4.6.2

Package: hello
Architecture: all
Description: hello
END
cat >"$secret/hello/debian/changelog" <<'END'
hello (1.0) unstable; urgency=low

  * First.

 -- Release <release@example.com>  Mon, 01 Jan 2024 00:00:00 +0000
END
echo '3.0 (native)' >"$secret/hello/debian/source/format"
(cd debian && dpkg-source --build "$secret/hello" >"$secret/log")
"${gpg[@]}" --clear-sign --output "$secret/dsc" debian/hello_1.0.dsc
mv "$secret/dsc" debian/hello_1.0.dsc
echo 'Package: hello' >debian/Packages
gzip -nk debian/Packages
(
	cd debian
	printf 'Origin: Example\nSuite: stable\nMD5Sum:\n'
	for f in Packages Packages.gz; do echo " $(md5sum $f | cut -d' ' -f1) $(stat -c %s $f) $f"; done
	printf 'SHA256:\n'
	for f in Packages Packages.gz; do echo " $(sha256sum $f | cut -d' ' -f1) $(stat -c %s $f) $f"; done
	echo " $(echo none | sha256sum | cut -d' ' -f1) 5 main/Packages"
) >debian/Release
"${gpg[@]}" --armor --detach-sign --output debian/Release.gpg debian/Release
"${gpg[@]}" --clear-sign --output debian/InRelease debian/Release
