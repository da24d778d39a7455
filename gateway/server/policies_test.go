// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// signedFile is a real signature with its key and what it signs, of the formats' test data.
type signedFile struct{ signature, key, artifact []byte }

// signedFiles are files of several formats and kinds, of which policies take some.
func signedFiles(t *testing.T) map[string]signedFile {
	t.Helper()
	read := func(name string) []byte {
		if name == "" {
			return nil
		}
		return must(os.ReadFile(filepath.Join("../../formats", filepath.FromSlash(name))))
	}
	files := map[string]signedFile{}
	for name, f := range map[string][3]string{
		"pgp":         {"pgp/testdata/p256.sig", "pgp/testdata/p256.key", "pgp/testdata/artifact"},
		"pgp sha1":    {"pgp/testdata/sha1.sig", "pgp/testdata/rsa2048.key", "pgp/testdata/artifact"},
		"x509":        {"x509/testdata/p256.sig", "x509/testdata/p256.pem", "x509/testdata/artifact.bin"},
		"certificate": {"x509/testdata/p256.sig", "x509/testdata/p256-chain.pem", "x509/testdata/artifact.bin"},
	} {
		files[name] = signedFile{read(f[0]), read(f[1]), read(f[2])}
	}
	return files
}

// policyWays are all ways in for a submission. Each returns the reason of the refusal, or "", and the id where there is one.
var policyWays = map[string]func(r *running, remote pb.GatewayServiceClient, by string, f signedFile) (reason, id string){
	"POST /v1/submissions": func(r *running, _ pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		return r.postFile(by, "/v1/submissions", f)
	},
	"POST /v1/submissions:plan": func(r *running, _ pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		return r.postFile(by, "/v1/submissions:plan", f)
	},
	"POST /v1/submissions:batch": func(r *running, _ pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		fields := map[string]any{"signature": f.signature, "artifact": f.artifact}
		if f.key != nil {
			fields["keys"] = [][]byte{f.key}
		}
		request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions:batch", bytes.NewReader(must(json.Marshal(fields)))))
		request.Header.Set("Content-Type", "application/x-ndjson")
		request.Header.Set("Authorization", bearer(by))
		resp := must(http.DefaultClient.Do(request))
		defer resp.Body.Close()
		var line struct {
			Problem    struct{ Reason string }
			Submission struct{ ID string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&line); err != nil || resp.StatusCode != http.StatusOK {
			r.t.Fatalf("%d: %v", resp.StatusCode, err)
		}
		return line.Problem.Reason, line.Submission.ID
	},
	"Submit": func(r *running, remote pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		stream := must(remote.Submit(r.asCaller(by)))
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: f.header()}}})
		_ = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: f.artifact}})
		got, err := stream.CloseAndRecv()
		return reasonOf(r.t, err), got.GetSubmission().GetId()
	},
	"SubmitBatch": func(r *running, remote pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		stream := must(remote.SubmitBatch(r.asCaller(by)))
		_ = stream.Send(&pb.SubmitBatchRequest{Header: f.header(), Artifact: f.artifact})
		_ = stream.CloseSend()
		got := must(stream.Recv())
		return got.GetProblem().GetReason(), got.GetSubmission().GetId()
	},
	"Plan": func(r *running, remote pb.GatewayServiceClient, by string, f signedFile) (string, string) {
		answer, err := remote.Plan(r.asCaller(by), &pb.PlanRequest{Header: f.header()})
		plan := answer.GetPlan()
		return planReason(plan.GetChosen(), func() string {
			for _, o := range plan.GetOptions() {
				if o.GetProblem().GetReason() == "REPRESENTATION_NOT_ALLOWED" {
					return o.GetProblem().GetReason()
				}
			}
			return reasonOf(r.t, err)
		}), ""
	},
}

func planReason(chosen receiptpb.Receipt_Representation, refusal func() string) string {
	if chosen != receiptpb.Receipt_REPRESENTATION_UNSPECIFIED {
		return ""
	}
	return refusal()
}

