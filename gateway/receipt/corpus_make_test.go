// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestMakeCorpus adds the receipts of corpusVectors and corpusEdits whose folders are missing, made
// by the domain as it is, over SQLite and real logs. What is there is
// never overwritten. Each run has logs and a gateway key of its own, which end with it; what a
// reader trusts of them is in trust-N. Run it with
//
//	go test -tags corpus -run TestMakeCorpus ./gateway/receipt
//	go test -run TestCorpus ./gateway/receipt -update-verdicts
func TestMakeCorpus(t *testing.T) {
	var missing []vector
	for _, v := range corpusVectors {
		if !exists(t, filepath.Join(corpusDir, v.name)) {
			missing = append(missing, v)
		}
	}
	if len(missing) > 0 {
		m := newMaker(t)
		for _, v := range missing {
			t.Run(v.name, func(t *testing.T) { m.add(t, v) })
		}
	}
	for _, e := range slices.Concat(corpusEdits, ownEdits, messageEdits) {
		if !exists(t, filepath.Join(corpusDir, e.name)) {
			t.Run(e.name, func(t *testing.T) { addEdited(t, e) })
		}
	}
	writeSums(t)
}

// vector is a signature to make a receipt of. Files are in the format's test data, or in the
// corpus's own where their names begin with "inputs/"; lists of them are separated by spaces.
type vector struct {
	name, about string // the folder; what it is for
	format      string
	signature   string
	keys        string // as they are sent
	expected    string // as a reader has them; "" is what is sent
	also        string // of the same signer: each is expected in its own verification
	wrong       string // somebody else's; "" is the format's usual
	artifact    string // "" when the signature has it
	want        gateway.Representation

	insist     bool                    // ask for that representation
	policy     string                  // a key of corpusPolicies
	digest     formats.DigestAlgorithm // sent in place of the bytes
	signed     bool                    // the digest of what the format signs is sent
	container  container.Kind          // artifact is sent as FILE.gz or FILE.xz
	publish    bool                    // the certificate
	known      bool                    // signatures by others than keys are let pass
	twoLogs    bool
	batched    bool      // in the own log
	cosigned   bool      // its checkpoint, by a witness
	namespaces []string  // that a reader accepts
	backdated  time.Time // made without a gateway, which would have refused it, as if verified then
	logs       bool      // verify with every trusted root
}

// maker has the logs and the gateways of one run, which end with t.
type maker struct {
	t        *testing.T
	trust    string    // folder
	day      time.Time // when the run began
	servers  []*rekortest.Server
	attester *attest.Signer
	services map[string]*gatewaytest.Gateway // by policy and number of logs
	direct   *rekorv2.Log
	own      *receipttest.OwnLog
	anchors  []*rekorv2.Log // where the own log is anchored: the first is direct
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	n := 1
	for exists(t, filepath.Join(corpusDir, fmt.Sprintf("trust-%d", n))) {
		n++
	}
	m := &maker{
		t: t, trust: fmt.Sprintf("trust-%d", n), day: time.Now().UTC().Truncate(24 * time.Hour),
		services: map[string]*gatewaytest.Gateway{},
	}
	for _, name := range []string{"log", "second-log"} { // only receipts of twoLogs have the second
		m.servers = append(m.servers, rekortest.StartServer(t, func(c *localrekor.Config) {
			c.Origin, c.CheckpointInterval = fmt.Sprintf("%s-%d.corpus.test", name, n), 200*time.Millisecond
		}))
	}
	var err error
	m.attester, err = attest.New(attest.Config{
		Active: filepath.Join(t.TempDir(), "attestation.pem"), Create: true,
		Verifier: statement.Verifier{Name: "rekor-gateway", Version: "corpus"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.direct = m.openLog(m.servers[0], m.openStore())
	m.own, m.anchors = m.newOwnLog(n), []*rekorv2.Log{m.direct, m.openLog(m.servers[1], m.openStore())}
	m.useOwnLog()
	m.writeTrust()
	return m
}

func (m *maker) openStore() *sqlite.Store {
	store, err := sqlite.Open(m.t.Context(), filepath.Join(m.t.TempDir(), "gateway.db"), sqlite.Options{MaxPending: 10})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = store.Close() })
	return store
}

func (m *maker) openLog(s *rekortest.Server, store gateway.Checkpoints) *rekorv2.Log {
	l, err := rekorv2.New(rekorv2.Config{
		ID: s.Origin(), Shards: []rekorv2.Shard{{
			Origin: s.Origin(), GRPCURL: s.GRPCURL(), ReadURL: s.ReadURL(), Verifier: s.Verifier(), KeyID: s.KeyID(),
		}},
	}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = l.Close() })
	return l
}

