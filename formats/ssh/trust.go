// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"bytes"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxSameKey bounds how many lines about one key are looked at.
const maxSameKey = 16

// trust is why a signature's key counts: the line that names it, and what was checked.
type trust struct {
	line     []byte // of the same outcome, without principals and comment
	checks   []string
	notes    []string
	findings []formats.Finding
}

// findSigner looks for a line that names the signature's key, or its certificate's
// authority, and admits it. A line without findings wins over one with.
func findSigner(m *formats.Meter, sig *signature, submitted [][]byte, p formats.Policy) (*trust, error) {
	candidates := p.CandidateKeys(name, submitted)
	entries, err := parseEntries(m.ForKeys(p, name), candidates)
	if err != nil {
		return nil, p.ExplainKeys(name, err)
	}
	if len(entries) == 0 {
		return nil, formats.NewError(formats.ReasonMissingKey, "there is no public key: the one inside the signature proves only that somebody signed",
			"send the signer's .pub file or an allowed_signers file")
	}
	var found *trust
	var refusal error
	for _, e := range findEntries(entries, sig) {
		t, err := e.admitSignature(m, sig, p)
		switch reason := formats.ReasonOf(err); {
		case reason == formats.ReasonTooMuchWork, err != nil && reason == "":
			return nil, err
		case err == nil && (found == nil || len(t.findings) == 0 && len(found.findings) > 0):
			found = t
		case err != nil && refusal == nil:
			refusal = err
		}
	}
	switch {
	case found != nil:
		return found, nil
	case refusal != nil:
		return nil, refusal
	}
	return nil, errMismatch(sig, len(p.Keys[name]) > 0)
}

// findEntries returns the lines about the signature's key or authority.
func findEntries(entries []entry, sig *signature) []entry {
	wanted := sig.key
	if sig.cert != nil {
		wanted = sig.cert.SignatureKey
	}
	wire := wanted.Marshal()
	var found []entry
	for _, e := range entries {
		if e.authority == (sig.cert != nil) && bytes.Equal(e.key.Marshal(), wire) && len(found) < maxSameKey {
			found = append(found, e)
		}
	}
	return found
}

func errMismatch(sig *signature, policy bool) error {
	fingerprint := xssh.FingerprintSHA256(sig.key)
	switch {
	case policy:
		return formats.NewError(formats.ReasonKeyNotTrusted, "the key "+fingerprint+" is not among this gateway's allowed signers",
			"ask the gateway's operator to add your public key")
	case sig.cert != nil:
		return formats.NewError(formats.ReasonKeyMismatch, "the signature was made with a certificate whose authority is not among the keys sent",
			"send the authority's key in an allowed_signers line: PRINCIPALS cert-authority KEY")
	}
	return formats.NewError(formats.ReasonKeyMismatch, "the signature was made by the key "+fingerprint+", which is not among the keys sent",
		"send the public key with this fingerprint (ssh-keygen -l -f FILE)")
}

// allowsNamespace reports whether the line lets its key sign for namespace.
func (e entry) allowsNamespace(m *formats.Meter, namespace string) (bool, error) {
	if e.namespaces == "" {
		return true, nil
	}
	return matchList(m, namespace, e.namespaces)
}

// admitSignature applies the line's conditions to the signature.
func (e entry) admitSignature(m *formats.Meter, sig *signature, p formats.Policy) (*trust, error) {
	t := &trust{line: e.encodeMinimal(), checks: []string{"namespace", "signature"}}
	if allowed, err := e.allowsNamespace(m, sig.namespace); err != nil {
		return nil, err
	} else if !allowed {
		return nil, formats.NewError(formats.ReasonNamespaceRefused, "the allowed_signers line of this key does not allow the signature's namespace",
			"sign with a namespace that the line names: ssh-keygen -Y sign -n NAMESPACE")
	}
	if !e.after.IsZero() || !e.before.IsZero() {
		if err := t.checkValidity("the allowed_signers line of this key", e.after, e.before, p); err != nil {
			return nil, err
		}
		t.checks = append(t.checks, "key-validity")
	}
	if sig.sk != nil {
		t.checks = append(t.checks, "user-presence")
	}
	if sig.cert == nil {
		return t, nil
	}
	if err := t.checkCertificate(m, sig, e.principals, p); err != nil {
		return nil, err
	}
	return t, nil
}

// checkValidity judges a period at the policy's time, as a signature states none. The zero
// times stand for no limit.
func (t *trust) checkValidity(what string, after, before time.Time, p formats.Policy) error {
	switch {
	case !after.IsZero() && p.Now.Before(after):
		return formats.NewError(formats.ReasonKeyNotValid, what+" is not valid yet", "submit again when it is")
	case before.IsZero() || p.Now.Before(before):
		return nil
	case p.Allows(formats.ExceptionExpiredKey):
		t.findings = append(t.findings, formats.Finding{Reason: formats.ReasonKeyExpired, Message: what + " has expired", Exception: formats.ExceptionExpiredKey})
		return nil
	}
	return formats.NewError(formats.ReasonKeyExpired, what+" has expired", "sign with a key that is valid now")
}
