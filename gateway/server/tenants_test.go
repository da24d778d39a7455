// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// sameSignature is over sameText: whoever sends it sends the same.
const sameText = "the same"

var sameSignature = must(key.Sign(rand.Reader, digestOfSame[:], crypto.SHA256))

var digestOfSame = sha256.Sum256([]byte(sameText))

// sameHeader is what both parties send, with a label of p's own.
func sameHeader(p *party) *pb.SubmissionHeader {
	h := signedBytes([]byte(sameText)).Header
	h.Signature, h.Labels = sameSignature, map[string]string{"secret": p.label}
	return h
}

// sameRekor is what both send on Rekor's own route.
var sameRekor = string(must(protojson.Marshal(wrapRekor(signRekor(sameText)))))

// party is a tenant, with all of what he has stored.
type party struct {
	name   string // the caller's
	label  string
	id     string
	leaves []string // in hexadecimal
}

// postBy is a request of p's for a route that takes a submission.
func (r *running) postBy(p *party, path, text string) (int, string) {
	r.t.Helper()
	signature := sameSignature
	if text != sameText {
		signature = signedBytes([]byte(text)).Header.GetSignature()
	}
	body := must(json.Marshal(map[string]any{
		"signature": signature, "keys": sameHeader(p).GetKeys(), "artifact": []byte(text), "representation": "ATTESTED", "labels": map[string]string{"secret": p.label},
	}))
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+path, bytes.NewReader(body)))
	request.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(path, ":batch") {
		request.Header.Set("Content-Type", "application/x-ndjson")
	}
	request.Header.Set("Authorization", bearer(p.name))
	resp := must(http.DefaultClient.Do(request))
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
}

// routesByTenant are requests of the asking party about what the owner has, for each HTTP route that shows something of tenants, and
// what he is answered. Other routes are told why they need none: a new one needs a line.
var routesByTenant = map[string]func(r *running, asking, owner *party) (status int, text string){
	"POST /v1/submissions": func(r *running, asking, _ *party) (int, string) { return r.postBy(asking, "/v1/submissions", sameText) },
	"POST /v1/submissions:batch": func(r *running, asking, _ *party) (int, string) {
		return r.postBy(asking, "/v1/submissions:batch", sameText)
	},
	"POST /v1/submissions:plan": func(r *running, asking, _ *party) (int, string) {
		return r.postBy(asking, "/v1/submissions:plan", sameText)
	},
	"GET /v1/submissions": func(r *running, asking, owner *party) (int, string) {
		return r.ask("GET /v1/submissions", bearer(asking.name), owner.id)
	},
	"GET /v1/submissions/{id}": func(r *running, asking, owner *party) (int, string) {
		return r.ask("GET /v1/submissions/{id}", bearer(asking.name), owner.id)
	},
	"GET /v1/submissions/{id}/receipt": func(r *running, asking, owner *party) (int, string) {
		return r.ask("GET /v1/submissions/{id}/receipt", bearer(asking.name), owner.id)
	},
	"GET /v1/statements/{leaf}": func(r *running, asking, owner *party) (int, string) {
		return r.ask("GET /v1/statements/{leaf}", bearer(asking.name), owner.leaves[0])
	},
	"GET /v1/audit": func(r *running, asking, _ *party) (int, string) {
		return r.ask("GET /v1/audit", bearer(asking.name), "")
	},
	"POST /api/v2/log/entries": func(r *running, asking, _ *party) (int, string) {
		code, said, _ := r.postRekor(sameRekor, "Authorization", bearer(asking.name))
		return code, fmt.Sprint(said)
	},
	// There is no log of Rekor v1 here: TestRekorV1Tenants.
	"POST /api/v1/log/entries": nil, "POST /api/v1/index/retrieve": nil,
	// A log shows everybody the same.
	"GET /api/v1/log/entries": nil, "GET /api/v1/log/entries/{id}": nil, "POST /api/v1/log/entries/retrieve": nil,
	"GET /api/v1/log": nil, "GET /api/v1/log/publicKey": nil, "GET /api/v1/log/proof": nil, "GET /ping": nil,
	"GET /api/v2/checkpoint": nil, "GET /api/v2/tile/{level}/{index...}": nil, "GET /api/v2/tile/entries/{index...}": nil,
	"GET /v1/formats": nil, "GET /healthz": nil, "GET /readyz": nil, "GET /openapi.json": nil, // the same for everybody
	"GET /.well-known/rekor-gateway/trusted_root.json": nil, "GET /.well-known/rekor-gateway/gateway_trust.json": nil, // the gateway's
	// The own log is public, as any transparency log is: bodies of records, which name no tenant.
	"GET /own/{tree}/checkpoint": nil, "GET /own/{tree}/tile/{level}/{index...}": nil, "GET /own/{tree}/tile/entries/{index...}": nil,
}

