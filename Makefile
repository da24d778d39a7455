# Every target says what it does in `make help`, and builds or installs what it
# needs. Tools are pinned in the modules under .tools and built into .build/bin,
# each again only when its pin changes.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := $(CURDIR)/.build/bin
PROTO_DEPS := .build/proto-deps

# Where the tests find the programs they start.
export REKOR_SERVER := $(BIN)/rekor-server-posix
export REKOR_V1 := $(CURDIR)/.build/rekorv1
export WITNESS_TOOLS := $(BIN)
export COSIGN := $(BIN)/cosign
export ORVAL := $(CURDIR)/.build/orval
export EXAMPLES := $(CURDIR)/.build/examples
export PROTO_TARBALL := $(CURDIR)/.build/rekor-gateway-protos.tar.gz
export BUF := $(BIN)/buf
export GRPCURL := $(BIN)/grpcurl
WITNESS := $(BIN)/litewitness

# How long `make fuzz` runs each target.
FUZZTIME ?= 60s
export FUZZTIME

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(REKOR_SERVER) ## Build rekor-gateway, and the local Rekor server beside it, into .build/bin
	go build -trimpath -o $(BIN)/rekor-gateway ./cmd/rekor-gateway

.PHONY: run
run: build ## Start a gateway with its own local Rekor v2 log (Ctrl-C stops both)
	exec $(BIN)/rekor-gateway dev

.PHONY: demo
demo: build system-tools ## Sign, submit and verify offline in every format, against a local log
	PATH="$(BIN):$$PATH" ./cmd/rekor-gateway/demo/demo.sh

.PHONY: demo-rekor-cli
demo-rekor-cli: build system-tools $(REKOR_V1)/storage.sql ## Upload, get and verify by the stock rekor-cli in each of its formats, through a gateway in front of a local Rekor v1, and of a local Rekor v2
	go test -tags e2e -run TestDemoOfRekorCLI -count=1 -timeout 10m -v ./cmd/rekor-gateway

# Not cached below gateway/stocktest: it reads files, and runs tests, of another module.
.PHONY: test
test: system-tools $(REKOR_SERVER) $(REKOR_V1)/storage.sql $(WITNESS) ## Vet and run all tests, a real local Rekor server and a Rekor v1 among them
	go vet ./...
	go test ./...
	cd gateway/stocktest && go vet . && go test -count=1 .

.PHONY: lint
lint: $(BIN)/golangci-lint proto-breaking ## Check the import rules and the code with golangci-lint, and the .proto files as proto-breaking does
	$(BIN)/golangci-lint run ./...

BENCHMARKS := $(CURDIR)/docs/benchmarks.md

.PHONY: bench
bench: $(REKOR_SERVER) ## Measure a gateway beside a client that writes to the log itself, and beside a loop that verifies and stores, into docs/benchmarks.md (BENCH=full: 1,000,000 stored, too)
	go test -tags bench -run 'TestBench|TestTargets' -count=1 -timeout 120m -v ./cmd/rekor-gateway/bench -table $(BENCHMARKS) $(BENCHFLAGS)

BACKFILL_BENCHMARKS := $(CURDIR)/docs/benchmarks-backfill.md

.PHONY: bench-backfill
bench-backfill: $(REKOR_SERVER) ## Measure backfill: 100,000 signatures to receipts, beside Rekor directly and bare verification, and a million files that are done, into docs/benchmarks-backfill.md (BENCHFLAGS='-signatures 2000 -files 6000': fewer)
	go test -tags bench -run TestBackfill -count=1 -timeout 120m -v ./cmd/rekor-gateway/bench -table $(BACKFILL_BENCHMARKS) $(BENCHFLAGS)

.PHONY: bench-go
bench-go: system-tools $(REKOR_SERVER) ## Run every Go benchmark
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-formats
bench-formats: ## Measure the formats beside Rekor v1's packages and a plain hash, as a table
	cd formats/compare && go test -timeout 30m -speed

