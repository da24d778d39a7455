// SPDX-License-Identifier: Apache-2.0

// Package all lists the formats that rekor-gateway knows. A new format is a folder beside
// this one and a line here.
package all

import (
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
	"github.com/rekor-gateway/rekor-gateway/formats/tuf"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// Formats returns the registry of every format, in the order in which they are asked to
// recognise a signature.
func Formats() *formats.Registry {
	return formats.NewRegistry(
		minisign.New(),
		pgp.New(),
		ssh.New(),
		pkcs7.New(),
		tuf.New(),
		x509.New(),
	)
}