// callsByTenant are the same for gRPC.
var callsByTenant = map[string]func(r *running, c pb.GatewayServiceClient, asking, owner *party) (proto.Message, error){
	pb.GatewayService_Submit_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		stream := must(c.Submit(r.as(asking)))
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: sameHeader(asking)}}})
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: []byte(sameText)}})
		return stream.CloseAndRecv()
	},
	pb.GatewayService_SubmitBatch_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		stream := must(c.SubmitBatch(r.as(asking)))
		_ = stream.Send(&pb.SubmitBatchRequest{Header: sameHeader(asking), Artifact: []byte(sameText)})
		_ = stream.CloseSend()
		return stream.Recv()
	},
	pb.GatewayService_Plan_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		return c.Plan(r.as(asking), &pb.PlanRequest{Header: sameHeader(asking)})
	},
	pb.GatewayService_GetSubmission_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, owner *party) (proto.Message, error) {
		return c.GetSubmission(r.as(asking), &pb.GetSubmissionRequest{Id: owner.id})
	},
	pb.GatewayService_GetSubmissions_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, owner *party) (proto.Message, error) {
		return must(c.GetSubmissions(r.as(asking), &pb.GetSubmissionsRequest{Ids: []string{owner.id}})).Recv()
	},
	pb.GatewayService_ListSubmissions_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		return c.ListSubmissions(r.as(asking), &pb.ListSubmissionsRequest{})
	},
	pb.GatewayService_WatchSubmission_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, owner *party) (proto.Message, error) {
		return must(c.WatchSubmission(r.as(asking), &pb.WatchSubmissionRequest{Id: owner.id})).Recv()
	},
	pb.GatewayService_ListAudit_FullMethodName: func(r *running, c pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		return c.ListAudit(r.as(asking), &pb.ListAuditRequest{})
	},
	rekorv2pb.Rekor_CreateEntry_FullMethodName: func(r *running, _ pb.GatewayServiceClient, asking, _ *party) (proto.Message, error) {
		remote, _ := r.dialRekor()
		request := new(rekorv2pb.CreateEntryRequest)
		if err := protojson.Unmarshal([]byte(sameRekor), request); err != nil {
			return nil, err
		}
		return remote.CreateEntry(r.as(asking), request)
	},
	rekorv2pb.Rekor_GetCheckpoint_FullMethodName: nil, rekorv2pb.Rekor_GetTile_FullMethodName: nil, rekorv2pb.Rekor_GetEntryBundle_FullMethodName: nil,
	pb.GatewayService_ListFormats_FullMethodName: nil,
	"/grpc.health.v1.Health/Check":               nil, "/grpc.health.v1.Health/List": nil, "/grpc.health.v1.Health/Watch": nil,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      nil,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": nil,
}

// TestTenantsAreApart: whatever a tenant asks of what another one has, he is answered as somebody who asks for what is not there, and
// nothing of the other's is in any answer, also where both have sent the same.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel() // it mostly waits
	t.Run("sqlite", func(t *testing.T) { checkTenantsAreApart(t, newConfig(t)) })
	t.Run("postgres", func(t *testing.T) {
		cfg := newConfig(t)
		cfg.Store = config.Store{Postgres: config.Postgres{DSN: postgrestest.Shared(t).NewDatabase(t, ""), MaxConnections: 16}}
		checkTenantsAreApart(t, cfg)
	})
}

func checkTenantsAreApart(t *testing.T, cfg *config.Config) {
	r := run(t, withCallers(cfg, map[string][]string{"red": {"submit", "read", "audit"}, "blue": {"submit", "read", "audit"}}))
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	remote := pb.NewGatewayServiceClient(conn)
	red, blue := r.newParty("red"), r.newParty("blue")
	if red.id == blue.id {
		t.Fatal("what both have sent is one submission")
	}
	for _, pair := range [][2]*party{{red, blue}, {blue, red}} {
		asking, owner := pair[0], pair[1]
		absent := &party{id: "0196f0a0-0000-7000-8000-000000000000", leaves: []string{strings.Repeat("0", 64)}}
		routes, calls := r.listRights()
		for route := range routes {
			ask, listed := routesByTenant[route]
			if !listed {
				t.Errorf("%s has no line in routesByTenant", route)
			}
			if ask == nil {
				continue
			}
			if status, text := ask(r, owner, owner); status >= 300 {
				t.Errorf("%s by whose it is: %d %s", route, status, text)
			}
			status, text := ask(r, asking, owner)
			without, withoutText := ask(r, asking, absent)
			if status != without || status >= 400 && text != withoutText {
				t.Errorf("%s: %d %s, and where nothing is there %d %s", route, status, text, without, withoutText)
			}
			owner.checkAbsent(t, route, text)
		}
		for method := range calls {
			call, listed := callsByTenant[method]
			if !listed {
				t.Errorf("%s has no line in callsByTenant", method)
			}
			if call == nil {
				continue
			}
			if _, err := call(r, remote, owner, owner); err != nil {
				t.Errorf("%s by whose it is: %v", method, err)
			}
			answer, err := call(r, remote, asking, owner)
			_, without := call(r, remote, asking, absent)
			if fmt.Sprint(err) != fmt.Sprint(without) {
				t.Errorf("%s: %v, and where nothing is there %v", method, err, without)
			}
			if err == nil {
				owner.checkAbsent(t, method, protojson.Format(answer))
			}
		}
	}
}

// as is the context of a call of p's.
func (r *running) as(p *party) context.Context {
	return metadata.AppendToOutgoingContext(r.t.Context(), "authorization", bearer(p.name))
}

// newParty has stored something of its own, and something that others have as well.
func (r *running) newParty(name string) *party {
	r.t.Helper()
	p := &party{name: name, label: "label-of-" + name}
	if status, text := r.postBy(p, "/v1/submissions", "of "+name); status != 201 {
		r.t.Fatalf("%d %s", status, text)
	}
	status, text := r.postBy(p, "/v1/submissions", sameText)
	var sub struct {
		ID      string
		Entries []struct{ LeafHash string }
	}
	if err := json.Unmarshal([]byte(text), &sub); err != nil || status != 201 {
		r.t.Fatalf("%d %s: %v", status, text, err)
	}
	p.id = sub.ID
	for _, e := range sub.Entries {
		p.leaves = append(p.leaves, e.LeafHash)
	}
	return p
}

// checkAbsent: nothing that only p has is in an answer.
func (p *party) checkAbsent(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{p.id, p.label, p.name + "-tenant"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s tells %s of %s:\n%s", where, secret, p.name, text)
		}
	}
}
