#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "experiments/bench/bench.h"

namespace wkvq {

namespace {

nlohmann::json as_json(const BenchResult& result, double bandwidth) {
  nlohmann::json entries{{"case", result.label}};
  for (const Timing& timing : result.timings) {
    nlohmann::json entry{{"name", timing.name},
                         {"seconds_median", timing.median()},
                         {"spread", timing.spread()},
                         {"seconds", timing.seconds},
                         {"bytes", timing.bytes},
                         {"share_of_copy_bandwidth", timing.bytes / timing.median() / bandwidth}};
    if (timing.formula > 0) entry["bytes_formula"] = timing.formula;
    if (&timing != &result.timings.front()) entry["ratio"] = ratio(result.timings.front(), timing);
    entries["contestants"].push_back(entry);
  }
  return entries;
}

}  // namespace

void write_json(const BenchRun& run, const std::filesystem::path& path) {
  nlohmann::json document{
      {"what", run.options.what},     {"model", run.options.model},
      {"device", run.options.device}, {"threads", at::get_num_threads()},
      {"kernels", run.kernels},       {"copy_bytes_per_second", run.copy_bandwidth},
      {"repeat", run.options.repeat}, {"cases", nlohmann::json::array()}};
  for (const BenchResult& result : run.results)
    document["cases"].push_back(as_json(result, run.copy_bandwidth));
  std::ofstream file(path);
  file << document.dump(2) << '\n';
  if (!file.flush()) config_error("bench: cannot write '{}'", path.string());
}

void write_hdf5(const BenchRun& run, const std::filesystem::path& path) {
  if (std::filesystem::exists(path))
    config_error("bench: --hdf5 '{}' exists; expected a new file", path.string());
  hdf5::Writer file(path);
  file.attribute("/", "what", run.options.what);
  file.attribute("/", "model", run.options.model);
  file.attribute("/", "device", run.options.device);
  file.attribute("/", "threads", int64_t{at::get_num_threads()});
  file.attribute("/", "kernels", run.kernels);
  file.attribute("/", "copy_bytes_per_second", run.copy_bandwidth);
  file.attribute("/", "repeat", run.options.repeat);
  for (size_t i = 0; i < run.results.size(); ++i) {
    const BenchResult& result = run.results[i];
    const std::string group = fmt::format("/case_{:02}", i);
    file.attribute(group, "case", result.label);
    for (size_t k = 0; k < result.timings.size(); ++k) {
      const Timing& timing = result.timings[k];
      const std::string own = fmt::format("{}/contestant_{}", group, k);
      file.attribute(own, "name", timing.name);
      file.attribute(own, "bytes", timing.bytes);
      if (timing.formula > 0) file.attribute(own, "bytes_formula", timing.formula);
      file.attribute(own, "seconds_median", timing.median());
      file.attribute(own, "spread", timing.spread());
      file.attribute(own, "share_of_copy_bandwidth",
                     timing.bytes / timing.median() / run.copy_bandwidth);
      if (k > 0) file.attribute(own, "ratio", ratio(result.timings.front(), timing));
      file.column(own, "seconds", timing.seconds);
    }
  }
  file.close();
}

}  // namespace wkvq
