// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

const hintSending = "send the signature file and the signer's key alone"

// input is a signature and its keys, taken out of what stood around them.
type input struct {
	signature []byte
	keys      [][]byte
}

// openInput looks for private keys in all that was sent, before anything else is said of any of it, and
// then takes off what textlayer takes off.
func openInput(ctx context.Context, signature []byte, keys [][]byte) (in input, err error) {
	m, err := StartWork(ctx, hintSending)
	if err != nil {
		return in, err
	}
	if err := CheckSizes(signature, keys); err != nil {
		return in, err
	}
	if err := CheckSecret(m, "as the signature", signature); err != nil {
		return in, err
	}
	for _, k := range keys {
		if err := checkKey(m, k); err != nil {
			return in, err
		}
	}
	if in.signature, err = textlayer.Unwrap(signature); err != nil {
		return in, errUTF16(err, ReasonMalformedSignature, "the signature is a text in UTF-16")
	}
	if len(in.signature) == 0 {
		return in, errEmpty()
	}
	for _, k := range keys {
		opened, err := textlayer.Unwrap(k)
		if err != nil {
			return in, errUTF16(err, ReasonMalformedKey, "a key file is a text in UTF-16")
		}
		in.keys = append(in.keys, opened)
	}
	return in, nil
}

// CheckSecret refuses data that is a private key in any form; part says where it was sent: "as a key". Registry.Parse
// does so with all that it is given.
func CheckSecret(m *Meter, part string, data []byte) error {
	if err := m.ChargeBytes(textlayer.Passes * len(data)); err != nil {
		return err
	}
	return refuseSecret(part, data)
}

func refuseSecret(part string, data []byte) error {
	if s, ok := textlayer.FindSecret(data); ok {
		return ErrSecret(part, s)
	}
	return nil
}

// checkKey is CheckSecret of a key file, of which many signatures may have the same.
func checkKey(m *Meter, key []byte) error {
	if err := m.ChargeBytes(textlayer.Passes * len(key)); err != nil {
		return err
	}
	return CheckOnce("holds no private key", func() error { return refuseSecret("as a key", key) }, key)
}

// SecretError is in the refusal of a private key, for a caller who knows that it has not left its machine.
type SecretError struct{ Secret textlayer.Secret }

// Error names the kind of private key.
func (e *SecretError) Error() string { return e.Secret.Kind }

// ErrSecret returns the refusal of a private key, around a *SecretError; part says where it was: "as a key".
func ErrSecret(part string, s textlayer.Secret) *Error {
	return WrapError(&SecretError{s}, ReasonSecretKey, fmt.Sprintf("a private key was given %s: %s", part, s.Kind),
		"it was not stored; treat it as leaked and replace it, then send the public key: "+s.Public)
}

func errUTF16(err error, r Reason, message string) error {
	return WrapError(err, r, message, "PowerShell's > writes UTF-16; convert it: iconv -f UTF-16 -t UTF-8 FILE")
}

func errEmpty() error {
	return NewError(ReasonMissingSignature, "the signature is empty", "send the signature file's content")
}

// openKeys returns p with its keys for the format taken out of what stands around them.
func (p Policy) openKeys(format string) Policy {
	if len(p.Keys[format]) == 0 || p.Prepared[format] != nil || p.KeysAreOpen {
		return p
	}
	p.Keys = map[string][][]byte{format: openFiles(p.Keys[format])}
	return p
}

// OpenKeys returns keys taken out of what stands around them (see textlayer), for a policy that says KeysAreOpen.
func OpenKeys(keys map[string][][]byte) map[string][][]byte {
	out := make(map[string][][]byte, len(keys))
	for format, files := range keys {
		out[format] = openFiles(files)
	}
	return out
}

// openFiles takes files out of what stands around them. What cannot be, is left for the plugin to refuse.
func openFiles(files [][]byte) [][]byte {
	out := make([][]byte, len(files))
	for i, f := range files {
		out[i] = f
		if opened, err := textlayer.Unwrap(f); err == nil {
			out[i] = opened
		}
	}
	return out
}
