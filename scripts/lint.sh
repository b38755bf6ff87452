#!/usr/bin/env bash
# Checks the module in the current folder. The argument is golangci-lint.
set -euo pipefail

golangci=$1
root=$(cd "$(dirname "$0")/.." && pwd)

go vet ./...
"$golangci" run --config "$root/.golangci.yml" ./...
