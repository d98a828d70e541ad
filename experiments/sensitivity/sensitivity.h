#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/recorder.h"
#include "experiments/config/run_config.h"
#include "experiments/session/session.h"

namespace wkvq {

/// One of `sensitivity.formats`: {format: mxfp4}.
struct ProbedFormat {
  std::string format;

  void visit(OptionVisitor& v);
};

/// `sensitivity:` of a configuration: which parts of every block are probed, at which bits and in
/// which formats.
struct SensitivityOptions {
  std::vector<int64_t> bits{8, 4, 3, 2};
  std::vector<ProbedFormat> formats;
  bool weights = true, keys = true, values = true;

  void visit(OptionVisitor& v);
};

/// The method set so that only one part is quantized; probed at every block.
struct ProbeSetting {
  std::string part;  ///< weights, keys or values
  int64_t bits = 0;
  std::string format;  ///< its name; empty: whole numbers
  RunConfig config;
};

/// A configuration to be probed.
struct SensitivityPlan {
  RunConfig run;  ///< as the file has it
  SensitivityOptions options;
  std::vector<ProbeSetting> settings;  ///< by part, then in the order of options.bits and formats

  /// That of the run with its key `sensitivity`.
  std::string canonical_yaml() const;
  std::string identity_yaml() const;  ///< see RunConfig

 private:
  std::string section_yaml() const;
};

/// Reads a run's configuration with its key `sensitivity` (absent: the defaults). A setting is the
/// configuration with bits or format of weight, activation, kv.key and kv.value replaced.
/// ConfigError unless there is exactly one evaluation, of perplexity in one pass.
SensitivityPlan read_sensitivity(const YamlNode& node);

/// ConfigError where a setting does not fit the model, or its method quantizes more than the part.
void check_sensitivity(const SensitivityPlan& plan, Session& session);

/// Quantizes one part of one block at a time, everything else in full precision, and writes
/// /sensitivity (results/README.md). One block-major pass: a probe leaves the full-precision stream
/// at its block and is carried on beside it, scored as evaluations are. `on_step(done, total)`
/// counts streams through blocks and scorings.
void execute_sensitivity(const SensitivityPlan& plan, Session& session, Recorder& recorder,
                         const std::function<void(int64_t, int64_t)>& on_step);

}  // namespace wkvq