func (f signedFile) header() *pb.SubmissionHeader {
	return &pb.SubmissionHeader{Signature: f.signature, Keys: [][]byte{f.key}}
}

// reasonOf returns the reason of a call's refusal.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	t.Errorf("no reason in %v", err)
	return ""
}

// postFile sends f to a route, which takes no artifact where it plans.
func (r *running) postFile(by, path string, f signedFile) (reason, id string) {
	r.t.Helper()
	fields := map[string]any{"signature": f.signature}
	if f.key != nil {
		fields["keys"] = [][]byte{f.key}
	}
	if !strings.HasSuffix(path, "plan") {
		fields["artifact"] = f.artifact
	}
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+path, bytes.NewReader(must(json.Marshal(fields)))))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", bearer(by))
	resp := must(http.DefaultClient.Do(request))
	defer resp.Body.Close()
	var body struct {
		Reason, ID, Chosen string
		Options            []struct{ Problem struct{ Reason string } }
	}
	raw := must(io.ReadAll(resp.Body))
	if err := json.Unmarshal(raw, &body); err != nil {
		r.t.Fatalf("%d %s: %v", resp.StatusCode, raw, err)
	}
	if body.Reason == "" && strings.HasSuffix(path, "plan") && (body.Chosen == "" || strings.HasSuffix(body.Chosen, "UNSPECIFIED")) {
		for _, o := range body.Options {
			if o.Problem.Reason == "REPRESENTATION_NOT_ALLOWED" {
				return o.Problem.Reason, ""
			}
		}
	}
	return body.Reason, body.ID
}

// withPolicies has callers, all of one tenant, with a policy each. "standard" names none.
func withPolicies(cfg *config.Config, policies map[string]config.Policy) *config.Config {
	cfg.Callers, cfg.Policies = nil, policies
	add := func(name, policy string) {
		cfg.Callers = append(cfg.Callers, config.Caller{Name: name, Tenant: "one", TokenSHA256: []string{tokenHash(name + "-token")}, May: []string{"submit", "read"}, Policy: policy})
	}
	add("standard", "")
	for name := range policies {
		add(name, name)
	}
	return cfg
}

// TestPoliciesOfCallers: over every way in, each caller is held to his own policy, by which real files pass or not, also when
// the same was recorded for another caller of the tenant. Where the outcome is the same it is the same submission.
func TestPoliciesOfCallers(t *testing.T) {
	t.Parallel() // it mostly waits
	t.Run("sqlite", func(t *testing.T) { checkPoliciesOfCallers(t, newConfig(t)) })
	t.Run("postgres", func(t *testing.T) {
		cfg := newConfig(t)
		cfg.Store = config.Store{Postgres: config.Postgres{DSN: postgrestest.Shared(t).NewDatabase(t, ""), MaxConnections: 16}}
		checkPoliciesOfCallers(t, cfg)
	})
}

