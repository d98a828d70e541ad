#!/usr/bin/env bash
# Calibration speed of wkvquant beside the same algorithm in eager PyTorch, and what a training step costs.
# usage: scripts/bench/bench_calibration.sh [--small] [--rounds N]   (--small: only the proof that both do the same work)
# Takes torch from .venv (scripts/bootstrap.sh) and what else it needs from .venv-bench, made here at the first call.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ ! -e .venv-bench/.ready ]]; then
  python3 -m venv .venv-bench
  .venv-bench/bin/pip install --quiet --no-compile --disable-pip-version-check numpy h5py safetensors
  site=$(.venv-bench/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/torch.pth"
  touch .venv-bench/.ready
fi
exec .venv-bench/bin/python scripts/bench/bench_calibration.py "$@"
