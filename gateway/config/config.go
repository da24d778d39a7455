// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// Config is the whole configuration. Paths in a loaded one are absolute.
type Config struct {
	HTTP  HTTP  `yaml:"http,omitempty"`
	GRPC  GRPC  `yaml:"grpc,omitempty"`
	Admin Admin `yaml:"admin,omitempty"`
	// Listeners speak HTTP beside it, for clients that cannot send a credential.
	Listeners []Listener `yaml:"listeners,omitempty"`
	// InsecureNoAuth lets http and grpc listen beyond loopback although every caller is
	// let in.
	InsecureNoAuth bool `yaml:"insecure_no_auth,omitempty"`
	// TrustedProxies are the networks (CIDR) of the proxies that say for whom they forward requests.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
	// InsecurePlaintext lets callers send tokens beyond loopback where anybody on the way can read them.
	InsecurePlaintext bool     `yaml:"insecure_plaintext,omitempty"`
	Callers           []Caller `yaml:"callers,omitempty"`
	// Profile stands for a source and its log; Parse writes it out.
	Profile string `yaml:"profile,omitempty"`
	// TrustedRoot is the Sigstore trusted root with the keys of all logs.
	TrustedRoot string `yaml:"trusted_root,omitempty"`
	// Contact is whom the operators of logs and of TUF repositories can turn to: an address or a URL, in the User-Agent of all requests.
	Contact string `yaml:"contact,omitempty"`
	// Source is where logs without an origin of their own come from.
	Source Source `yaml:"source,omitempty"`
	Logs   []Log  `yaml:"logs"`
	Store  Store  `yaml:"store,omitempty"`
	Limits Limits `yaml:"limits,omitempty"`
	Worker Worker `yaml:"worker,omitempty"`
	Policy Policy `yaml:"policy,omitempty"`
	// Policies are for the callers that name one.
	Policies    map[string]Policy `yaml:"policies,omitempty"`
	Attestation Attestation       `yaml:"attestation,omitempty"`
	OwnLog      OwnLog            `yaml:"own_log,omitempty"`
	RekorAPI    RekorAPI          `yaml:"rekor_api,omitempty"`
	Logging     Logging           `yaml:"logging,omitempty"`
	Audit       Audit             `yaml:"audit,omitempty"`
	Tracing     Tracing           `yaml:"tracing,omitempty"`
}

// HTTP is the public HTTP listener.
type HTTP struct {
	Listen string `yaml:"listen,omitempty"` // host:port
	// AllowedHosts are the Host headers taken besides loopback names and Listen's own.
	AllowedHosts []string `yaml:"allowed_hosts,omitempty"`
	TLS          TLS      `yaml:"tls,omitempty"`
}

// GRPC is the public gRPC listener.
type GRPC struct {
	Listen string `yaml:"listen,omitempty"` // host:port
	TLS    TLS    `yaml:"tls,omitempty"`
}

// Admin is the listener for metrics and health.
type Admin struct {
	Listen string `yaml:"listen,omitempty"` // host:port
	// AllowedHosts are as HTTP's.
	AllowedHosts []string `yaml:"allowed_hosts,omitempty"`
	// Pprof has Go's profiles served besides, under /debug/pprof/.
	Pprof bool `yaml:"pprof,omitempty"`
}

// TLS names a certificate and its key, both in PEM; without, the listener speaks plain text.
type TLS struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// ClientCAFile has the authorities, in PEM, that callers' certificates are from.
	ClientCAFile string `yaml:"client_ca_file,omitempty"`
}

// Log is one Rekor log. Which submissions go to it policies say.
type Log struct {
	ID     string `yaml:"id"`               // stable: it is in stored rows and metric labels
	Kind   string `yaml:"kind,omitempty"`   // KindRekorV2, which is the default, or KindRekorV1
	Origin string `yaml:"origin,omitempty"` // of its checkpoints, of Rekor v1 "HOST - TREE"; "": the source knows the log
	// Operator runs a log of the source; "" is the only one that the source names.
	Operator string `yaml:"operator,omitempty" json:",omitempty"`
	// URL stands for both other URLs where the log serves writes and tiles at one place. It is all that Rekor v1 has.
	URL     string `yaml:"url,omitempty"`
	GRPCURL string `yaml:"grpc_url,omitempty"` // http(s)://host:port, entries are written here
	ReadURL string `yaml:"read_url,omitempty"` // checkpoint and tiles are below it
	// IntegrationDelay is how long the log may take to include what it was sent.
	IntegrationDelay time.Duration `yaml:"integration_delay,omitempty"`
	// InlineMax is how large an artifact may be that is sent to a log of Rekor v1 with its entry, for formats of which it makes the entry itself:
	// DefaultInlineMax where it is not set, and none where it is 0.
	InlineMax *Size `yaml:"inline_max,omitempty" json:",omitempty"`
	// Former are what the log was before, as long as entries may be in doubt there.
	Former []FormerLog `yaml:"former,omitempty"`
	// InFlight is Worker's for this log.
	InFlight InFlight `yaml:"in_flight,omitempty"`
	// Rate is how many entries a second are sent to it, 0 for no limit, and RateBurst how many of them at once.
	Rate      float64 `yaml:"rate,omitempty"`
	RateBurst int     `yaml:"rate_burst,omitempty"`
}