.PHONY: compare
compare: system-tools ## Compare the formats' verdicts with their own tools, libraries and Rekor v1 (COMPARE=full: thousands)
	cd formats/compare && go vet . && go test -count=1 -timeout 60m .

DEBIAN_CORPUS := $(CURDIR)/.build/debian
KEYRINGS := /usr/share/keyrings

.PHONY: debian
debian: system-tools $(REKOR_SERVER) ## Compare the verdicts on Debian's own signatures (.dsc, InRelease, upstream .asc) with gpgv's, and backfill them into a gateway's own log
	./.tools/system-tools.sh $(KEYRINGS)/debian-keyring.gpg debian-keyring $(KEYRINGS)/debian-archive-keyring.gpg debian-archive-keyring
	./formats/compare/testdata/debian/fetch.sh $(DEBIAN_CORPUS)
	cd formats/compare && DEBIAN_CORPUS=$(DEBIAN_CORPUS) go test -count=1 -run TestDebian -v .
	DEBIAN_CORPUS=$(DEBIAN_CORPUS) go test -tags e2e -count=1 -run TestBackfillDebian -v ./cmd/rekor-gateway

.PHONY: strictness
strictness: system-tools ## Measure docs/strictness.md again
	cd formats/compare && go test -count=1 -run 'TestStrictness' . -update

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (60s) each
	./.tools/fuzz.sh ./...

CONFORMANT := TestConformance|TestProofLog|TestServerStalls|TestAddFrozen|TestAddDelayed|TestTreeChanged|TestChange$$|TestRekeyed|TestNotTheSameTree|TestRetired|TestCurrentShard|TestReadLimits|TestForgottenAnchor|TestLateAnchorComes

.PHONY: conformance
conformance: system-tools $(REKOR_SERVER) $(REKOR_V1)/storage.sql ## Hold all kinds of logs to the same cases, and print which of them each has passed
	go test -count=1 -json -run '^($(CONFORMANT))' ./gateway/rekor/rekorv1 ./gateway/rekor/rekorv2 ./gateway/rekor/tiles ./gateway/rekor/logtest ./gateway/ownlog | go run ./gateway/rekor/logtest/table

.PHONY: chaos
chaos: system-tools $(REKOR_SERVER) $(REKOR_V1)/storage.sql ## Kill, hold and freeze gateways, database and log, fail the disk, put a backup back, and check that nothing is lost or logged twice (CHAOS=full: 20,000 submissions)
	go test -tags e2e -run 'TestKillPoints|TestOwnKillPoints|TestWholeKillPoints|TestFacadeKillPoints|TestChaos|TestDiskFaults' -count=1 -timeout 60m -v ./cmd/rekor-gateway

.PHONY: outage
outage: $(REKOR_SERVER) ## Let a log fail for a day by a simulated clock, and then drain what a stopped log has left (OUTAGE_ENTRIES=10000)
	OUTAGE=day go test -run TestOutage -count=1 -timeout 60m -v ./gateway
	OUTAGE_ENTRIES=$${OUTAGE_ENTRIES:-10000} go test -tags e2e -run TestBacklog -count=1 -timeout 60m -v ./cmd/rekor-gateway

.PHONY: stall
stall: $(REKOR_SERVER) ## Hold a real log for 150 s with 1,000 entries under way (or REKOR_GATEWAY_STALLED=4000), and check that nothing is logged twice, and that no log is sent more than its budget allows
	go test -tags e2e -run 'TestStalledLogForLong|TestGrownLog|AtTheServer' -count=1 -timeout 20m -v ./gateway/server

.PHONY: refusals
refusals: system-tools $(REKOR_SERVER) ## Refuse thousands of uploads of up to 1 GiB in every way curl has, and check that no refusal is lost
	REKOR_GATEWAY_REFUSALS=all go test -run TestRefusalsReachWhoeverIsSending -count=1 -timeout 30m -v ./gateway/server

.PHONY: alerts
alerts: ## Check docs/alerts.yml with promtool, and run the tests of its rules
	@./.tools/system-tools.sh promtool prometheus
	promtool check rules docs/alerts.yml
	promtool test rules docs/alerts_test.yml

