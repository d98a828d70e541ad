#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace wkvq {

/// Options of `wkvq bench`.
struct BenchOptions {
  std::string what;                  ///< decode, append, linear, attention, fake-quant, end-to-end
  std::string model = "llama-2-7b";  ///< shapes: 1b, llama-2-7b, llama-2-13b, llama-3.1-8b
  int64_t layers = 0;                ///< end-to-end: blocks of the model; 0: as many as it has
  std::vector<int64_t> contexts{8192};  ///< tokens a sequence (decode, append, attention)
  std::vector<int64_t> batches{1};      ///< sequences; linear: rows
  std::vector<int64_t> bits{4};         ///< of weights, keys and values
  int64_t group = 128;                  ///< of weights; keys and values: at most head_dim
  int64_t repeat = 15;                  ///< rounds; all contestants take part in each
  std::string device = "cpu";
  std::filesystem::path json, hdf5;  ///< written where not empty
};

/// Something that is timed. `run(i)` uses the i-th copy of its data, so that it comes from memory
/// and not from a cache, as in a model of many blocks.
struct Contestant {
  std::string name;
  double bytes = 0;  ///< read and written by one call
  std::function<void(int64_t)> run;
  /// Of a decode step, which reads all that it holds: `bytes` by the byte model; else 0.
  double formula = 0;
};

/// Contestants that do the same work; the first one is ours.
struct BenchCase {
  std::string label;
  std::vector<Contestant> contestants;
};

/// Seconds of all rounds of one contestant.
struct Timing {
  std::string name;
  double bytes = 0;
  std::vector<double> seconds;
  double formula = 0;  ///< as Contestant::formula

  double median() const;
  /// Half the distance between the quartiles, as a share of the median.
  double spread() const;
};

/// Times the contestants in turn, `repeat` rounds after one that is not counted.
std::vector<Timing> measure(const BenchCase& bench, int64_t repeat, at::Device device = at::kCPU);

/// Median over rounds of the time of `other` over that of `ours` in the same round.
double ratio(const Timing& ours, const Timing& other);

/// Bytes a second, read and written, of a copy of 256 MiB by all threads, or of a device's memory.
double copy_bandwidth(int64_t repeat, at::Device device);

/// A case that was measured.
struct BenchResult {
  std::string label;
  std::vector<Timing> timings;  ///< ours first
};
/// What is common to all cases of a call.
struct BenchRun {
  BenchOptions options;
  double copy_bandwidth = 0;
  std::vector<BenchResult> results;
  std::string kernels;  ///< which ones of ours ran
};

/// Writes everything, each round's time too. ConfigError where the file cannot be written.
void write_json(const BenchRun& run, const std::filesystem::path& path);
/// The same: attributes of the call at the root, a group a case (/case_00) and in it one a
/// contestant with a column `seconds`. The file must not exist.
void write_hdf5(const BenchRun& run, const std::filesystem::path& path);

/// Makes the cases of options.what one by one; each lives only while it is measured.
std::vector<std::function<BenchCase()>> bench_cases(const BenchOptions& options);

/// Measures and prints a table: time, bytes, share of the copy bandwidth, the limit by bytes,
/// ratios to libtorch in the same rounds. Throws ConfigError for what is unknown or not supported.
int bench_command(const BenchOptions& options, std::ostream& out);

}  // namespace wkvq
