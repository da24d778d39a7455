#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target of the given packages for FUZZTIME (60s unless set),
# one after another, and stops at the first finding: the failing input is then
# under that package's testdata/fuzz, to be committed with the fix. Minimising
# is kept short, as it counts against FUZZTIME. fuzz-seeded.sh beside this shows
# that the targets find bugs.
set -euo pipefail

fuzztime="${FUZZTIME:-60s}"
ran=0

for package in $(go list "$@"); do
	listing=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listing" || true); do
		echo "== $package $target ($fuzztime)"
		go test -run '^$' -fuzz "^${target}\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$package"
		ran=$((ran + 1))
	done
done

echo "$ran fuzz targets ran"