.PHONY: e2e
e2e: build system-tools $(REKOR_V1)/storage.sql $(COSIGN) $(GRPCURL) $(ORVAL)/.stamp $(EXAMPLES)/.stamp compare debian refusals stall alerts ## Run the whole thing: real tools, a real log, stock cosign as the judge
	go test -tags e2e -count=1 -timeout 60m ./cmd/...
	go test -tags e2e -run TestStockCosignOnRekorV1 -count=1 ./gateway/server

.PHONY: system-tools
system-tools: ## Install the signing tools that tests and demo call (Debian, as root)
	@./.tools/system-tools.sh

.PHONY: generate
generate: $(BIN)/buf $(BIN)/protoc-gen-go $(BIN)/protoc-gen-go-grpc $(PROTO_DEPS)/.stamp ## Lint the .proto files and regenerate the Go beside them, and docs/errors.md
	$(BIN)/buf lint proto
	find proto -name '*.pb.go' -delete
	$(BIN)/buf generate proto --template .tools/buf.gen.yaml
	go test -count=1 -run TestErrorReference ./cmd/rekor-gateway -update

PROTO_IMAGE := $(CURDIR)/.build/rekor-gateway-protos.binpb

.PHONY: proto-image
proto-image: $(BIN)/buf $(PROTO_DEPS)/.stamp ## Build the .proto files and all that they import into one image for buf, protoc, grpcurl and Buf's tools
	$(BIN)/buf build proto -o $(PROTO_IMAGE)
	@echo $(PROTO_IMAGE)

.PHONY: proto-tarball
proto-tarball: $(PROTO_TARBALL) ## Pack the .proto files, all that they import and google.rpc's errors into an archive that protoc compiles in an empty folder
	@echo $(PROTO_TARBALL)

