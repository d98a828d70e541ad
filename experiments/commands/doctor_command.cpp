#include "experiments/commands/doctor_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/claim.h"
#include "core/device/cuda_backend.h"
#include "core/device/torch_headers.h"
#include "core/kernels/cpu_isa.h"
#include "experiments/bench/bench_end_to_end.h"
#include "experiments/config/provenance.h"
#include "experiments/run/results_folder.h"
#include "torch/csrc/api/include/torch/version.h"

namespace wkvq {

namespace {

constexpr double kGiga = 1e9;
constexpr double kFewBytes = 1e9;

/// What was found; `well` is false where a run would fail.
struct Finding {
  std::string text;
  bool well = true;
};

std::string processor_features() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  const auto add = [&](const char* name, int supported) {
    if (supported != 0) found.emplace_back(name);
  };
  add("avx2", __builtin_cpu_supports("avx2"));
  add("fma", __builtin_cpu_supports("fma"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  add("avx512bf16", __builtin_cpu_supports("avx512bf16"));
#endif
  return found.empty() ? "none that kernels use" : fmt::format("{}", fmt::join(found, ", "));
}

Finding processor() {
  constexpr const char* kNames[] = {"generic", "avx2", "avx512"};
  const CpuIsa isa = cpu_isa();
  return {fmt::format("kernels for {} (instruction sets here: {}); libtorch uses {}",
                      kNames[static_cast<int>(isa)], processor_features(),
                      at::get_cpu_capability())};
}

Finding threads() {
  return {fmt::format("{} logical processors, {} threads for a run",
                      std::thread::hardware_concurrency(), at::get_num_threads())};
}

Finding memory() {
  const double all =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  std::string text =
      fmt::format("{:.1f} GB, {:.1f} GB of them free", all / kGiga, available_bytes() / kGiga);
  double limit = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit < all)
    text += fmt::format("; this container may use {:.1f} GB", limit / kGiga);
  return {text};
}

Finding cuda() {
#ifdef WKVQ_WITH_CUDA
  const int devices = load_cuda_backend();
  return {devices == 0
              ? "kernels are built, but no device was found"
              : fmt::format("kernels are built, {} device{}", devices, devices == 1 ? "" : "s")};
#else
  return {"this build has no kernels for it (cmake -DWKVQ_CUDA=on needs nvcc)"};
#endif
}

Finding embedded_model() {
  try {
    return {fmt::format("mini lies in {}", resolve_model_path("mini").string())};
  } catch (const ConfigError& error) {
    return {error.what(), false};
  }
}

Finding folder(const std::filesystem::path& results) {
  require_writable(results);
  const auto space = static_cast<double>(std::filesystem::space(results).available);
  const bool enough = space >= kFewBytes;
  return {fmt::format("'{}' can be written, {:.1f} GB free{}", results.string(), space / kGiga,
                      enough ? "" : ": results of a large sweep may not fit"),
          true};
}

Finding run_file(const std::filesystem::path& trial) {
  hdf5::Writer writer(trial);
  writer.attribute("/", "number", int64_t{42});
  writer.close();
  const auto read = hdf5::Reader(trial).attribute("/", "number");
  const bool equal = read && *read == AttributeValue(int64_t{42});
  return {fmt::format("HDF5 {}.{}.{}: a file was written and read {}", H5_VERS_MAJOR, H5_VERS_MINOR,
                      H5_VERS_RELEASE, equal ? "back" : "otherwise"),
          equal};
}

Finding claims(const std::filesystem::path& trial) {
  const std::unique_ptr<Claim> claim = Claim::take(trial);
  if (!claim || !Claim::holder(trial)) return {"a claim could not be taken", false};
  return {"several `wkvq run` may share the folder"};
}

/// Locks that HDF5 asks for in other programs; wkvq needs none.
Finding locks(const std::filesystem::path& trial) {
  const int descriptor = ::open(trial.c_str(), O_RDONLY | O_CLOEXEC);
  const bool locked = descriptor >= 0 && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  if (descriptor >= 0) ::close(descriptor);
  return {locked ? "file locks work (wkvq needs none; h5py takes them)"
                 : "no file locks: wkvq needs none; for h5py set HDF5_USE_FILE_LOCKING=FALSE"};
}

}  // namespace

int doctor_command(const std::filesystem::path& results, std::ostream& out) {
  bool well = true;
  const auto tell = [&](const char* what, auto&& look) {
    Finding finding;
    try {
      finding = look();
    } catch (const std::exception& error) {
      finding = {error.what(), false};
    }
    fmt::print(out, "{:<4}  {:<10}  {}\n", finding.well ? "ok" : "FAIL", what, finding.text);
    well = well && finding.well;
  };
  const std::filesystem::path trial = results / ".doctor.h5";
  const bool existed = std::filesystem::exists(results);
  tell("program", [] {
    return Finding{fmt::format("{}, g++ " __VERSION__ ", libtorch " TORCH_VERSION, git_version())};
  });
  tell("processor", processor);
  tell("threads", threads);
  tell("memory", memory);
  tell("cuda", cuda);
  tell("model", embedded_model);
  tell("results", [&] { return folder(results); });
  tell("run file", [&] { return run_file(trial); });
  tell("claims", [&] { return claims(trial); });
  tell("locks", [&] { return locks(trial); });
  std::error_code ignored;
  std::filesystem::remove(trial, ignored);
  if (!existed) std::filesystem::remove(results, ignored);
  out << (well ? "This machine can run sweeps.\n" : "Runs would fail here: see FAIL.\n");
  return well ? 0 : 1;
}

}  // namespace wkvq