// realLog is a delivery's timing for a log that answers after its next checkpoint.
var realLog = delivery.Timing{
	InFlight: 16, AddTimeout: 10 * time.Second, Drain: time.Second,
	Lease: 30 * time.Second, Poll: 100 * time.Millisecond,
}

// service returns the gateway of a policy, over the first log or over both.
func (m *maker) service(v vector) *gatewaytest.Gateway {
	key := fmt.Sprint(v.policy, v.twoLogs)
	if s := m.services[key]; s != nil {
		return s
	}
	store, servers := m.openStore(), m.servers[:1]
	if v.twoLogs {
		servers = m.servers
	}
	var logs []gateway.Log
	for _, s := range servers {
		logs = append(logs, m.openLog(s, store))
	}
	s := gatewaytest.New(gatewaytest.Config{
		Logs: logs, Store: store, Policy: m.policy(v.policy), Attester: m.attester, Timing: realLog,
	})
	s.Start(m.t)
	m.services[key] = s
	return s
}

// policy is what the gateway's configuration would make of one of corpusPolicies.
func (m *maker) policy(name string) formats.Policy {
	change, ok := corpusPolicies[name]
	if !ok {
		m.t.Fatalf("there is no policy called %q", name)
	}
	p := formats.Policy{ForbiddenSigners: m.attester.IDs()}
	for _, s := range m.servers {
		key, err := s.PublicKey()
		if err != nil {
			m.t.Fatal(err)
		}
		p.ForbiddenSigners = append(p.ForbiddenSigners, sha256.Sum256(key))
	}
	change(m.t, &p)
	return p
}

var corpusPolicies = map[string]func(*testing.T, *formats.Policy){
	"":           func(*testing.T, *formats.Policy) {},
	"historical": func(_ *testing.T, p *formats.Policy) { p.Historical.Allow = formats.AllExceptions },
	"git":        func(_ *testing.T, p *formats.Policy) { p.SSHNamespaces = []string{"git", "file"} },
	"pinned": func(t *testing.T, p *formats.Policy) {
		p.TUFRoots = [][sha256.Size]byte{sha256.Sum256(corpusInput(t, "tuf", "root-1.json"))}
	},
	"rooted": rooted,
	"rooted, historical": func(t *testing.T, p *formats.Policy) {
		rooted(t, p)
		p.Historical.Allow = formats.AllExceptions
	},
}

func rooted(t *testing.T, p *formats.Policy) {
	p.Roots = x509.NewCertPool()
	for _, root := range [][]byte{
		corpusInput(t, "x509", "root-cert.pem"), corpusInput(t, "pkcs7", "root-cert.pem"), corpusInput(t, "", "inputs/expired-root-cert.pem"),
	} {
		p.Roots.AppendCertsFromPEM(root)
	}
}

// add makes the receipt of v and the questions to ask of it.
func (m *maker) add(t *testing.T, v vector) {
	f := &files{dir: filepath.Join(corpusDir, v.name)}
	r := m.record(t, v)
	encoded, err := receipt.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f.keep("receipt.json", encoded)
	list := verdicts{About: v.about, Trust: "../" + m.trust, Verifications: m.questions(t, v, r, f)}
	f.write(t)
	writeVerdicts(t, f.dir, list)
}

