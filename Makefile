# Run "make help" for what there is.

SHELL := /bin/bash
MODULES := $(patsubst %/go.mod,%,$(wildcard go.mod */go.mod))
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CURDIR)/.bin/golangci-lint-$(GOLANGCI_VERSION)
FUZZTIME ?= 20s

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: test
test: servers ## Run every test of every module with -race, on real servers
	@scripts/each-module.sh go test -race -count=1 -timeout 30m ./...
	@echo "== counting allocations, which the race detector adds to"
	@go test -count=1 -run Alloc ./...

.PHONY: verify
verify: servers ## Run what takes long: other projects' tests, long sequences; keep the result in docs/verified.md
	@go run -C integration ./cmd/verified

.PHONY: examples
examples: servers ## Run every example
	@scripts/examples.sh

.PHONY: servers
servers: ## Install the database servers that the tests need, where that is possible
	@scripts/install-servers.sh

.PHONY: lint
lint: $(GOLANGCI) ## Check formatting, vet, and run the linters
	@scripts/each-module.sh scripts/lint.sh $(GOLANGCI)

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION)"
	@GOBIN=$(CURDIR)/.bin/tmp GOFLAGS=-mod=mod go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv .bin/tmp/golangci-lint $@ && rmdir .bin/tmp

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Compare with raw drivers and with peers: statements, each interceptor, pgx, reading rows
	@go run -C bench ./cmd/table
	@go run -C bench ./cmd/table -kit
	@go run -C bench ./cmd/table -pgx
	@go run -C bench ./cmd/table -scan

.PHONY: screenshots
screenshots: ## Make the pictures of docs/img anew, with chromium
	@scripts/screenshots.sh

.PHONY: cover
cover: servers ## Print the statements that tests cover, by package
	@go test -count=1 -cover ./...

.PHONY: tidy
tidy: ## Tidy every module
	@scripts/each-module.sh go mod tidy

.PHONY: check
check: lint test examples ## All that CI runs
