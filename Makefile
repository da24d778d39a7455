# Every target says what it does in `make help`, and builds or installs what it
# needs. Tools are pinned in the modules under .tools and built into .build/bin,
# each again only when its pin changes.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := $(CURDIR)/.build/bin
PROTO_DEPS := .build/proto-deps

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: generate
generate: $(BIN)/buf $(BIN)/protoc-gen-go $(BIN)/protoc-gen-go-grpc $(PROTO_DEPS)/.stamp ## Lint the .proto files and regenerate the Go beside them
	$(BIN)/buf lint proto
	find proto -name '*.pb.go' -delete
	$(BIN)/buf generate proto --template .tools/buf.gen.yaml

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

$(BIN)/rekor-server-posix: .tools/rekor/go.mod .tools/rekor/go.sum
	$(call tool,rekor,github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix)

$(BIN)/buf: .tools/buf/go.mod .tools/buf/go.sum
	$(call tool,buf,github.com/bufbuild/buf/cmd/buf)

$(BIN)/protoc-gen-go: .tools/proto/go.mod .tools/proto/go.sum
	$(call tool,proto,google.golang.org/protobuf/cmd/protoc-gen-go)

$(BIN)/protoc-gen-go-grpc: .tools/proto/go.mod .tools/proto/go.sum
	$(call tool,proto,google.golang.org/grpc/cmd/protoc-gen-go-grpc)
