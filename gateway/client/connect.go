// SPDX-License-Identifier: Apache-2.0

package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // client-side health checks
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const dnsScheme = "dns:///"

// listScheme is the scheme of a list of addresses. It is seen in gRPC's own log only.
const listScheme = "rekor-gateway"

// connectOptions are those that the addresses do not matter for.
func connectOptions(cfg Config) []grpc.DialOption {
	secure := insecure.NewCredentials()
	if cfg.TLS != nil {
		config := cfg.TLS.Clone()
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
		secure = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxAnswer)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 250 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 10 * time.Second},
			MinConnectTimeout: 10 * time.Second,
		}),
	}
	if cfg.Credentials != nil {
		options = append(options, grpc.WithPerRPCCredentials(cfg.Credentials))
	}
	return options
}

// goAround has gRPC spread calls over all addresses that say that the gateway's service is there.
var goAround = grpc.WithDefaultServiceConfig(`{
	"loadBalancingConfig": [{"round_robin": {}}],
	"healthCheckConfig": {"serviceName": "` + pb.GatewayService_ServiceDesc.ServiceName + `"}
}`)

// chooseTarget returns what gRPC calls, and how it chooses among several addresses.
func chooseTarget(cfg Config) (target string, balancing []grpc.DialOption, err error) {
	addresses := cfg.Addresses
	switch {
	case len(addresses) == 0:
		return "", nil, errors.New("no address of a gateway is given")
	case len(addresses) == 1 && strings.HasPrefix(addresses[0], dnsScheme):
		return addresses[0], []grpc.DialOption{goAround}, checkName(strings.TrimPrefix(addresses[0], dnsScheme))
	case len(addresses) == 1:
		return dnsScheme + addresses[0], nil, checkName(addresses[0])
	}
	var state resolver.State
	for _, a := range addresses {
		if err := checkAddress(a); err != nil {
			return "", nil, err
		}
		host, _, _ := net.SplitHostPort(a)
		if cfg.TLS != nil && cfg.TLS.ServerName != "" { // gRPC heeds it only where an address has no name
			host = ""
		}
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a, ServerName: host}}})
	}
	list := manual.NewBuilderWithScheme(listScheme)
	list.InitialState(state)
	return listScheme + ":///gateway", []grpc.DialOption{goAround, grpc.WithResolvers(list)}, nil
}

// checkName is for one address: gRPC takes port 443 where there is none.
func checkName(a string) error {
	if a == "" || strings.Contains(a, "/") {
		return fmt.Errorf("the address %q is not HOST:PORT", a)
	}
	return nil
}

func checkAddress(a string) error {
	if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" || strings.Contains(a, "/") {
		return fmt.Errorf("the address %q is not HOST:PORT", a)
	}
	return nil
}
