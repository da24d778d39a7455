// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// connection says how a gateway is reached. The client's certificate is not --cert and --key: --key is the
// signer's key everywhere.
type connection struct {
	server, tokenFile, caFile string
	clientCert, clientKey     string
	oidc                      oidcFlags
}

func (n *connection) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&n.server, "server", "", "the gateway's `URL`: http(s)://… or grpc(s)://…; over gRPC, several HOST:PORT with commas between go around")
	c.Flags().StringVar(&n.tokenFile, "token-file", "", "`FILE` with the bearer token to send, read for each request")
	n.oidc.addFlags(c)
	c.Flags().StringVar(&n.caFile, "ca-file", "", "PEM `FILE` with the authorities that the gateway's certificate may be from; the system's when not given")
	c.Flags().StringVar(&n.clientCert, "client-cert", "", "PEM `FILE` with the certificate to show to the gateway")
	c.Flags().StringVar(&n.clientKey, "client-key", "", "PEM `FILE` with that certificate's private key")
}

// patience is how long an unreachable gateway is tried.
const patience = 15 * time.Second

// maxTokenSize bounds the token's file, in bytes.
const maxTokenSize = 16 << 10

// open returns a client. retrying is told of each wait for another try.
func (n *connection) open(patience time.Duration, retrying func(error, time.Duration)) (client.Client, error) {
	return n.openWith(gatewayclient.Retries{Patience: patience, Notify: retrying})
}

func (n *connection) openWith(retries gatewayclient.Retries) (client.Client, error) {
	if base, found := strings.CutSuffix(strings.TrimRight(n.server, "/"), "/v1/submissions"); found {
		return nil, withHint(fmt.Errorf("the server's URL %q ends in a path of the API", n.server), "name the gateway alone: --server %s", base)
	}
	if strings.Contains(n.server, "/r/"+auth.TokenPrefix) {
		return nil, withHint(errors.New("the server's URL has a token in its path, which would be printed with it, and is not enough for what this program asks"),
			"name the gateway alone, and a bearer token in a file: --token-file FILE")
	}
	log.SetOutput(io.Discard) // net/http's transport tells the standard logger what its error says as well
	o := client.Options{Retries: retries}
	if err := n.readToken(&o); err != nil {
		return nil, err
	}
	if err := n.readAuthorities(&o); err != nil {
		return nil, err
	}
	if (n.clientCert == "") != (n.clientKey == "") {
		return nil, withHint(errors.New("--client-cert and --client-key go together"), "name both, in PEM: --client-cert FILE --client-key FILE")
	}
	if n.clientCert != "" {
		own, err := tls.LoadX509KeyPair(n.clientCert, n.clientKey)
		if err != nil {
			return nil, withHint(fmt.Errorf("reading the client's certificate: %w", err), "name both, in PEM: --client-cert FILE --client-key FILE")
		}
		o.Certificate = &own
	}
	remote, err := client.New(n.server, o)
	if err != nil {
		return nil, withHint(err, "write it as --server http://127.0.0.1:8080, or https, grpc, grpcs://HOST:PORT")
	}
	if n.oidc.isGiven() {
		remote = explaining{remote, o.Token}
	}
	return remote, nil
}

func (n *connection) readToken(o *client.Options) error {
	if n.oidc.isGiven() {
		return n.findToken(o)
	}
	if n.tokenFile == "" {
		return nil
	}
	token := func(context.Context) (string, error) {
		token, err := readTokenFile(n.tokenFile)
		if err != nil {
			return "", &client.TokenError{Err: err}
		}
		return token, nil
	}
	if _, err := token(context.Background()); err != nil {
		return err
	}
	o.Token = token
	return nil
}

// readTokenFile is called for each request: a token may be replaced while a command runs.
func readTokenFile(path string) (string, error) {
	raw, err := input.ReadFile(path, maxTokenSize)
	if err != nil {
		return "", err
	}
	token := bytes.TrimSpace(raw)
	if len(token) == 0 || bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", withHint(fmt.Errorf("there is no token in %s", path), "the file should hold the token alone, on one line")
	}
	return string(token), nil
}

func (n *connection) readAuthorities(o *client.Options) error {
	if n.caFile == "" {
		return nil
	}
	raw, err := input.ReadFile(n.caFile, maxAuthorities)
	if err != nil {
		return err
	}
	o.RootCAs = x509.NewCertPool()
	if !o.RootCAs.AppendCertsFromPEM(raw) {
		return withHint(errors.New("there is no certificate in "+n.caFile), "it should hold the authority's certificate in PEM")
	}
	return nil
}

// maxAuthorities bounds the file of authorities, in bytes.
const maxAuthorities = 4 << 20

// command is a command of this program, to the same gateway.
func (n *connection) command(name string) receipt.Command {
	c := receipt.Command{programName(), name, "--server", n.server}
	for _, flag := range [][2]string{{"--token-file", n.tokenFile}, {"--ca-file", n.caFile}, {"--client-cert", n.clientCert}, {"--client-key", n.clientKey}} {
		if flag[1] != "" {
			c = append(c, flag[0], flag[1])
		}
	}
	return append(c, n.oidc.listFlags()...)
}

// programName is how this program was called, so that what is printed can be pasted.
func programName() string { return os.Args[0] }
