// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"encoding/pem"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const pemBegin = "-----BEGIN "

// Block takes one PEM block off data, which must start with it. encoding/pem skips what it
// cannot read; here that is refused, as are headers. Errors have ReasonMalformedKey or
// ReasonTrailingData.
func Block(data []byte) (block *pem.Block, rest []byte, err error) {
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte(pemBegin)) {
		return nil, nil, formats.NewError(formats.ReasonTrailingData,
			"there is text before or after the PEM block", "keep the lines from BEGIN to END alone")
	}
	block, rest = pem.Decode(data)
	if block == nil || bytes.Count(data[:len(data)-len(rest)], []byte(pemBegin)) != 1 || len(block.Headers) > 0 {
		return nil, nil, formats.NewError(formats.ReasonMalformedKey, "a PEM block is damaged", "send the file as it was made")
	}
	return block, bytes.TrimSpace(rest), nil
}

// readPEM reads every block of a file; the text around them, as openssl x509 -text and openssl pkcs12 write it, is nobody's.
// Certificates that follow each other are one chain.
func readPEM(m *formats.Meter, data []byte) ([]Key, error) {
	var keys []Key
	var chain [][]byte
	flush := func() error {
		if len(chain) == 0 {
			return nil
		}
		found, err := readChain(m, chain)
		keys, chain = append(keys, found...), nil
		return err
	}
	for {
		at := bytes.Index(data, []byte(pemBegin))
		if at < 0 {
			break
		}
		block, rest, err := Block(data[at:])
		if err != nil {
			return nil, explainBlock(data[at:], err)
		}
		data = rest
		if err := refuseSecret(block.Bytes); err != nil {
			return nil, err
		}
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		if isLabel(block.Type, certificateLabels) {
			if chain = append(chain, block.Bytes); len(chain) > maxChain {
				return nil, errChainLength()
			}
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		found, err := readBlock(m, block)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, found...); len(keys) > maxKeys {
			return nil, formats.NewError(formats.ReasonTooLarge, "a file holds more than 64 keys", "send the signer's key alone")
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, formats.NewError(formats.ReasonMalformedKey, "a key file holds no key, only its parameters", hintKey)
	}
	return keys, nil
}

var certificateLabels = []string{"CERTIFICATE", "X509 CERTIFICATE"}

func isLabel(label string, list []string) bool {
	for _, l := range list {
		if l == label {
			return true
		}
	}
	return false
}

func readBlock(m *formats.Meter, block *pem.Block) ([]Key, error) {
	switch block.Type {
	case "EC PARAMETERS": // openssl ecparam puts them before a key, which has its own
		return nil, nil
	case "PKCS7", "CMS":
		if !isBundle(block.Bytes) {
			return nil, errMalformedKey(nil)
		}
		return readBundle(m, bytes.Clone(block.Bytes))
	}
	if block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY" {
		return nil, refuseLabel(block.Type)
	}
	if err := checkWhole(block.Bytes); err != nil {
		return nil, err
	}
	if block.Type == "RSA PUBLIC KEY" {
		return one(readPKCS1(block.Bytes))
	}
	return one(readPKIX(block.Bytes))
}
