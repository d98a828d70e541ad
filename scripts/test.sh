#!/usr/bin/env bash
# Sets up, builds everything and runs the whole test suite. usage: scripts/test.sh [ctest options]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
echo "Building everything"
cmake --build build -- --quiet
ctest --test-dir build --output-on-failure --parallel "$(nproc)" "$@"
