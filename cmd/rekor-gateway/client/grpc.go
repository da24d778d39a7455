// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
)

// grpcClient is a gateway over gRPC.
type grpcClient struct{ *gatewayclient.Client }

func newGRPC(u *url.URL, o Options) (Client, error) {
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("the gRPC URL %q has a path", u)
	}
	cfg := gatewayclient.Config{Addresses: strings.Split(u.Host, ","), Retries: o.Retries, OmitReceiptJSON: true}
	secure := u.Scheme == "grpcs"
	if secure {
		cfg.TLS = o.tlsConfig()
	}
	if o.Token != nil {
		cfg.Credentials = bearer{o.Token, secure}
	}
	direct, err := gatewayclient.New(cfg)
	if err != nil {
		return nil, err
	}
	return grpcClient{direct}, nil
}

// bearer sends a token with each call.
type bearer struct {
	token  func(context.Context) (string, error)
	secure bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. New lets a token go without only
// on this machine.
func (b bearer) RequireTransportSecurity() bool { return b.secure }

// TrustFiles returns ErrNoTrustFiles: they are files, and have no call.
func (grpcClient) TrustFiles(context.Context) (TrustFiles, error) {
	return TrustFiles{}, fmt.Errorf("%w over gRPC", ErrNoTrustFiles)
}
