#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Signs a file with the real tools in every format, submits each signature to a gateway in
# front of a real local Rekor v2 log, and verifies every receipt offline. Exits 0 only if all
# of it works. Needs rekor-gateway and rekor-server-posix on the PATH: make demo.
set -euo pipefail

for program in rekor-gateway go jq curl openssl gpg ssh-keygen minisign; do
	command -v "$program" >/dev/null || { echo "$program is not on the PATH; run: make demo" >&2; exit 1; }
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
gateway_pid=
export GNUPGHOME=$work/gnupg

cleanup() {
	local status=$?
	if [ -n "$gateway_pid" ]; then
		kill -INT "$gateway_pid" 2>/dev/null || true
		wait "$gateway_pid" 2>/dev/null || true
	fi
	[ ! -d "$GNUPGHOME" ] || gpgconf --kill all 2>/dev/null || true
	if [ "$status" != 0 ]; then
		echo "demo failed" >&2
		[ ! -f "$work/gateway.log" ] || tail -20 "$work/gateway.log" >&2
	fi
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

(cd "$here" && go build -o "$work/tufdemo" ./tufdemo) &
tufdemo_pid=$!
cd "$work"
printf 'A release, version 1.0\n' >release.tar

# ---- a gateway with a log of its own, on free ports

rekor-gateway dev --data-dir gateway --http 127.0.0.1:0 --grpc 127.0.0.1:0 --admin 127.0.0.1:0 \
	--ready-file ready.json >welcome 2>gateway.log &
gateway_pid=$!
for _ in $(seq 300); do
	[ -f ready.json ] && break
	kill -0 "$gateway_pid" 2>/dev/null || exit 1
	sleep 0.1
done
http=$(jq -r .http ready.json) grpc=$(jq -r .grpc ready.json)
echo "gateway and log are up: $http, $grpc"

# ---- keys and signatures by the real tools: NAME.sig, and NAME.key where it needs one

sign_x509() { # NAME, genpkey arguments
	local name=$1
	shift
	openssl genpkey -quiet "$@" -out "$name.private"
	openssl pkey -in "$name.private" -pubout -out "$name.key"
	openssl dgst -sha256 -sign "$name.private" -out "$name.sig" release.tar
}

sign_pgp() { # NAME, key algorithm
	gpg --batch --quiet --passphrase '' --quick-generate-key "$1@example.com" "$2" sign never
	gpg --batch --export --armor "$1@example.com" >"$1.key"
	gpg --batch --quiet --local-user "$1@example.com" --digest-algo SHA256 --armor \
		--detach-sign --output "$1.sig" release.tar
}

sign_ssh() { # NAME, ssh-keygen arguments
	local name=$1
	shift
	ssh-keygen -q "$@" -N '' -C demo -f "$name"
	ssh-keygen -q -Y sign -n file -f "$name" <release.tar >"$name.sig"
	mv "$name.pub" "$name.key"
}

sign_minisign() {
	minisign -G -W -p "$1.key" -s "$1.private" >/dev/null
	minisign -S -W -s "$1.private" -m release.tar -x "$1.sig" >/dev/null
}

sign_pkcs7() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.private" -out "$1.crt" -days 30 -subj /CN=demo 2>/dev/null
	openssl cms -sign -binary -md sha256 -signer "$1.crt" -inkey "$1.private" -in release.tar -outform DER -out "$1.sig"
	touch "$1.key" # the certificate is inside
}

sign_tuf() {
	wait "$tufdemo_pid"
	./tufdemo "$1.sig" "$1.key"
}

mkdir -m 700 "$GNUPGHOME"
sign_x509 x509-ecdsa -algorithm EC -pkeyopt ec_paramgen_curve:P-256
sign_x509 x509-rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
sign_pgp pgp-rsa rsa2048
sign_pgp pgp-ed25519 ed25519
sign_ssh ssh-ecdsa -t ecdsa -b 256
sign_ssh ssh-ed25519 -t ed25519
sign_minisign minisign
sign_pkcs7 pkcs7
sign_tuf tuf

# ---- every signature goes every way in: curl, gRPC, and the CLI, which keeps the file here if it can

by_curl() {
	local form=(-F "signature=@$1.sig")
	[ ! -s "$1.key" ] || form+=(-F "key=@$1.key")
	[ "${1%%-*}" != x509 ] || form+=(-F format=x509) # raw signatures have no marks to know them by
	[ "$1" = tuf ] || form+=(-F artifact=@release.tar)
	curl -sS --fail-with-body "${form[@]}" "$http/v1/submissions?wait=30s" >"$1.answer" || {
		cat "$1.answer" >&2
		return 1
	}
	local id
	id=$(jq -r .id "$1.answer")
	curl -sS --fail-with-body "$http/v1/submissions/$id/receipt" >"$1.receipt.json"
}

by_cli() { # NAME, server, extra arguments
	local name=$1 server=$2 arguments=(--signature "$1.sig")
	shift 2
	[ ! -s "$name.key" ] || arguments+=(--key "$name.key")
	[ "${name%%-*}" != x509 ] || arguments+=(--format x509)
	[ "$name" = tuf ] || arguments+=(--artifact release.tar)
	rekor-gateway submit --server "$server" "${arguments[@]}" --receipt "$name.cli.json" --force "$@" >/dev/null 2>"$name.notes"
}

verified() { # NAME, receipt
	local arguments=(--receipt "$2" --trusted-root gateway/trusted_root.json --gateway-trust gateway/gateway_trust.json)
	if [ -s "$1.key" ]; then
		arguments+=(--key "$1.key")
	else
		arguments+=(--signer "sha256:$(openssl x509 -in "$1.crt" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)")
	fi
	[ "$1" = tuf ] || arguments+=(--artifact release.tar)
	rekor-gateway verify "${arguments[@]}" >/dev/null
}

names=(x509-ecdsa x509-rsa pgp-rsa pgp-ed25519 ssh-ecdsa ssh-ed25519 minisign pkcs7 tuf)

every_way() {
	by_curl "$1"
	verified "$1" "$1.receipt.json"
	by_cli "$1" "$grpc" --send-bytes
	verified "$1" "$1.cli.json"
	by_cli "$1" "$http"
	verified "$1" "$1.cli.json"
}

jobs=()
for name in "${names[@]}"; do
	(set -e; every_way "$name") &
	jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done

printf '\n%-13s %-15s %-10s %s\n' FORMAT REPRESENTATION 'LOG INDEX' 'VERIFIED OFFLINE'
for name in "${names[@]}"; do
	printf '%-13s %-15s %-10s %s\n' "$name" "$(jq -r .representation "$name.answer")" \
		"$(jq -r '[.entries[].logIndex] | join(",")' "$name.answer")" \
		'curl, gRPC and CLI'
done
printf '\nAll receipts verified with no gateway and no network. Took %ds.\n' "$SECONDS"
