#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the metadata in this folder afresh, with new keys, by go-tuf.
set -eu
cd "$(dirname "$0")"
rm -f ./*.json target.txt
go run make.go
