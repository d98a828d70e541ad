#include "experiments/commands/new_command.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_text.h"
#include "datasets/tasks/common/task.h"
#include "methods/registry.h"

namespace wkvq {

namespace {

/// Tasks whose conventions read running text or documents, which sampled windows are not.
constexpr std::array kTextTasks{"rolling_perplexity", "llama_cpp_perplexity"};

constexpr const char* kHead = R"(# Made by `wkvq new`. docs/configuration.md explains every key.
# `wkvq plan` lists its runs and the memory they need, `wkvq run` does what is not done yet,
# `wkvq report` prints the table of their results.
name: {name}

# A folder of safetensors, x.gguf, mini (comes with the program), or OWNER/NAME of the Hugging Face
# Hub in its local cache. dtype: auto takes what the files store; half types become float32 on CPUs.
model: {{path: {model}, dtype: auto}}

)";

constexpr const char* kCalibration =
    R"(# The text that the method is fitted to. More is better, and slower.
calibration: {dataset: {name: self}, samples: 16, length: 256}

)";

constexpr const char* kMethod = R"(# {summary}
# `wkvq list methods {method}` prints all options with their defaults.
method:
  name: {method}
  weight: {{bits: 4, group_size: 64}}     # or e.g. {{format: mxfp4}}; `wkvq list formats`
  kv:
    bits: 4                             # key: and value: override any field
    # view: {{mode: past, window: 1}}     # which tokens a query sees quantized: none, all, past, kivi

)";

constexpr const char* kEvaluate = R"(# {summary}
# `wkvq list tasks {task}` prints all options; more entries are more columns of the table.
evaluate:
  - task: {task}
{dataset}
# One run for every combination.
sweep:
  method.weight.bits: [16, 4]
  method.kv.bits: [16, 4, 2]
)";

std::string quoted(const std::string& text) {
  return flow_text(YamlNode::scalar(text, true));
}

/// The name of the file as one of a results folder.
std::string sweep_name(const std::filesystem::path& file) {
  constexpr size_t kMost = 80;
  std::string name = file.stem().string().substr(0, kMost);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '_';
  return name;
}

/// Whether the method looks at calibration text when weights have 4 bits.
bool needs_calibration(const std::string& name) {
  const std::unique_ptr<Method> method = make_method(name);
  const YamlNode options = parse_yaml_argument("{weight: {bits: 4}}", "wkvq new");
  YamlMap map(options, "method");
  map.read(*method);
  return method->calibration_needs() != CalibrationNeeds::kNone;
}

std::string dataset_lines(const NewSweepOptions& options, const Task& task) {
  const std::string& name = options.task;
  const bool needs_text = std::ranges::find(kTextTasks, name) != kTextTasks.end();
  if (!task.takes_dataset()) {
    if (!options.text.empty())
      config_error("new: --text '{}': task {} brings its own data; expected none",
                   options.text.string(), name);
    return "";
  }
  if (!options.text.empty())
    return fmt::format("    dataset: {{name: text, path: {}}}\n", quoted(options.text.string()));
  if (needs_text)
    config_error("new: task {} reads text, not sampled windows; expected --text FILE", name);
  return "    dataset: {name: self}             # sampled from the model; `wkvq list datasets`\n";
}

}  // namespace

int new_command(const NewSweepOptions& options, std::ostream& out) {
  const std::string file = options.file.string();
  if (std::filesystem::exists(options.file))
    config_error("new: '{}' exists; expected a new file", file);
  resolve_model_path(options.model);
  const std::unique_ptr<Task> task = make_task(options.task);
  if (!options.text.empty() && !std::filesystem::is_regular_file(options.text))
    config_error("new: --text '{}': no such file", options.text.string());
  const std::string text =
      fmt::format(kHead, fmt::arg("name", quoted(sweep_name(options.file))),
                  fmt::arg("model", quoted(options.model))) +
      (needs_calibration(options.method) ? kCalibration : "") +
      fmt::format(kMethod, fmt::arg("method", options.method),
                  fmt::arg("summary", make_method(options.method)->summary())) +
      fmt::format(kEvaluate, fmt::arg("task", options.task), fmt::arg("summary", task->summary()),
                  fmt::arg("dataset", dataset_lines(options, *task)));
  TemporaryFile target(options.file);
  target.write(text.data(), text.size());
  target.commit();
  fmt::print(out, "{}: 6 runs of {} on {}; `wkvq plan {}` lists them\n", file, options.method,
             options.model, file);
  return 0;
}

}  // namespace wkvq