func checkPoliciesOfCallers(t *testing.T, cfg *config.Config) {
	r := run(t, withPolicies(cfg, map[string]config.Policy{
		"pgp-alone":  {Formats: []string{"pgp"}},
		"historical": {Formats: []string{"pgp"}, Historical: config.Historical{Allow: []string{"SHA1"}}},
		"too-late":   {Historical: config.Historical{Allow: []string{"SHA1"}, SignedBefore: "1990-01-01"}},
		"one-key":    {Keys: map[string][]string{"x509": {"../../formats/x509/testdata/p384.pem"}}},
		"native":     {Representations: []string{"NATIVE"}},
		"lax":        {Historical: config.Historical{Allow: []string{"DSA", "V3"}}, Representations: []string{"NATIVE", "PROJECTED", "ATTESTED"}},
	}))
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	remote, files, ids := pb.NewGatewayServiceClient(conn), signedFiles(t), map[string]string{}
	refusals := map[string]map[string]string{ // by the caller and the file; what is not here passes
		"standard":   {"pgp sha1": "WEAK_ALGORITHM"},
		"pgp-alone":  {"pgp sha1": "WEAK_ALGORITHM", "x509": "FORMAT_NOT_ALLOWED", "certificate": "FORMAT_NOT_ALLOWED"},
		"historical": {"x509": "FORMAT_NOT_ALLOWED", "certificate": "FORMAT_NOT_ALLOWED"},
		"too-late":   {"pgp sha1": "WEAK_ALGORITHM"},
		"one-key":    {"pgp sha1": "WEAK_ALGORITHM", "x509": "KEY_NOT_TRUSTED", "certificate": "KEY_NOT_TRUSTED"},
		"native":     {"pgp": "REPRESENTATION_NOT_ALLOWED", "pgp sha1": "WEAK_ALGORITHM"},
		"lax":        {"pgp sha1": "WEAK_ALGORITHM"},
	}
	for round := range 2 { // the second time everything is a repeat
		for caller, refused := range refusals {
			for name, file := range files {
				for way, send := range policyWays {
					reason, id := send(r, remote, caller, file)
					if reason != refused[name] || reason != "" && id != "" {
						t.Errorf("round %d: %s by %s, %s: %q %s, want %q", round, name, caller, way, reason, id, refused[name])
					}
					if before := ids[name]; id != "" && before != "" && before != id {
						t.Errorf("%s by %s, %s: it is a submission of its own", name, caller, way)
					}
					if id != "" {
						ids[name] = id
					}
				}
			}
		}
	}
}

// asCaller is the context of a call by the named caller.
func (r *running) asCaller(name string) context.Context {
	return metadata.AppendToOutgoingContext(r.t.Context(), "authorization", bearer(name))
}

// TestReloadPolicies: callers and policies are read again together, or not at all. A repeat is judged by the policy of the moment,
// and what was accepted before goes on.
func TestReloadPolicies(t *testing.T) {
	t.Parallel()
	cfg := withPolicies(newConfig(t), map[string]config.Policy{"changing": {}})
	r := run(t, cfg)
	files := signedFiles(t)
	send := func(by, name, want string) (id string) {
		t.Helper()
		reason, id := r.postFile(by, "/v1/submissions", files[name])
		if reason != want {
			t.Errorf("%s by %s: %q, want %q", name, by, reason, want)
		}
		return id
	}
	id := send("changing", "x509", "")
	strict := *cfg
	withPolicies(&strict, map[string]config.Policy{"changing": {Formats: []string{"pgp"}}})
	if err := r.ReloadCallers(t.Context(), &strict); err != nil {
		t.Fatal(err)
	}
	send("changing", "x509", "FORMAT_NOT_ALLOWED")
	if again := send("standard", "x509", ""); again != id {
		t.Errorf("whose policy takes it gets %s, which is not %s", again, id)
	}
	if code, text := r.ask("GET /v1/submissions/{id}/receipt", bearer("changing"), id); code != 200 {
		t.Errorf("what was accepted under the old policy: %d %s", code, text)
	}
	broken := filepath.Join(t.TempDir(), "broken.asc")
	if err := os.WriteFile(broken, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		policies map[string]config.Policy
		change   func(*config.Config)
		want     string
	}{
		"a faulty key":      {map[string]config.Policy{"changing": {Keys: map[string][]string{"pgp": {broken}}}}, nil, "policies.changing.keys.pgp: " + broken + ": line 1: "},
		"a folder":          {map[string]config.Policy{"changing": {Roots: []string{t.TempDir()}}}, nil, "is not a file"},
		"an unknown format": {map[string]config.Policy{"changing": {Formats: []string{"pgq"}}}, nil, `policies.changing.formats[0]: "pgq" is not one of`},
		"an unknown name":   {map[string]config.Policy{"changing": {}}, func(c *config.Config) { c.Callers[0].Policy = "gone" }, `callers[0] (standard): policy: "gone" is not one of changing`},
		"an unknown log":    {map[string]config.Policy{"changing": {Logs: config.LogSet{List: []string{"next"}}}}, nil, `policies.changing.logs.list[0]: "next" is not one of test`},
	} {
		faulty := strict
		withPolicies(&faulty, c.policies)
		faulty.Callers = append(faulty.Callers, config.Caller{Name: "new", Tenant: "one", TokenSHA256: []string{tokenHash("new-token")}, May: []string{"read"}})
		if c.change != nil {
			c.change(&faulty)
		}
		for what, err := range map[string]error{"callers": r.ReloadCallers(t.Context(), &faulty), "all": r.Reload(t.Context(), &faulty)} {
			if err == nil || what == "callers" && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, reading %s again: %v, want %q", name, what, err, c.want)
			}
		}
		if code, _ := r.ask("GET /v1/submissions", bearer("new"), ""); code != 401 {
			t.Errorf("%s: the new caller is let in: %d", name, code)
		}
		send("changing", "x509", "FORMAT_NOT_ALLOWED")
		send("standard", "x509", "")
	}
	later := strict
	withPolicies(&later, map[string]config.Policy{"changing": {Logs: config.LogSet{List: []string{"next"}}}})
	later.Logs = append(later.Logs, config.Log{ID: "next", Origin: "next.test", GRPCURL: "http://127.0.0.1:1", ReadURL: "http://127.0.0.1:1"})
	if err := r.ReloadCallers(t.Context(), &later); err == nil || !strings.Contains(err.Error(), "send SIGHUP") {
		t.Errorf("a log that is not there yet: %v", err)
	}
	if err := r.Reload(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if again := send("changing", "x509", ""); again != id {
		t.Errorf("under the first policy again it is %s", again)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), "restart to use it") {
		t.Errorf("policies are said to wait for a restart:\n%s", r.log)
	}
}

