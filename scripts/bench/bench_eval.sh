#!/usr/bin/env bash
# Evaluation speed beside Hugging Face transformers, one pass beside token by token, and memory in streaming mode.
# usage: scripts/bench/bench_eval.sh [SHARED]   (folder with data/models and reference/; default: WKVQ_SHARED or ../shared)
# Needs transformers in a development environment of its own: .venv-dev, made here at the first call.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ ! -e .venv-dev/.ready ]]; then
  python3 -m venv .venv-dev
  .venv-dev/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.11.0 transformers==4.57.* safetensors numpy
  touch .venv-dev/.ready
fi
.venv-dev/bin/python scripts/bench/bench_eval.py "${1:-${WKVQ_SHARED:-../shared}}"
