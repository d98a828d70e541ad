#pragma once

namespace wkvq {

/// Instruction sets that kernels are compiled for, in rising order.
enum class CpuIsa { kGeneric, kAvx2, kAvx512 };

/// The best one that this processor runs. WKVQ_CPU_CAPABILITY (generic, avx2, avx512) asks for
/// another, so that one machine can compute as others do. ConfigError where the name is unknown or
/// the processor lacks it.
CpuIsa cpu_isa();

}  // namespace wkvq
