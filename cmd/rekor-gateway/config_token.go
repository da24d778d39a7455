// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

func newConfigToken(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token for a caller, and print it once",
		Long: `token makes a bearer token for the caller NAME, and prints it on standard output, alone: it is shown once, and
kept nowhere. What the configuration needs of it, its SHA-256, is on standard error. With --path it is one for the path of a URL,
http://gateway/r/TOKEN/, for clients that send nothing else. docs/access.md has recipes.`,
		Example: `  rekor-gateway config token build-farm > token
  rekor-gateway config token build-service --path > path-token`,
		Args: oneArgument("the caller's name"),
	}
	inPath := c.Flags().Bool("path", false, "make one for the path of a URL")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := config.CheckName(args[0]); err != nil {
			return err
		}
		return makeToken(args[0], *inPath, g.isJSON(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// tokenSize is the size of a token's secret, in bytes.
const tokenSize = 32

func makeToken(name string, inPath, asJSON bool, out, info io.Writer) error {
	secret := make([]byte, tokenSize)
	_, _ = rand.Read(secret) // never fails
	token := auth.TokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	hash := auth.HashToken(token)
	key, jsonKey := "token_sha256", "tokenSha256"
	if inPath {
		key, jsonKey = "path_token_sha256", "pathTokenSha256"
	}
	if asJSON {
		return output.JSON(out, map[string]any{"caller": name, "token": token, jsonKey: hex.EncodeToString(hash[:])})
	}
	output.Line(info, "# for callers in the configuration:")
	output.Line(info, "  - name: %s", name)
	output.Line(info, "    tenant: %s", name)
	output.Line(info, "    %s: [%s]", key, hex.EncodeToString(hash[:]))
	output.Line(info, "    may: [submit, read]")
	output.Line(out, "%s", token)
	return nil
}