# The same files give the same archive, whenever and wherever it is made.
$(PROTO_TARBALL): $(BIN)/buf $(PROTO_DEPS)/.stamp $(wildcard proto/rekorgateway/v1/*.proto proto/rekorgateway/receipt/v1/*.proto) LICENSE
	rm -rf .build/protos
	$(BIN)/buf export proto -o .build/protos
	cd .tools/proto && go run ./googleprotos -well-known $(CURDIR)/.build/protos
	install -D -m 644 -t .build/protos/google/rpc $(PROTO_DEPS)/google/google/rpc/status.proto $(PROTO_DEPS)/google/google/rpc/error_details.proto
	cp LICENSE .build/protos/
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -C .build/protos -cf - . | gzip -n >$@

# What callers were given. It is a file, since a clone may have no history.
PUBLISHED := proto/published.binpb

.PHONY: proto-breaking
proto-breaking: $(BIN)/buf $(PROTO_DEPS)/.stamp ## Refuse changes of the .proto files that break callers of the last release
	$(BIN)/buf breaking proto --against $(PUBLISHED) --exclude-imports

.PHONY: proto-publish
proto-publish: proto-breaking ## Take the .proto files as they are for published: part of a release, to be committed
	$(BIN)/buf build proto --exclude-source-info -o $(PUBLISHED)

# The Sigstore files come from the version that the product itself is built with.
$(PROTO_DEPS)/.stamp: go.mod .tools/proto/go.mod .tools/proto/go.sum .tools/proto/googleprotos/main.go
	rm -rf $(PROTO_DEPS)
	mkdir -p $(PROTO_DEPS)/google $(PROTO_DEPS)/sigstore
	cd .tools/proto && go run ./googleprotos $(CURDIR)/$(PROTO_DEPS)/google
	go mod download github.com/sigstore/protobuf-specs
	install -m 644 "$$(go list -m -f '{{.Dir}}' github.com/sigstore/protobuf-specs)"/protos/*.proto $(PROTO_DEPS)/sigstore/
	touch $@

# tool builds package $(2) with the versions that .tools/$(1) pins.
define tool
	mkdir -p $(BIN)
	cd .tools/$(1) && go build -trimpath -o $@ $(2)
endef

$(REKOR_SERVER): .tools/rekor/go.mod .tools/rekor/go.sum
	$(call tool,rekor,github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix)

.PHONY: rekorv1
rekorv1: system-tools $(REKOR_V1)/storage.sql ## Build Rekor v1 for the tests: rekor-server, rekor-cli, and Trillian over PostgreSQL
	@echo $(REKOR_V1)

# Trillian's tables come last: where they are, all is.
$(REKOR_V1)/storage.sql: .tools/rekorv1/go.mod .tools/rekorv1/go.sum
	mkdir -p $(REKOR_V1)
	cd .tools/rekorv1 && CGO_ENABLED=0 go build -trimpath -o $(REKOR_V1)/ tool
	cd .tools/rekorv1 && install -m 644 "$$(go list -m -f '{{.Dir}}' github.com/google/trillian)"/storage/postgresql/schema/storage.sql $@
	touch $@

# A witness for the tests.
$(BIN)/litewitness: .tools/witness/go.mod .tools/witness/go.sum
	$(call tool,witness,filippo.io/torchwood/cmd/$(notdir $@))

$(BIN)/buf: .tools/buf/go.mod .tools/buf/go.sum
	$(call tool,buf,github.com/bufbuild/buf/cmd/buf)

$(GRPCURL): .tools/grpcurl/go.mod .tools/grpcurl/go.sum
	$(call tool,grpcurl,github.com/fullstorydev/grpcurl/cmd/grpcurl)

$(BIN)/protoc-gen-go: .tools/proto/go.mod .tools/proto/go.sum
	$(call tool,proto,google.golang.org/protobuf/cmd/protoc-gen-go)

$(BIN)/protoc-gen-go-grpc: .tools/proto/go.mod .tools/proto/go.sum
	$(call tool,proto,google.golang.org/grpc/cmd/protoc-gen-go-grpc)

$(BIN)/golangci-lint: .tools/lint/go.mod .tools/lint/go.sum
	$(call tool,lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

# Without cgo, as upstream builds its releases; the version is stamped because
# a build from a module knows no git tag.
$(COSIGN): export CGO_ENABLED := 0
$(COSIGN): .tools/cosign/go.mod .tools/cosign/go.sum
	$(call tool,cosign,-ldflags "-X sigs.k8s.io/release-utils/version.gitVersion=$$(go list -m -f '{{.Version}}' github.com/sigstore/cosign/v3)" github.com/sigstore/cosign/v3/cmd/cosign)

# A generator of clients, from the npm registry; node and npm are installed where they are missing.
$(ORVAL)/.stamp: $(wildcard .tools/orval/*)
	./.tools/system-tools.sh node nodejs npm npm
	rm -rf $(ORVAL)
	mkdir -p $(ORVAL)
	cp .tools/orval/* $(ORVAL)/
	cd $(ORVAL) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# What docs/examples needs, as docs/grpc.md says: the .proto files, what protoc makes of them for Python, and Node's packages.
$(EXAMPLES)/.stamp: $(PROTO_TARBALL) docs/examples/node/package.json docs/examples/node/package-lock.json
	./.tools/system-tools.sh node nodejs npm npm wget wget protoc protobuf-compiler grpc_python_plugin protobuf-compiler-grpc /usr/lib/python3/dist-packages/grpc/__init__.py python3-grpcio
	rm -rf $(EXAMPLES)
	mkdir -p $(EXAMPLES)/protos $(EXAMPLES)/python $(EXAMPLES)/node
	tar -xzf $(PROTO_TARBALL) -C $(EXAMPLES)/protos
	cd $(EXAMPLES)/protos && protoc -I. --python_out=../python --grpc_out=../python --plugin=protoc-gen-grpc="$$(command -v grpc_python_plugin)" $$(find . -name '*.proto' -not -path './google/protobuf/*')
	cp docs/examples/node/package.json docs/examples/node/package-lock.json $(EXAMPLES)/node/
	cd $(EXAMPLES)/node && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
