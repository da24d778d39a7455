#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes what the offline scripts read, with the real tools and a real gateway and log. Needs
# rekor-gateway and rekor-server-posix (make build) on the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -rf offline && mkdir offline && cd offline
work=$(mktemp -d)
export GNUPGHOME=$work/gnupg
mkdir -m 700 "$GNUPGHOME"

echo hello >artifact
echo other >other
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/x509.private"
openssl pkey -in "$work/x509.private" -pubout -out x509.pub
openssl dgst -sha256 -sign "$work/x509.private" -out x509.sig artifact
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout -out stranger.pub
for kind in rsa3072 ed25519; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$kind@example.com" "$kind" sign never
	gpg --batch --export --armor "$kind@example.com" >"pgp-$kind.pub"
	gpg --batch --quiet --local-user "$kind@example.com" --digest-algo SHA256 --armor --detach-sign --output "pgp-$kind.sig" artifact
done

rekor-gateway dev --data-dir "$work/gateway" --http 127.0.0.1:0 --grpc 127.0.0.1:0 --admin 127.0.0.1:0 \
	--ready-file "$work/ready.json" >/dev/null 2>&1 &
gateway=$!
trap 'kill -INT $gateway; wait $gateway; gpgconf --kill all; rm -rf "$work"' EXIT
until [ -f "$work/ready.json" ]; do sleep 0.1; done
for name in x509 pgp-rsa3072 pgp-ed25519; do
	rekor-gateway submit --server "$(jq -r .http "$work/ready.json")" --signature $name.sig --key $name.pub \
		--artifact artifact --receipt $name.receipt.json
done
cp "$work/gateway/trusted_root.json" "$work/gateway/gateway_trust.json" .