func (m *maker) record(t *testing.T, v vector) *receiptpb.Receipt {
	switch {
	case v.batched:
		return m.batch(t, v)
	case !v.backdated.IsZero():
		return m.backdate(t, v)
	}
	s, r := m.service(v), m.request(t, v)
	sub, err := s.Submit(t.Context(), r, func() (formats.Artifact, error) { return v.given(t), nil })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if sub, err = s.Wait(ctx, r.Tenant, sub.ID); err != nil {
		t.Fatal(err)
	}
	if sub.State != gateway.Logged || sub.Representation() != v.want {
		t.Fatalf("%s as %s, want %s: %+v", sub.State, sub.Representation(), v.want, sub.Entries)
	}
	made, err := s.Receipt(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (m *maker) request(t *testing.T, v vector) gateway.Request {
	r := gateway.Request{
		Tenant: v.name, // its own: to the gateway some vectors are the same submission
		Format: v.format, Signature: corpusInput(t, v.format, v.signature),
		Keys: v.inputs(t, v.keys), Decompress: v.container, PublishCertificate: v.publish, KnownOnly: v.known,
	}
	if v.insist {
		r.Representation = v.want
	}
	switch {
	case v.signed:
		verified, _ := v.verify(t, m.policy(v.policy), time.Now())
		r.SignedDigest = &verified.Projections[0].Digest
	case v.digest != "":
		h := v.digest.New()
		h.Write(corpusInput(t, v.format, v.artifact))
		r.Digest = &formats.Digest{Algorithm: v.digest, Value: h.Sum(nil)}
	}
	return r
}

func (v vector) inputs(t *testing.T, names string) (list [][]byte) {
	for _, name := range strings.Fields(names) {
		list = append(list, corpusInput(t, v.format, name))
	}
	return list
}

// given is the artifact as it is sent.
func (v vector) given(t *testing.T) formats.Artifact {
	if v.artifact == "" || v.signed || v.digest != "" {
		return formats.Artifact{}
	}
	return formats.FromReader(bytes.NewReader(corpusInput(t, v.format, v.artifact+v.suffix())))
}

func (v vector) suffix() string {
	return map[container.Kind]string{container.Gzip: ".gz", container.XZ: ".xz"}[v.container]
}

// verify is what a plugin says of v at a time.
func (v vector) verify(t *testing.T, p formats.Policy, now time.Time) (*formats.Verified, formats.Description) {
	p.Now = now
	parsed, err := all.Formats().Parse(t.Context(), v.format, corpusInput(t, v.format, v.signature), v.inputs(t, v.keys), p)
	if err != nil {
		t.Fatal(err)
	}
	given := formats.Artifact{}
	if v.artifact != "" {
		given = formats.FromReader(bytes.NewReader(corpusInput(t, v.format, v.artifact)))
	}
	verified, err := parsed.Verify(t.Context(), given)
	if err != nil {
		t.Fatal(err)
	}
	return verified, parsed.Describe()
}

// backdate makes the receipt that somebody could who writes to the log himself and says that he
// verified the signature when it was still good.
func (m *maker) backdate(t *testing.T, v vector) *receiptpb.Receipt {
	p := m.policy(v.policy)
	verified, description := v.verify(t, p, v.backdated)
	p.Now = v.backdated
	r := receipt.New(receipt.Facts{
		ID: v.name, Signature: corpusInput(t, v.format, v.signature), Description: description, Verified: verified, Policy: p,
		Representations: []receiptpb.Receipt_Representation{receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(v.want)])},
	})
	prepared, entry, err := m.direct.Prepare(gateway.Offer{Projection: &verified.Projections[0]})
	if err != nil {
		t.Fatal(err)
	}
	inclusion, err := m.direct.Add(t.Context(), m.direct.Describe().Shard, prepared)
	if err != nil {
		t.Fatal(err)
	}
	r.Entries = append(r.Entries, entry)
	r, err = receipt.Complete(r, []receipt.Proof{{Kind: inclusion.Kind, Bytes: inclusion.Proof, Body: prepared.Body}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
