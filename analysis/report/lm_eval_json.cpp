#include "analysis/report/lm_eval_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>

#include "analysis/report/lm_eval_samples.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/hdf5/probe.h"
#include "core/base/run/run_summary.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;

/// The evaluations of one entry of a configuration.
struct TaskEvaluations {
  std::string task;   ///< what the harness would call it
  std::string entry;  ///< "<data>.<kv mode>", or the name that the user gave it
  std::vector<const Evaluation*> evaluations;
};

/// Tasks that bring their own data are labelled with their own name ("piqa", "piqa-5shot").
bool is_own_data(const Evaluation& evaluation) {
  return evaluation.dataset.empty() || evaluation.dataset.starts_with(evaluation.task);
}

std::string task_of(const Evaluation& evaluation) {
  if (evaluation.task == "rolling_perplexity" && evaluation.dataset == "wikitext2")
    return "wikitext";
  if (is_own_data(evaluation)) return evaluation.task;
  return evaluation.task + "_" + evaluation.dataset;
}

/// A name of its own for one of several entries of a task: "piqa-5shot.past".
std::string long_name(const TaskEvaluations& one) {
  const Evaluation& first = *one.evaluations.front();
  if (!one.entry.starts_with(first.dataset + ".")) return one.task + "." + one.entry;
  return is_own_data(first) ? one.entry : one.task + one.entry.substr(first.dataset.size());
}

/// Entries in order; long names where a task was run more than once.
std::vector<TaskEvaluations> tasks_of(const RunSummary& run) {
  std::vector<TaskEvaluations> tasks;
  std::map<std::string, int> count;
  for (const Evaluation& evaluation : run.evaluations) {
    const std::string task = task_of(evaluation);
    const std::string entry =
        evaluation.name.substr(std::min(evaluation.name.size(), evaluation.metric.size() + 1));
    auto found = std::find_if(tasks.begin(), tasks.end(), [&](const TaskEvaluations& one) {
      return one.task == task && one.entry == entry;
    });
    if (found == tasks.end()) {
      found = tasks.insert(found, {task, entry, {}});
      ++count[task];
    }
    found->evaluations.push_back(&evaluation);
  }
  for (TaskEvaluations& one : tasks)
    if (count[one.task] > 1) one.task = long_name(one);
  return tasks;
}

bool higher_is_better(const std::string& metric) {
  for (const char* part : {"perplexity", "bits_per_byte", "nll", "kl"})
    if (metric.find(part) != std::string::npos) return false;
  return true;
}

ordered_json number_or(double value, const ordered_json& otherwise) {
  return std::isfinite(value) ? ordered_json(value) : otherwise;
}

ordered_json attribute(const hdf5::Reader& file, const std::string& group,
                       const std::string& name) {
  const auto value = file.attribute(group, name);
  if (!value) return nullptr;
  return std::visit([](const auto& v) { return ordered_json(v); }, *value);
}

std::string output_type(const std::vector<ordered_json>& samples) {
  if (samples.empty()) return "loglikelihood_rolling";
  if (samples.front()["doc"].contains("document")) return "loglikelihood_rolling";
  const size_t answers = samples.front()["resps"].size();
  return answers > 1 ? "multiple_choice" : answers == 1 ? "loglikelihood" : "generate_until";
}

ordered_json config_of(const hdf5::Reader& file, const TaskEvaluations& task,
                       const std::string& type) {
  const Evaluation& first = *task.evaluations.front();
  const std::string group = "/evaluation/" + first.name;
  const ordered_json shots = attribute(file, group, "num_fewshot");
  ordered_json metrics = ordered_json::array();
  for (const Evaluation* one : task.evaluations)
    metrics.push_back(
        {{"metric", one->metric}, {"higher_is_better", higher_is_better(one->metric)}});
  return {{"task", task.task},
          {"output_type", type},
          {"num_fewshot", shots.is_null() ? ordered_json(0) : shots},
          {"metric_list", metrics},
          {"metadata",
           {{"version", attribute(file, group, "task_version")},
            {"kv_mode", first.kv_mode},
            {"convention", first.convention},
            {"limit", attribute(file, group, "limit")},
            {"data_fingerprint", attribute(file, group, "data_fingerprint")}}}};
}