// The kinds of logs.
const (
	KindRekorV2 = "rekor-v2"
	KindRekorV1 = "rekor-v1"
)

// FormerLog is what a log was before it rotated: all shards of an origin, or, where that is the log's own origin, those with
// other keys than the one in use.
type FormerLog struct {
	Origin  string `yaml:"origin"`   // of its checkpoints
	ReadURL string `yaml:"read_url"` // checkpoint and tiles are below it; not for Rekor v1, all of whose trees are at one URL
	// Closed: nothing will be included in it any more.
	Closed bool `yaml:"closed,omitempty"`
}

// Limits bound what callers can make the gateway hold.
type Limits struct {
	MaxArtifactBytes Size   `yaml:"max_artifact_bytes,omitempty"` // of one artifact
	SpoolDir         string `yaml:"spool_dir,omitempty"`          // for artifacts sent before their signatures
	MaxSpoolBytes    Size   `yaml:"max_spool_bytes,omitempty"`    // of all spooled artifacts together
	MaxPending       int    `yaml:"max_pending,omitempty"`        // entries accepted and not logged yet
	MaxPendingBytes  Size   `yaml:"max_pending_bytes,omitempty"`  // stored for those entries
	MinFreeDisk      Size   `yaml:"min_free_disk,omitempty"`      // bytes free where store and spool are; fewer: nothing is taken
	// RequestsPerMinute is for each caller's address, and RequestBurst how many of them may come
	// at once; 0 is no limit.
	RequestsPerMinute int `yaml:"requests_per_minute,omitempty"`
	RequestBurst      int `yaml:"request_burst,omitempty"`
	// SignerSubmissionsPerDay is how many new submissions of a tenant one key may have signed on a day (UTC); 0 is no limit.
	SignerSubmissionsPerDay int64 `yaml:"signer_submissions_per_day,omitempty"`
	// Redis is where requests are counted, for several gateways together; without, each counts for itself.
	Redis Redis `yaml:"redis,omitempty"`

	MaxRequestMemory Size `yaml:"max_request_memory,omitempty"` // bytes, of all requests together
	MaxConnections   int  `yaml:"max_connections,omitempty"`    // at once, for each of http and grpc
	// MaxConnectionsPerAddress is how many of those one address may have; trusted proxies may have all.
	MaxConnectionsPerAddress int           `yaml:"max_connections_per_address,omitempty"`
	MaxRequests              int           `yaml:"max_requests,omitempty"`            // at once, over both
	MaxRequestsPerCaller     int           `yaml:"max_requests_per_caller,omitempty"` // of those
	MinUploadRate            Size          `yaml:"min_upload_rate,omitempty"`         // bytes a second
	MaxRequestTime           time.Duration `yaml:"max_request_time,omitempty"`
}

// Redis is a Redis server that several gateways count requests in. One of the first three names it.
type Redis struct {
	URL     string `yaml:"url,omitempty"`      // with a password, it is a secret
	URLFile string `yaml:"url_file,omitempty"` // file with it
	URLEnv  string `yaml:"url_env,omitempty"`  // environment variable with it
	// OnFailure is what becomes of requests that cannot be counted: OnFailureAllow, which is the default, or OnFailureRefuse.
	OnFailure string `yaml:"on_failure,omitempty"`
}

// What Redis.OnFailure may be.
const (
	OnFailureAllow  = "allow"
	OnFailureRefuse = "refuse"
)

// Worker tunes the way from the store to the logs.
type Worker struct {
	InFlight   InFlight      `yaml:"in_flight,omitempty"`   // entries under way at once, per log
	AddTimeout time.Duration `yaml:"add_timeout,omitempty"` // for one entry to be included
	Drain      time.Duration `yaml:"drain,omitempty"`       // for work under way at shutdown
}

