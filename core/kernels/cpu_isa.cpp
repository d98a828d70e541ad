#include "core/kernels/cpu_isa.h"

#include <cstdlib>
#include <string>

#include "core/base/error.h"

namespace wkvq {

namespace {

constexpr const char* kVariable = "WKVQ_CPU_CAPABILITY";

struct Named {
  const char* name;
  CpuIsa isa;
};
constexpr Named kNames[] = {
    {"generic", CpuIsa::kGeneric}, {"avx2", CpuIsa::kAvx2}, {"avx512", CpuIsa::kAvx512}};

CpuIsa best_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return CpuIsa::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CpuIsa::kAvx2;
#endif
  return CpuIsa::kGeneric;
}

CpuIsa chosen_isa() {
  const CpuIsa best = best_isa();
  const char* const asked = std::getenv(kVariable);
  if (!asked || !*asked) return best;
  for (const auto& [name, isa] : kNames) {
    if (std::string(asked) != name) continue;
    if (isa > best) config_error("{}={}: this processor does not run {}", kVariable, asked, name);
    return isa;
  }
  config_error("{}={}: expected generic, avx2 or avx512", kVariable, asked);
}

}  // namespace

CpuIsa cpu_isa() {
  static const CpuIsa isa = chosen_isa();
  return isa;
}

}  // namespace wkvq
