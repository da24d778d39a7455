#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Signs a file with the real tools in every format that rekor-cli has, and lets the stock rekor-cli upload, get, find and verify
# each through a gateway in front of a Rekor v1, or over its facade of a Rekor v2. Exits 0 only if all of it works. LOG is the
# URL of a Rekor v1; a Rekor v2 has one for writing and one for reading, and a name. TRUSTED_ROOT is a file with the log's key.
# Needs rekor-gateway and rekor-cli on the PATH: make demo-rekor-cli.
set -euo pipefail

usage='usage: rekor-cli.sh TRUSTED_ROOT LOG, or rekor-cli.sh TRUSTED_ROOT GRPC_URL READ_URL ORIGIN'
root=$(realpath "${1:?$usage}") log=${2:?$usage} read=${3:-} origin=${4:-}
[ -z "$read" ] || : "${origin:?$usage}"
for program in rekor-gateway rekor-cli go jq curl openssl gpg ssh-keygen minisign; do
	command -v "$program" >/dev/null || { echo "$program is not on the PATH; run: make demo-rekor-cli" >&2; exit 1; }
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
gateway_pid=
export GNUPGHOME=$work/gnupg HOME=$work

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

(cd "$here" && HOME=$(getent passwd "$(id -u)" | cut -d: -f6) go build -o "$work/tufdemo" ./tufdemo)
cd "$work"
printf 'A release, version 1.0\n' >release.tar

# ---- a gateway in front of the log, and a token that stands in the path of its URL: rekor-cli sends nothing else

if [ -n "$read" ]; then
	logs="{id: main, origin: \"$origin\", grpc_url: \"$log\", read_url: \"$read\"}"
	routes='{v1: main, facade: {host: rekor.example, key: facade.key, anchor_key: facade-anchor.key, create_keys: true}}'
else
	origin=$(curl -sS --fail-with-body "$log/api/v1/log" | jq -r .signedTreeHead | head -1)
	logs="{id: main, kind: rekor-v1, origin: \"$origin\", url: \"$log\"}"
	routes='{v1: main}'
fi
token_hash=$(rekor-gateway config token build --path 2>&1 >token | grep -o '[0-9a-f]\{64\}')
cat >config.yaml <<END
trusted_root: $root
logs:
  - $logs
rekor_api: $routes
callers:
  - {name: build, tenant: builds, may: [submit, read], path_token_sha256: ["$token_hash"]}
attestation: {key: attestation.key, create_key: true, gateway_trust: gateway_trust.json}
store: {sqlite: {path: store.db}}
limits: {min_free_disk: 64MiB}
http: {listen: "127.0.0.1:0"}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
END
rekor-gateway serve --config config.yaml >welcome 2>gateway.log &
gateway_pid=$!
http=
for _ in $(seq 300); do
	http=$(grep -s '"msg":"serving"' gateway.log | jq -r .http || true)
	[ -z "$http" ] || break
	kill -0 "$gateway_pid" 2>/dev/null || exit 1
	sleep 0.1
done
server=$http/r/$(cat token)
echo "gateway is up ${read:+with a facade }in front of $origin"

# ---- signatures by the real tools

mkdir -m 700 "$GNUPGHOME"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out x509.private
openssl pkey -in x509.private -pubout -out x509.key
openssl dgst -sha256 -sign x509.private -out x509.sig release.tar
gpg --batch --quiet --passphrase '' --quick-generate-key signer@example.com rsa2048 sign never
gpg --batch --export --armor signer@example.com >pgp.key
gpg --batch --quiet --digest-algo SHA256 --armor --detach-sign --output pgp.sig release.tar
ssh-keygen -q -t ed25519 -N '' -C demo -f ssh.private
ssh-keygen -q -Y sign -n file -f ssh.private <release.tar >ssh.sig
mv ssh.private.pub ssh.key
minisign -G -W -p minisign.key -s minisign.private >/dev/null
minisign -S -W -s minisign.private -m release.tar -x minisign.sig >/dev/null
./tufdemo tuf.sig tuf.key

# ---- rekor-cli, which knows of nothing but another URL

cli() {
	local command=$1
	shift
	rekor-cli "$command" --rekor_server "$server" "$@"
}

cli loginfo >/dev/null 2>&1 # before anything is recorded, too

rekord() { echo --type rekord --artifact release.tar --pki-format "$1" --signature "$1.sig" --public-key "$1.key"; }

each() { # NAME, the arguments of upload
	local name=$1 uuid found
	shift
	uuid=$(cli upload "$@" | grep -o '[0-9a-f]\{80\}')
	cli upload "$@" | grep -q "already exists.*$uuid"
	cli get --uuid "$uuid" >"$name.entry"
	cli verify --uuid "$uuid" >/dev/null
	cli loginfo >/dev/null 2>&1 # which finds that the tree has only grown
	found='by its UUID'
	case $name${read:+ over a facade} in # which has no entries of TUF
	hashedrekord* | ssh* | minisign* | tuf)
		cli verify "$@" >/dev/null
		found='by the signature, and by its UUID'
		;;
	esac
	printf '%-13s %-22s %s\n' "$name" 'uploaded, and got' "verified $found"
}

each hashedrekord --type hashedrekord --artifact-hash "$(sha256sum release.tar | cut -d' ' -f1)" --pki-format x509 --signature x509.sig --public-key x509.key
for format in pgp ssh minisign; do
	# shellcheck disable=SC2046
	each $format $(rekord $format)
done
each tuf --type tuf --artifact tuf.sig --public-key tuf.key
[ "$(cli search --artifact release.tar 2>/dev/null | grep -c '^[0-9a-f]\{80\}$')" -ge 4 ]
cli loginfo >/dev/null 2>&1

printf 'Another release\n' >other.tar
jq -n --arg data "$(base64 -w0 other.tar)" --arg signature "$(base64 -w0 pgp.sig)" --arg key "$(base64 -w0 pgp.key)" \
	'{kind: "rekord", apiVersion: "0.0.1", spec: {data: {content: $data}, signature: {format: "pgp", content: $signature, publicKey: {content: $key}}}}' >other.json
if cli upload --entry other.json >refused 2>&1 || ! grep -q 'ARTIFACT_MISMATCH: ' refused; then
	cat refused >&2
	exit 1
fi
echo 'another file with that signature was refused: ARTIFACT_MISMATCH'
printf '\nAll of it by rekor-cli, through the gateway. Took %ds.\n' "$SECONDS"
