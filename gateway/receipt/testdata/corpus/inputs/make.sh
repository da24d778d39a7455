#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the files beside it that are missing: what the corpus needs and the formats' own test
# data lacks, above all keys whose state changes between signing and verifying. It needs gpg,
# OpenSSL 3, gzip and xz. The private keys live in a temporary folder and are gone afterwards, so
# each group of files is made as a whole and never again.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
exec 2> >(grep -v 'faked system time' >&2)
trap 'gpgconf --homedir "$keys" --kill all; rm -rf "$keys"' EXIT

[ -e artifact ] || printf 'a release\nits second line\n' >artifact
[ -e artifact.gz ] || gzip -n -9 <artifact >artifact.gz
[ -e artifact.xz ] || xz -9 <artifact >artifact.xz
[ -e another ] || printf 'another release\n' >another

# PGP: a key and a signature that both expire, and keys that were revoked after they were sent.
export GNUPGHOME=$keys
when=20250101T000000
g() { gpg --batch --yes --quiet --no-tty --pinentry-mode loopback --passphrase '' --faked-system-time "$when" "$@"; }
export_key() { g --armor --export "$1@example.org" >"$2"; }
sign() { g --local-user "$1@example.org" --digest-algo SHA256 --output "$1.sig" "${@:2}" --detach-sign artifact; }
revoke() { # name reason
	when=20250201T000000
	printf 'y\n%s\n\ny\n' "$2" | gpg --quiet --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' \
		--faked-system-time $when --yes --output "$keys/rev" --gen-revoke "$1@example.org" 2>/dev/null
	g --import "$keys/rev"
	export_key "$1" "$1-now.key"
	when=20250101T000000
}
pgp() { # name reason: of the revocation, none when empty
	[ -e "$1.key" ] && return
	g --quick-gen-key "$1 <$1@example.org>" nistp256 sign "${3:-0}"
	export_key "$1" "$1.key"
	sign "$1"
	[ -z "$2" ] || revoke "$1" "$2"
}
pgp key-expires '' 5y
pgp compromised-since 1
pgp superseded-since 2
if [ ! -e signature-expires.key ]; then
	g --quick-gen-key 'signature-expires <signature-expires@example.org>' nistp256 sign 0
	export_key signature-expires signature-expires.key
	sign signature-expires --default-sig-expire 5y
fi

# X.509 and CMS: a certificate that expired in 2021, by a root of 2020.
ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/$1.pem"; }
ca() { # name subject start end option...: signs a request by openssl ca, which can choose both dates
	: >"$keys/index"
	openssl req -new -key "$keys/$1.pem" -subj "/CN=$2" -out "$keys/$1.csr"
	openssl ca -batch -notext -config "$keys/ca.cnf" -in "$keys/$1.csr" -out "$1-cert.pem" -startdate "$3" -enddate "$4" "${@:5}" 2>/dev/null
}
if [ ! -e expired-cert.pem ]; then
	cat >"$keys/ca.cnf" <<-END
		[ca]
		default_ca = all
		[all]
		database = $keys/index
		new_certs_dir = $keys
		rand_serial = yes
		default_md = sha256
		policy = any
		unique_subject = no
		[any]
		commonName = supplied
		[root]
		basicConstraints = critical,CA:TRUE
		keyUsage = keyCertSign
		[leaf]
		basicConstraints = CA:FALSE
		keyUsage = digitalSignature
	END
	ec expired-root
	ec expired
	ca expired-root 'Corpus Root' 20200101000000Z 20500101000000Z -selfsign -keyfile "$keys/expired-root.pem" -extensions root
	ca expired 'Corpus Signer' 20200101000000Z 20210101000000Z -cert expired-root-cert.pem -keyfile "$keys/expired-root.pem" -extensions leaf
	openssl dgst -sha256 -sign "$keys/expired.pem" -out expired.sig artifact
	cms() { openssl cms -sign -binary -outform DER -in artifact -signer expired-cert.pem -inkey "$keys/expired.pem" -md sha256 "$@"; }
	cms -out expired.der
	cms -noattr -out expired-noattr.der
fi

# SSH: lines of the reader's own, for signatures of the formats' test data.
ssh() { printf 'release@example.org %s%s\n' "$2" "$(cut -d' ' -f1,2 "../../../../../formats/ssh/testdata/$1.pub")"; }
[ -e ecdsa-until-2030.signers ] || ssh ecdsa-256 'valid-after="20200101Z",valid-before="20300101Z" ' >ecdsa-until-2030.signers
[ -e ed25519-until-2030.signers ] || ssh ed25519 'valid-before="20300101Z" ' >ed25519-until-2030.signers
[ -e ecdsa-until-2021.signers ] || ssh ecdsa-256 'valid-before="20210101Z" ' >ecdsa-until-2021.signers
[ -e ecdsa-git.signers ] || ssh ecdsa-256 'namespaces="git" ' >ecdsa-git.signers

# X.509: r‖s, as PKCS #11 and JOSE tools write it, of a DER signature of the formats' test data.
if [ ! -e p256-raw.sig ]; then
	openssl asn1parse -inform DER -in ../../../../../formats/x509/testdata/p256.sig |
		sed -n 's/.*INTEGER *://p' | while read -r n; do printf '%64s' "$n" | tr ' ' 0; done |
		xxd -r -p >p256-raw.sig
fi
