#!/usr/bin/env bash
# Fails where a source file is not formatted; `scripts/quality/check_format.sh --fix` formats it.
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp' '*.cu' '*.cuh' '*.inc')
if [[ ${1:-} == --fix ]]; then
  .venv/bin/clang-format -i "${files[@]}"
else
  .venv/bin/clang-format --dry-run --Werror "${files[@]}"
  echo "clang-format: ${#files[@]} files clean"
fi
