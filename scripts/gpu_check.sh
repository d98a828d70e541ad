#!/usr/bin/env bash
# Builds on a CUDA machine that reaches no package registry, runs the tests tagged [cuda] (under compute-sanitizer too, where it
# is there) and the benchmarks, and writes one JSON. Needs nvcc, PyTorch 2.11 (or WKVQ_LIBTORCH=DIR), CMake, ninja, g++, dpkg.
# usage: scripts/gpu_check.sh [VENDOR] [RESULT]   (what scripts/pack_for_gpu.sh made: vendor; gpu_check.json)
set -euo pipefail
cd "$(dirname "$0")/.."
vendor=$(realpath "${1:-vendor}")
result=${2:-gpu_check.json}
compgen -G "$vendor/*.deb" >/dev/null ||
  { echo "gpu_check: no packages in $vendor; scripts/pack_for_gpu.sh makes it" >&2; exit 2; }
(cd "$vendor" && sha256sum --quiet -c SHA256SUMS)

build=build-gpu
prefix=$PWD/$build/vendor
mkdir -p "$prefix" "$build/logs"
for package in "$vendor"/*.deb; do dpkg -x "$package" "$prefix"; done
libraries=$prefix/usr/lib/x86_64-linux-gnu
cat >"$build/pkg-config" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$libraries PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$prefix/usr/share/pkgconfig \\
  exec $prefix/usr/bin/pkgconf "\$@"
EOF
chmod +x "$build/pkg-config"

torch=${WKVQ_LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')}
options=()
if command -v nvidia-smi >/dev/null; then
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  options+=("-DCMAKE_CUDA_ARCHITECTURES=$capability")
fi
PKG_CONFIG=$PWD/$build/pkg-config cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWKVQ_CUDA=on -DWKVQ_PICTURES=OFF \
  "-DWKVQ_LIBTORCH=$torch" "-DCMAKE_PREFIX_PATH=$prefix/usr" "-DCMAKE_BUILD_RPATH=$libraries" \
  "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags -Wl,-rpath-link,$libraries" \
  "-DHDF5_C_INCLUDE_DIR=$prefix/usr/include/hdf5/serial" "-DHDF5_hdf5_LIBRARY=$libraries/libhdf5_serial.so" \
  "${options[@]}" >"$build/logs/configure.log" 2>&1 || { tail -30 "$build/logs/configure.log" >&2; exit 1; }
programs=(test_core test_methods test_experiments)
ninja -C "$build" wkvq "${programs[@]}" >"$build/logs/build.log" 2>&1 || { tail -50 "$build/logs/build.log" >&2; exit 1; }
[[ -z ${WKVQ_GPU_BUILD_ONLY:-} ]] || exit 0
command -v nvidia-smi >/dev/null || { echo "gpu_check: built; no NVIDIA device here, nothing was run" >&2; exit 1; }

# A step that fails is written down and does not keep the others from running.
failed=0
step() {
  local name=$1
  shift
  "$@" >"$build/logs/$name.log" 2>&1 && echo "$name: passed" || { echo "$name: failed, $build/logs/$name.log"; failed=1; }
}
for program in "${programs[@]}"; do step "$program" "$build/$program" "[cuda]" -r junit -o "$build/logs/$program.xml"; done
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    step "$tool" compute-sanitizer --tool "$tool" --error-exitcode 1 "$build/test_core" "[cuda]"
  done
fi
bench() {
  local name=$1
  shift
  step "bench_$name" "$build/wkvq" bench "$@" --device cuda --json "$build/logs/bench_$name.json"
}
bench decode decode --model llama-2-7b --context 8192,32768,131072 --bits 4,3,2,8
bench decode_grouped decode --model llama-3.1-8b --context 8192,32768,131072 --batch 1,16
bench linear linear --batch 1,4,16 --bits 4,3,8
bench append append --batch 1,16
bench attention attention --context 4096
bench fake_quant fake-quant
bench end_to_end end-to-end --model llama-2-7b --context 2048,32768
python3 - "$build/logs" "$result" <<'EOF'
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

logs = pathlib.Path(sys.argv[1])
query = "--query-gpu=name,driver_version,memory.total"
out = {"device": subprocess.run(["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True).stdout.strip(),
       "nvcc": subprocess.run(["nvcc", "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1],
       "tests": {}, "bench": {}, "sanitizer": {}}
for path in sorted(logs.glob("*.xml")):
    suites = xml.parse(path).getroot().iter("testsuite")
    out["tests"][path.stem] = [{key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")}
                               for suite in suites]
for path in sorted(logs.glob("bench_*.json")):
    out["bench"][path.stem.removeprefix("bench_")] = json.loads(path.read_text())
for tool in ("memcheck", "racecheck"):
    path = logs / f"{tool}.log"
    if path.exists():
        out["sanitizer"][tool] = [line for line in path.read_text().splitlines() if "SUMMARY" in line]
pathlib.Path(sys.argv[2]).write_text(json.dumps(out, indent=2) + "\n")
EOF
echo "written: $result"
exit $failed
