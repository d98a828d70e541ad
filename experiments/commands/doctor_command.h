#pragma once

#include <filesystem>
#include <ostream>

namespace wkvq {

/// Prints what this machine can do: instruction sets, memory, CUDA, the embedded model, and what
/// the results folder takes: run files, claims, locks. Tries, leaves nothing behind. Returns 1
/// where a run would fail.
int doctor_command(const std::filesystem::path& results, std::ostream& out);

}  // namespace wkvq
