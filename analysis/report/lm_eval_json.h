#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wkvq {

/// The samples of one task: one object an item or document.
struct LmEvalSamples {
  std::string task;
  std::vector<nlohmann::ordered_json> rows;
};

/// One run in the layout of lm-evaluation-harness 0.4, for scripts made for it.
struct LmEvalResults {
  nlohmann::ordered_json results;
  std::vector<LmEvalSamples> samples;
};

/// A run file as lm-evaluation-harness would have written it. `results` has results, configs,
/// versions, n-shot, higher_is_better, n-samples, config and where it ran; a metric m of a task is
/// "m,none" with "m_stderr,none" ("N/A" where there is none). Evaluations of one task under several
/// KV modes are tasks of their own, "<task>.<kv mode>". configs/<task>/metadata says convention and
/// KV mode, which the harness does not know. What a run file does not hold (texts of the items and
/// their hashes) is left out.
/// ConfigError where the file cannot be read or is not done.
LmEvalResults lm_eval_results(const std::filesystem::path& run);

/// Writes <run without .h5>.lm_eval/results.json and samples_<task>.jsonl beside the run file, each
/// whole or not at all; returns that folder.
std::filesystem::path write_lm_eval_json(const std::filesystem::path& run);

}  // namespace wkvq
