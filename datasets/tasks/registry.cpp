#include <utility>

#include "core/base/error.h"
#include "core/base/text/suggest.h"
#include "core/base/text/visible_text.h"
#include "datasets/tasks/choice/choice_task.h"
#include "datasets/tasks/common/task.h"
#include "datasets/tasks/likelihood/cloze.h"
#include "datasets/tasks/likelihood/context_curve.h"
#include "datasets/tasks/likelihood/llama_cpp.h"
#include "datasets/tasks/likelihood/perplexity.h"
#include "datasets/tasks/likelihood/rolling.h"
#include "datasets/tasks/likelihood/trajectory.h"
#include "datasets/tasks/recall/kv_recall.h"
#include "datasets/tasks/recall/needle.h"
#include "datasets/tasks/recall/passkey.h"
#include "datasets/tasks/text/text_task.h"

namespace wkvq {

namespace {

using Factory = std::unique_ptr<Task> (*)();

template <class T>
std::unique_ptr<Task> make() {
  return std::make_unique<T>();
}

const std::vector<std::pair<std::string, Factory>>& table() {
  static const std::vector<std::pair<std::string, Factory>> entries = {
      {"perplexity", make<PerplexityTask>},
      {"rolling_perplexity", make<RollingPerplexityTask>},
      {"llama_cpp_perplexity", make<LlamaCppPerplexityTask>},
      {"context_curve", make<ContextCurveTask>},
      {"trajectory", make<TrajectoryTask>},
      {"cloze", make<ClozeTask>},
      {"passkey", make<PasskeyTask>},
      {"needle", make<NeedleTask>},
      {"kv_recall", make<KvRecallTask>},
  };
  return entries;
}

}  // namespace

std::unique_ptr<Task> make_task(const std::string& name) {
  for (const auto& [known, factory] : table()) {
    if (known == name) return factory();
  }
  if (auto declared = make_choice_task(name)) return declared;
  for (const TextTaskDeclaration& declaration : text_task_declarations())
    if (declaration.task_name() == name) return std::make_unique<TextTask>(declaration);
  const std::string near = nearest(name, task_names());
  config_error("unknown task '{}'{}; `wkvq list tasks` names all {}", shown(name),
               near.empty() ? "" : fmt::format("; did you mean '{}'?", near), task_names().size());
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  for (const std::string& name : choice_task_names()) names.push_back(name);
  for (const TextTaskDeclaration& declaration : text_task_declarations())
    names.push_back(declaration.task_name());
  return names;
}

}  // namespace wkvq
