#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Fetches signatures of Debian through apt into the folder that the argument
# names, for TestDebian:
#
#   dsc/       the .dsc of each package in dsc.list, in the version of the release
#   upstream/  the source of each package in upstream.list that carries its
#              authors' detached signature, and their keys as NAME.keys
#   lists/     apt's own lists, each release's InRelease among them
#
# apt gets a configuration and lists of its own, so that the system's stay as
# they are: the same mirrors and settings, and source packages enabled.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$1

command -v apt-get >/dev/null || { echo "error: Debian's corpus comes through apt, which is not here" >&2; exit 1; }

# list_sources prints a deb-src line for each deb line of Debian's own archive.
list_sources() {
	local format='deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)'
	apt-get indextargets --format "$format" "Created-By: Packages" "Origin: Debian" | sort -u
}

# write_configuration leaves sources.list with all parts of the archive, and
# release.list with the release alone: its files stay for as long as it does.
write_configuration() {
	local codename
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	list_sources >"$dir/sources.list"
	grep " $codename " "$dir/sources.list" >"$dir/release.list" ||
		{ echo "error: apt knows no Debian archive of $codename; run: apt-get update" >&2; exit 1; }
	cat >"$dir/apt.conf" <<-END
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir/cache";
		Acquire::Retries "3";
		APT::Sandbox::User "root";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
}

# fetch_sources downloads the packages that a list names; further arguments are
# apt-get's. What a mirror lacks is named, and TestDebian counts what is there.
fetch_sources() {
	local folder=$1 packages
	shift
	mapfile -t packages < <(grep -v '^#' "$here/$folder.list")
	rm -rf "${dir:?}/$folder"
	mkdir -p "$dir/$folder"
	(cd "$dir/$folder" && apt-get -c "$dir/apt.conf" -o Dir::Etc::sourcelist="$dir/release.list" \
		source -qq --download-only "$@" "${packages[@]}" >"$dir/$folder.log") ||
		echo "warning: not all of $folder.list could be fetched" >&2
}

# extract_keys takes the authors' keys out of Debian's part of each package.
extract_keys() {
	local packed name
	for packed in "$dir"/upstream/*.debian.tar.*; do
		name=$(basename "$packed")
		tar -xOf "$packed" --wildcards 'debian/upstream/signing-key.*' >"$dir/upstream/${name%%_*}.keys"
	done
}

mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
[ -n "$(list_sources)" ] || apt-get -qq update
write_configuration
apt-get -c "$dir/apt.conf" -qq update
fetch_sources dsc --dsc-only
fetch_sources upstream
extract_keys
