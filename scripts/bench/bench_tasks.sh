#!/usr/bin/env bash
# Zero-shot tasks beside lm-evaluation-harness with its transformers backend, timed in turn, and whether the metrics are equal.
# usage: scripts/bench/bench_tasks.sh [SHARED]   (folder with data/models and data/tasks; default: WKVQ_SHARED or ../shared)
# Needs the harness in a development environment of its own: .venv-dev, made here at the first call.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ ! -e .venv-dev/.tasks ]]; then
  python3 -m venv .venv-dev
  .venv-dev/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.11.0 transformers==4.57.* "lm_eval[hf]==0.4.13" accelerate safetensors numpy
  touch .venv-dev/.tasks
fi
HF_HUB_OFFLINE=1 .venv-dev/bin/python scripts/bench/bench_tasks.py "${1:-${WKVQ_SHARED:-../shared}}"
