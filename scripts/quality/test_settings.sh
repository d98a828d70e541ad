#!/usr/bin/env bash
# Runs test programs as other processors and seeds would: other instruction sets of libtorch, MKL, oneDNN and of our own
# kernels, products summed in another order, other random inputs, more threads. One line a setting; fails where a test does.
# usage: scripts/quality/test_settings.sh [--short] [PROGRAM ...]   (after scripts/test.sh; default: test_core test_methods)
# --short: the two settings that differ most from the plain run, which CI takes.
set -uo pipefail
cd "$(dirname "$0")/../.."

short=false
if [[ ${1:-} == --short ]]; then
  short=true
  shift
fi
programs=("${@:-}")
[[ -n ${programs[0]} ]] || programs=(test_core test_methods)

settings=(
  "ATEN_CPU_CAPABILITY=default WKVQ_CPU_CAPABILITY=generic MKL_ENABLE_INSTRUCTIONS=SSE4_2 ONEDNN_MAX_CPU_ISA=SSE41 WKVQ_TEST_SUMS=reversed"
  "WKVQ_TEST_SUMS=rows"
)
$short || settings+=(
  "OMP_NUM_THREADS=1"
  "OMP_NUM_THREADS=2"
  "ATEN_CPU_CAPABILITY=default"
  "ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 WKVQ_CPU_CAPABILITY=avx2"
  "MKL_ENABLE_INSTRUCTIONS=SSE4_2"
  "WKVQ_CPU_CAPABILITY=generic"
  "WKVQ_TEST_SUMS=reversed"
  "WKVQ_TEST_SUMS=rows WKVQ_TEST_SEED=1"
  "WKVQ_TEST_SEED=1"
  "WKVQ_TEST_SEED=2"
)
if ! $short && grep -qw avx512vl /proc/cpuinfo; then
  settings+=(
    "ATEN_CPU_CAPABILITY=avx512 WKVQ_CPU_CAPABILITY=avx512"
    "ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16"  # without AMX where the processor has it
    "MKL_ENABLE_INSTRUCTIONS=AVX512"
  )
fi

echo "processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
failed=0
for setting in "${settings[@]}"; do
  for program in "${programs[@]}"; do
    log=$(mktemp)
    # One thread unless the setting says otherwise, as ctest runs them.
    if env OMP_NUM_THREADS=1 $setting "build/$program" '~[cuda]~[.]' >"$log" 2>&1; then
      echo "green  $program  $setting"
    else
      echo "RED    $program  $setting"
      grep -vE '^skipped' "$log" | tail -60
      failed=$((failed + 1))
    fi
    rm -f "$log"
  done
done
settings_run=$((${#settings[@]} * ${#programs[@]}))
echo "$((settings_run - failed)) passed, $failed failed"
[[ $failed -eq 0 ]]
