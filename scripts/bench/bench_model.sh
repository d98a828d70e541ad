#!/usr/bin/env bash
# Decoding and one evaluation pass of a real model beside llama.cpp, and transformers where .venv-dev has it.
# usage: scripts/bench/bench_model.sh MODEL.gguf [bench_model.py's options]
# llama.cpp is built here once, in WKVQ_LLAMA (default ~/.cache/wkvq-llama), from the sources in the sdist of llama-cpp-python on
# PyPI: a development tool that the project itself never uses.
set -euo pipefail
cd "$(dirname "$0")/../.."
llama=${WKVQ_LLAMA:-$HOME/.cache/wkvq-llama}
version=${WKVQ_LLAMA_VERSION:-0.3.36}
if [[ ! -x $llama/build/bin/llama-bench || ! -x $llama/build/bin/llama-quantize ]]; then
  mkdir -p "$llama"
  (cd "$llama" && python3 -m pip download --quiet --no-binary :all: --no-deps "llama-cpp-python==$version" &&
    tar xzf "llama_cpp_python-$version.tar.gz")
  cmake -S "$llama/llama_cpp_python-$version/vendor/llama.cpp" -B "$llama/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
    -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF > "$llama/cmake.log"
  cmake --build "$llama/build" -j1 --target llama-bench llama-quantize > "$llama/build.log"
fi
exec python3 scripts/bench/bench_model.py --llama "$llama/build/bin" "$@"
