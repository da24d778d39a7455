#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that the programs the tests and the demo call are installed:
# silent when they are, installs them where that's possible (root on Debian or
# Ubuntu), and otherwise names the packages to install. Arguments are further
# programs, or files by their path or a pattern of it, each followed by its package.
set -euo pipefail

# Program and the Debian package that holds it.
tools="
gpg gnupg
gpgv gpgv
minisign minisign
signify-openbsd signify-openbsd
ssh-keygen openssh-client
openssl openssl
jq jq
curl curl
python3 python3
xz xz-utils
strace strace
/usr/lib/postgresql/*/bin/postgres postgresql
redis-server redis-server
$(printf '%s %s\n' "$@")
"

missing_packages() {
	while read -r program package; do
		[ -n "$program" ] || continue
		command -v "$program" >/dev/null || compgen -G "$program" >/dev/null || echo "$package"
	done <<<"$tools"
}

mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "error: missing programs; install these packages (Debian names): ${missing[*]}" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"

mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -gt 0 ]; then
	echo "error: still missing after installation, packages: ${missing[*]}" >&2
	exit 1
fi