// TestPoliciesDiffer: gateways on one store that have other policies for the same callers say so.
func TestPoliciesDiffer(t *testing.T) {
	t.Parallel() // it mostly waits
	configs := newReplicas(t, postgrestest.Shared(t).NewDatabase(t, ""), 2)
	policies := map[string]config.Policy{"old": {Formats: []string{"pgp"}, Keys: map[string][]string{"pgp": {"../../formats/pgp/testdata/p256.key"}}}}
	a := run(t, withPolicies(configs[0], policies))
	defer a.stop()
	b := run(t, withPolicies(configs[1], policies))
	defer b.stop()
	a.awaitState("ready", time.Minute)
	for name, other := range map[string]map[string]config.Policy{
		"formats": {"old": {Formats: []string{"pgp", "ssh"}, Keys: policies["old"].Keys}},
		"keys":    {"old": {Formats: []string{"pgp"}, Keys: map[string][]string{"pgp": {"../../formats/pgp/testdata/p384.key"}}}},
	} {
		changed := *configs[1]
		if err := b.ReloadCallers(t.Context(), withPolicies(&changed, other)); err != nil {
			t.Fatal(err)
		}
		if body := a.awaitState("degraded", time.Minute); !strings.Contains(body, "policy") {
			t.Errorf("other %s: %s", name, body)
		}
		if err := b.ReloadCallers(t.Context(), withPolicies(&changed, policies)); err != nil {
			t.Fatal(err)
		}
		a.awaitState("ready", time.Minute)
	}
	unnamed := *configs[1]
	withPolicies(&unnamed, policies)
	for i := range unnamed.Callers {
		unnamed.Callers[i].Policy = ""
	}
	if err := b.ReloadCallers(t.Context(), &unnamed); err != nil {
		t.Fatal(err)
	}
	if body := a.awaitState("degraded", time.Minute); !strings.Contains(body, "policy") {
		t.Errorf("a caller without his policy: %s", body)
	}
}
