// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/ambient"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
)

// oidcFlags say which OpenID Connect token is sent.
type oidcFlags struct {
	ambient                  bool
	audience, variable, file string
}

func (f *oidcFlags) addFlags(c *cobra.Command) {
	c.Flags().BoolVar(&f.ambient, "oidc", false, "send the OpenID Connect token of this CI job: GitHub Actions', or the one in $"+ambient.SigstoreToken)
	c.Flags().StringVar(&f.audience, "oidc-audience", "", "the token's `AUDIENCE`, as the gateway's configuration has it; another one is not sent")
	c.Flags().StringVar(&f.variable, "oidc-env", "", "environment variable `NAME` with the token")
	c.Flags().StringVar(&f.file, "oidc-file", "", "`FILE` with the token, read for each request: one that Kubernetes projects into a pod")
}

func (f *oidcFlags) isGiven() bool { return f.ambient || f.variable != "" || f.file != "" }

// listFlags are those of a command that sends the same token.
func (f *oidcFlags) listFlags() (words []string) {
	if f.ambient {
		words = append(words, "--oidc")
	}
	for _, flag := range [][2]string{{"--oidc-audience", f.audience}, {"--oidc-env", f.variable}, {"--oidc-file", f.file}} {
		if flag[1] != "" {
			words = append(words, flag[0], flag[1])
		}
	}
	return words
}

// findTimeout bounds finding the token the first time.
const findTimeout = time.Minute

// findToken finds the token once, so that what is wrong is told before anything is sent.
func (n *connection) findToken(o *client.Options) error {
	f := n.oidc
	if n.tokenFile != "" {
		return withHint(errors.New("there are two tokens: --token-file, and --oidc"), "send one alone")
	}
	if f.audience == "" {
		return withHint(errors.New("--oidc-audience is missing"), "name the audience that the gateway's configuration has: --oidc-audience AUDIENCE")
	}
	source, err := ambient.Find(ambient.Options{Audience: f.audience, Variable: f.variable, File: f.file})
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), findTimeout)
		defer cancel()
		_, err = source(ctx)
	}
	switch {
	case errors.Is(err, ambient.ErrAudience):
		return withHint(err, "the job's token, --oidc-audience and the gateway's configuration (callers[].oidc.audience) have to name the same audience")
	case errors.Is(err, fs.ErrNotExist):
		return withHint(err, "check the file's name")
	case err != nil:
		return withHint(err, "the job needs permissions: id-token: write (GitHub), id_tokens (GitLab), or name the token: --oidc-env NAME, --oidc-file FILE")
	}
	o.Token = source
	return nil
}