// Policy is what signatures are held to, and where they are recorded.
type Policy struct {
	Formats         []string            `yaml:"formats,omitempty" json:",omitempty"`         // that are taken; none is all
	Representations []string            `yaml:"representations,omitempty" json:",omitempty"` // that are recorded; none is all
	Ways            []string            `yaml:"ways,omitempty" json:",omitempty"`            // that may be asked for, the first without asking; none is all
	Historical      Historical          `yaml:"historical,omitempty"`
	SSHNamespaces   []string            `yaml:"ssh_namespaces,omitempty"`
	Keys            map[string][]string `yaml:"keys,omitempty"`            // files, by format
	AllowedSigners  []string            `yaml:"allowed_signers,omitempty"` // sha256:HEX of SPKIs
	// AllowedIdentities are who may sign by certificates of Roots, or of the trusted root's authorities where there are none.
	AllowedIdentities []Identity `yaml:"allowed_identities,omitempty" json:",omitempty"`
	Roots             []string   `yaml:"roots,omitempty"`     // PEM files of certificates
	TUFRoots          []string   `yaml:"tuf_roots,omitempty"` // sha256:HEX of root.json files
	Logs              LogSet     `yaml:"logs,omitempty"`      // where submissions are recorded
	// PublishCertificate: callers may have their certificates made public; nil is true.
	PublishCertificate *bool `yaml:"publish_certificate,omitempty" json:",omitempty"`
	// PublishUserIDs: PGP signatures are recorded in logs of Rekor v1 with the key's user ID.
	PublishUserIDs bool `yaml:"publish_user_ids,omitempty" json:",omitempty"`
}

// Attestation is the gateway's own signing. Without a key nothing is attested.
type Attestation struct {
	Key          string `yaml:"key,omitempty"`           // PEM file of an ECDSA P-256 private key
	CreateKey    bool   `yaml:"create_key,omitempty"`    // make the key when there is no such file
	PasswordFile string `yaml:"password_file,omitempty"` // of an encrypted key
	PasswordEnv  string `yaml:"password_env,omitempty"`  // environment variable with it
	// OtherKeys are files of keys that sign no more, or not yet.
	OtherKeys []string `yaml:"other_keys,omitempty"`
	// GatewayTrust is the trust file that verifiers get; the key is added to it.
	GatewayTrust string `yaml:"gateway_trust,omitempty"`
	// GatewayTrustFrom is the index from which the key counts in all logs, where the trust file is
	// missing and has to be made anew; nil: as the store tells.
	GatewayTrustFrom *int64 `yaml:"gateway_trust_from,omitempty"`
}

// Logging is how the gateway logs.
type Logging struct {
	Level  string `yaml:"level,omitempty"`  // debug, info, warn or error
	Format string `yaml:"format,omitempty"` // text or json
	Access bool   `yaml:"access"`           // a line for each request
}

// Audit is where it is recorded what becomes of submissions.
type Audit struct {
	// File is a file to which a line of JSON is added for each record, or "stdout"; "" is none.
	File string `yaml:"file,omitempty"`
	// OnFailure is what becomes of submissions while the file cannot be written: OnFailureRefuse, which is the default, or
	// OnFailureContinue.
	OnFailure string `yaml:"on_failure,omitempty"`
	// Store has records of what authenticated callers send kept in the store, for as long as Keep.
	Store bool          `yaml:"store"`
	Keep  time.Duration `yaml:"keep,omitempty"`
}

// OnFailureContinue is what Audit.OnFailure may be besides OnFailureRefuse.
const OnFailureContinue = "continue"

// Tracing is where spans are sent. Without an endpoint nothing is traced.
type Tracing struct {
	Endpoint string  `yaml:"endpoint,omitempty"` // http(s)://HOST[:PORT][/PATH] of an OpenTelemetry collector
	Sample   float64 `yaml:"sample,omitempty"`   // share of the requests that are traced, up to 1
}

// DefaultIntegrationDelay is that of a log whose own is not set.
const DefaultIntegrationDelay = 5 * time.Minute

// Default returns the defaults; what is required is still empty.
func Default() Config {
	return Config{
		HTTP:  HTTP{Listen: "127.0.0.1:8080"},
		GRPC:  GRPC{Listen: "127.0.0.1:8081"},
		Admin: Admin{Listen: "127.0.0.1:2112"},
		Store: Store{SQLite: SQLite{Path: defaultSQLite}},
		Limits: Limits{
			MaxArtifactBytes: 8 << 30,
			MaxSpoolBytes:    16 << 30,
			MaxPending:       100_000,
			MaxPendingBytes:  4 << 30,
			MinFreeDisk:      1 << 30,
			RequestBurst:     100,

			MaxRequestMemory:         256 << 20,
			MaxConnections:           512,
			MaxConnectionsPerAddress: 256,
			MaxRequests:              1024,
			MaxRequestsPerCaller:     512,
			MinUploadRate:            16 << 10,
			MaxRequestTime:           3 * time.Hour,
		},
		Worker: Worker{
			InFlight: AutoInFlight, AddTimeout: time.Minute, Drain: 20 * time.Second,
		},
		RekorAPI: RekorAPI{ReadRate: DefaultReadRate},
		Logging:  Logging{Level: "info", Format: "json", Access: true},
		Audit:    Audit{OnFailure: OnFailureRefuse, Store: true, Keep: 90 * 24 * time.Hour},
		OwnLog:   OwnLog{AnchorEvery: 10 * time.Second},
		Tracing:  Tracing{Sample: 1},
	}
}
