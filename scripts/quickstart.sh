#!/usr/bin/env bash
# Sets up, builds and runs the main job in small: a sweep over the embedded model, and its table.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
echo "Building build/wkvq"
cmake --build build --target wkvq -- --quiet
build/wkvq run experiments/configs/quickstart.yaml
build/wkvq report results/quickstart
echo
echo "Result files (HDF5; schema in results/README.md):"
ls -1 results/quickstart/*.h5
