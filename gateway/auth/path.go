// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"
)

// PathToken is what stood for a token in the path of a URL, /r/TOKEN/v1/submissions, once it was taken out. The token itself is
// nowhere then.
type PathToken struct {
	Hash [sha256.Size]byte
	// Malformed: what stood there is no token, or not in its place.
	Malformed bool
}

// pathPrefix is before a token in a path.
const pathPrefix = "/r/"

// TokenPrefix begins the tokens that rekor-gateway makes, so that scanners for leaked secrets, and we, know one.
const TokenPrefix = "rgw_"

// TakePathToken returns the token in path and the path without it, as in /r/TOKEN/REST and /REST. Both paths are url.URL's Path and
// RawPath. nil: there is none. Where something may be a token that is not in its place or not written plainly, it is malformed, and rest
// is "/": nothing of the path is to be shown then.
func TakePathToken(path, rawPath string) (_ *PathToken, rest string) {
	if !mayHaveToken(path) {
		return nil, path
	}
	token, rest, _ := strings.Cut(strings.TrimPrefix(path, pathPrefix), "/")
	rest = "/" + rest
	if rawPath != "" || !strings.HasPrefix(path, pathPrefix) || !isPathToken(token) || mayHaveToken(rest) || hasDots(path) {
		return &PathToken{Malformed: true}, "/"
	}
	return &PathToken{Hash: HashToken(token)}, rest
}

// maxUnescapes is how often an escape may be escaped before a path is taken for one that hides something.
const maxUnescapes = 3

// unescaper undoes the escapes, in lower case, by which a prefix can be hidden, and what is written for a slash by mistake. What else is
// malformed does not stop it.
var unescaper = strings.NewReplacer("%25", "%", "%2f", "/", "%5c", "/", `\`, "/", "%72", "r", "%52", "r")

// mayHaveToken finds the prefix anywhere, in any case, and where it is escaped again; and what is a token by its own beginning,
// wherever it is.
func mayHaveToken(path string) bool {
	path = strings.ToLower(path)
	for range maxUnescapes {
		unescaped := unescaper.Replace(path)
		if unescaped == path {
			return strings.Contains(path, pathPrefix) || strings.Contains(path, TokenPrefix)
		}
		path = unescaped
	}
	return true
}

// hasDots reports whether what comes after a segment may be in its place.
func hasDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// isPathToken reports whether a token is made of characters that are never escaped in a path (RFC 3986, unreserved).
func isPathToken(token string) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	return !strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
	})
}

type pathTokenKey struct{}

// WithPathToken returns a context of the request whose path had t.
func WithPathToken(ctx context.Context, t *PathToken) context.Context {
	return context.WithValue(ctx, pathTokenKey{}, t)
}

// PathTokenFrom returns what WithPathToken put into ctx, or nil.
func PathTokenFrom(ctx context.Context) *PathToken {
	t, _ := ctx.Value(pathTokenKey{}).(*PathToken)
	return t
}

func (t *Table) grantForPath(p PathToken, now time.Time) (*grant, error) {
	if p.Malformed {
		return nil, errBad
	}
	return t.grantForHash(t.pathTokens, p.Hash, now)
}
