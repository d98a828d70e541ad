#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ostream>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/packed_kernels.h"
#include "experiments/bench/bench.h"
#include "experiments/session/session.h"

namespace wkvq {

namespace {

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

/// Until everything that `work` queued on the device is done.
double seconds_of(const std::function<void()>& work, const at::Device& device) {
  const auto start = std::chrono::steady_clock::now();
  work();
  if (!device.is_cpu())
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print(std::ostream& out, const BenchResult& result, double bandwidth) {
  fmt::print(out, "{}\n", result.label);
  const std::vector<Timing>& timings = result.timings;
  for (const Timing& timing : timings) {
    fmt::print(out,
               "  {:<28}{:>10.3f} ms +- {:>4.1f} % {:>9.2f} MB {:>6.2f} of copy, limit {:>8.3f} ms",
               timing.name, timing.median() * 1e3, timing.spread() * 100, timing.bytes / 1e6,
               timing.bytes / timing.median() / bandwidth, timing.bytes / bandwidth * 1e3);
    if (&timing != &timings.front())
      fmt::print(out, "  {:.2f} x ours", ratio(timings.front(), timing));
    if (timing.formula > 0)
      fmt::print(out, "  {:.2f} tokens/s, holds {:.3f} of the byte model", 1 / timing.median(),
                 timing.bytes / timing.formula);
    fmt::print(out, "\n");
  }
}

}  // namespace

double Timing::median() const {
  return quantile(seconds, 0.5);
}

double Timing::spread() const {
  return (quantile(seconds, 0.75) - quantile(seconds, 0.25)) / 2 / median();
}

std::vector<Timing> measure(const BenchCase& bench, int64_t repeat, at::Device device) {
  std::vector<Timing> timings;
  for (const Contestant& contestant : bench.contestants)
    timings.push_back({contestant.name, contestant.bytes, {}, contestant.formula});
  for (int64_t round = -1; round < repeat; ++round) {
    for (size_t i = 0; i < timings.size(); ++i) {
      const double seconds = seconds_of([&] { bench.contestants[i].run(round + 1); }, device);
      if (round >= 0) timings[i].seconds.push_back(seconds);
    }
  }
  return timings;
}

double ratio(const Timing& ours, const Timing& other) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.seconds.size(); ++i)
    ratios.push_back(other.seconds[i] / ours.seconds[i]);
  return quantile(ratios, 0.5);
}

double copy_bandwidth(int64_t repeat, at::Device device) {
  constexpr int64_t kBytes = int64_t{256} << 20;
  const at::Tensor from = at::ones({kBytes}, at::device(device).dtype(at::kByte));
  at::Tensor to = at::zeros_like(from);
  const Timing timing =
      measure({"copy",
               {{"copy", 2.0 * kBytes,
                 [&](int64_t) {
                   if (!device.is_cpu()) {
                     to.copy_(from);
                     return;
                   }
                   at::parallel_for(0, kBytes, 1 << 20, [&](int64_t begin, int64_t end) {
                     std::memcpy(to.data_ptr<uint8_t>() + begin,
                                 from.const_data_ptr<uint8_t>() + begin,
                                 static_cast<size_t>(end - begin));
                   });
                 }}}},
              repeat, device)
          .front();
  return timing.bytes / timing.median();
}

int bench_command(const BenchOptions& options, std::ostream& out) {
  if (options.repeat < 1 || options.repeat > kMostSamples)
    config_error("bench: --repeat {}; expected 1 to {}", options.repeat, kMostSamples);
  if (!options.hdf5.empty() && std::filesystem::exists(options.hdf5))
    config_error("bench: --hdf5 '{}' exists; expected a new file", options.hdf5.string());
  const at::Device device = torch_device(options.device);
  const auto cases = bench_cases(options);
  BenchRun run{.options = options, .copy_bandwidth = copy_bandwidth(options.repeat, device)};
  run.kernels = device.is_cpu() ? packed_kernels().front().name : cuda_kernels().name;
  fmt::print(out, "{} threads, {} kernels, copy {:.2f} GB/s read and written\n",
             at::get_num_threads(), run.kernels, run.copy_bandwidth / 1e9);
  for (const auto& make : cases) {
    const BenchCase bench = make();
    run.results.push_back({bench.label, measure(bench, options.repeat, device)});
    print(out, run.results.back(), run.copy_bandwidth);
    out.flush();
  }
  if (!options.json.empty()) write_json(run, options.json);
  if (!options.hdf5.empty()) write_hdf5(run, options.hdf5);
  return 0;
}

}  // namespace wkvq