void add_task(const hdf5::Reader& file, const TaskEvaluations& task, LmEvalResults& out) {
  LmEvalSamples samples{task.task, lm_eval_samples(file, task.evaluations)};
  const int64_t n = samples.rows.empty() ? task.evaluations.front()->n
                                         : static_cast<int64_t>(samples.rows.size());
  ordered_json values = {{"name", task.task}, {"alias", task.task}, {"sample_len", n}};
  ordered_json better = ordered_json::object();
  for (const Evaluation* one : task.evaluations) {
    values[one->metric + ",none"] = number_or(one->value, nullptr);
    values[one->metric + "_stderr,none"] = number_or(one->stderr_, "N/A");
    better[one->metric] = higher_is_better(one->metric);
  }
  ordered_json& results = out.results;
  const ordered_json config = config_of(file, task, output_type(samples.rows));
  const ordered_json& version = config["metadata"]["version"];
  results["results"][task.task] = values;
  results["group_subtasks"][task.task] = ordered_json::array();
  results["configs"][task.task] = config;
  results["versions"][task.task] = version.is_null() ? ordered_json("N/A") : version;
  results["n-shot"][task.task] = config["num_fewshot"];
  results["higher_is_better"][task.task] = better;
  results["n-samples"][task.task] = {{"original", n}, {"effective", n}};
  if (!samples.rows.empty()) out.samples.push_back(std::move(samples));
}

/// Seconds since 1970 of an ISO 8601 time in UTC; null where it is none.
ordered_json epoch(const ordered_json& iso) {
  std::tm time{};
  std::istringstream text(iso.is_string() ? iso.get<std::string>() : std::string());
  text >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  return text.fail() ? ordered_json() : ordered_json(static_cast<double>(timegm(&time)));
}

void add_run(const RunSummary& run, const hdf5::Reader& file, ordered_json& results) {
  const ordered_json& config = run.config_tree;
  const ordered_json model = config.value("model", ordered_json::object());
  const std::string path = model.value("path", "");
  ordered_json limits = ordered_json::array();
  for (const auto& [task, one] : results["configs"].items())
    limits.push_back(one["metadata"]["limit"]);
  const bool same = !limits.empty() && std::all_of(limits.begin(), limits.end(), [&](auto& limit) {
    return limit == limits.front();
  });
  results["config"] = {
      {"model", "wkvq"},
      {"model_args", fmt::format("pretrained={},dtype={}", path, model.value("dtype", ""))},
      {"batch_size", "auto"},
      {"device", attribute(file, "/", "device")},
      {"limit", same ? limits.front() : ordered_json()},
      {"bootstrap_iters", 0},
      {"wkvq", config}};
  results["git_hash"] = attribute(file, "/", "git");
  results["date"] = epoch(attribute(file, "/", "started"));
  results["pretty_env_info"] = fmt::format("wkvq run {} of sweep {}", run.run_id, run.sweep);
  results["transformers_version"] = nullptr;
  results["model_source"] = "wkvq";
  results["model_name"] = path;
  std::string sanitized = path;
  std::replace_if(
      sanitized.begin(), sanitized.end(),
      [](char c) { return std::string("\"<>:/\\|?*[]").find(c) != std::string::npos; }, '_');
  results["model_name_sanitized"] = sanitized;
  const ordered_json seconds = attribute(file, "/", "seconds");
  results["total_evaluation_time_seconds"] = seconds.is_null() ? "" : seconds.dump();
}

LmEvalResults convert(const std::filesystem::path& path) {
  const RunSummary run = read_run(path);
  if (run.status != "done")
    config_error("{}: status {}; expected a run that is done", path.string(), run.status);
  const hdf5::Reader file(path);
  LmEvalResults out;
  for (const char* part : {"results", "group_subtasks", "configs", "versions", "n-shot",
                           "higher_is_better", "n-samples"})
    out.results[part] = ordered_json::object();
  for (const TaskEvaluations& task : tasks_of(run)) add_task(file, task, out);
  add_run(run, file, out.results);
  return out;
}

void write_whole(const std::filesystem::path& path, const std::string& text) {
  TemporaryFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

std::string dump(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

LmEvalResults lm_eval_results(const std::filesystem::path& run) {
  // HDF5 crashes on some damaged files.
  const std::string crash = probe(1, [&](size_t) { convert(run); }).front();
  if (!crash.empty()) config_error("{}: damaged: reading it ended with {}", run.string(), crash);
  return convert(run);
}

std::filesystem::path write_lm_eval_json(const std::filesystem::path& run) {
  const LmEvalResults out = lm_eval_results(run);
  std::filesystem::path folder = run;
  folder.replace_extension(".lm_eval");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) config_error("cannot make folder {}: {}", folder.string(), error.message());
  for (const LmEvalSamples& samples : out.samples) {
    std::string lines;
    for (const ordered_json& row : samples.rows) lines += dump(row, -1);
    std::string name = samples.task;
    std::replace(name.begin(), name.end(), '/', '_');
    write_whole(folder / ("samples_" + name + ".jsonl"), lines);
  }
  write_whole(folder / "results.json", dump(out.results, 2));
  return folder;
}

}  // namespace wkvq
