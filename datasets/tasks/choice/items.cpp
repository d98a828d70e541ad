#include "datasets/tasks/choice/items.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "datasets/random/python_random.h"
#include "datasets/readers/json_lines.h"

namespace wkvq {

namespace {

constexpr const char* kShotSeparator = "\n\n";

std::string shown_names(const std::vector<std::string>& names) {
  std::string shown;
  for (const std::string& name : names) shown += (shown.empty() ? "'" : ", '") + name + "'";
  return shown;
}

int64_t label_of(const TaskDeclaration& task, const nlohmann::json& record,
                 const std::string& place, size_t choices) {
  const std::string text = task.label->render(record, place);
  int64_t label = -1;
  if (task.label_names) {
    const std::vector<std::string> names = task.label_names->render(record, place);
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end())
      config_error("{}: label '{}', expected one of {}", place, shown(text),
                   shown(shown_names(names)));
    label = found - names.begin();
  } else {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, label);
    if (error != std::errc() || stop != end)
      config_error("{}: label '{}', expected a whole number", place, shown(text));
  }
  if (label < 0 || label >= static_cast<int64_t>(choices))
    config_error("{}: label {}, expected 0..{}", place, label, static_cast<int64_t>(choices) - 1);
  return label;
}

void clean(const TaskDeclaration& task, std::vector<std::string>& texts) {
  if (!task.clean) return;
  for (std::string& text : texts) text = task.clean->apply(text);
}

/// The question alone, nothing in front.
TaskItem render_item(const TaskDeclaration& task, const nlohmann::json& record,
                     const std::string& place) {
  TaskItem item{.place = place};
  if (task.contexts)
    item.contexts = task.contexts->render(record, place);
  else
    item.contexts = {task.context->render(record, place)};
  clean(task, item.contexts);
  if (task.form == TaskForm::kContinuation) {
    item.continuations = {task.continuation->render(record, place)};
    item.choices = item.continuations;
    return item;
  }
  if (task.form == TaskForm::kContexts) {
    const std::string continuation = task.delimiter + task.continuation->render(record, place);
    item.continuations.assign(item.contexts.size(), continuation);
    item.choices = item.contexts;
  } else {
    item.choices = task.choices->render(record, place);
    clean(task, item.choices);
    for (const std::string& choice : item.choices)
      item.continuations.push_back(task.delimiter + choice);
    item.contexts.resize(item.choices.size(), item.contexts[0]);
  }
  if (item.choices.empty()) config_error("{}: no choices, expected at least one", place);
  item.label = label_of(task, record, place, item.choices.size());
  return item;
}

/// An item with its answer, as it stands in front of others. A continuation that is compared with
/// no other brings its own delimiter along and still gets one here, as in lm-evaluation-harness.
std::string solved(const TaskDeclaration& task, const TaskItem& item) {
  const size_t right = static_cast<size_t>(item.label);
  const std::string& continuation = item.continuations[right];
  return item.contexts[right] +
         (task.form == TaskForm::kContinuation ? task.delimiter + continuation : continuation) +
         kShotSeparator;
}

/// Draws the solved examples of one item after the other.
class ShotSampler {
 public:
  ShotSampler(const TaskDeclaration& task, const JsonLines& pool, const ItemOptions& options)
      : task_(task),
        pool_(pool),
        shots_(static_cast<size_t>(options.num_fewshot)),
        random_(static_cast<uint32_t>(options.fewshot_seed)) {}

  std::string draw(const nlohmann::json& record) {
    std::string text;
    for (const size_t i : indices(record))
      text += solved(task_, render_item(task_, pool_.records[i], pool_.places[i]));
    return text;
  }

 private:
  bool own_items() const { return task_.fewshot.split.empty(); }

  std::vector<size_t> indices(const nlohmann::json& record) {
    if (task_.fewshot.order == ShotOrder::kFirst) return first(others_than(record, shots_));
    const size_t asked = shots_ + (own_items() ? 1 : 0);
    if (pool_.records.size() < asked) first({});
    std::vector<size_t> drawn = random_.sample(pool_.records.size(), asked);
    if (!own_items()) return drawn;
    std::erase_if(drawn, [&](size_t i) { return pool_.records[i] == record; });
    if (drawn.size() >= shots_) return first(std::move(drawn));
    // The item was there more than once.
    const std::vector<size_t> others = others_than(record, pool_.records.size());
    drawn = first(others);
    const std::vector<size_t> again = random_.sample(others.size(), shots_);
    for (size_t i = 0; i < shots_; ++i) drawn[i] = others[again[i]];
    return drawn;
  }

  std::vector<size_t> first(std::vector<size_t> found) const {
    if (found.size() < shots_)
      config_error("{}: too few records for {} solved examples in front of each item",
                   pool_.places[0], shots_);
    found.resize(shots_);
    return found;
  }

  /// The first `most` of them: a look through all for each item would be quadratic.
  std::vector<size_t> others_than(const nlohmann::json& record, size_t most) const {
    std::vector<size_t> others;
    for (size_t i = 0; i < pool_.records.size() && others.size() < most; ++i)
      if (!own_items() || pool_.records[i] != record) others.push_back(i);
    return others;
  }

  const TaskDeclaration& task_;
  const JsonLines& pool_;
  size_t shots_;
  PythonRandom random_;
};

std::string description_of(const TaskDeclaration& task, const TaskPart& part) {
  if (!task.description) return {};
  std::string words = part.name;
  std::replace(words.begin(), words.end(), '_', ' ');
  return task.description->render({{"part", words}}, "description of " + task.name);
}

}  // namespace

std::filesystem::path fewshot_file(const std::filesystem::path& file) {
  return file.parent_path() / (file.stem().string() + ".dev" + file.extension().string());
}

TaskItems read_items(const TaskDeclaration& task, const TaskPart& part,
                     const ItemOptions& options) {
  const bool few = options.num_fewshot > 0;
  const bool own = few && task.fewshot.split.empty();
  const JsonLines lines = read_json_lines(part.file, own ? 0 : options.limit);
  JsonLines dev;
  if (few && !own) dev = read_json_lines(fewshot_file(part.file), 0);
  ShotSampler sampler(task, own ? lines : dev, options);
  const std::string description = description_of(task, part);

  TaskItems read{.in_file = lines.in_file};
  size_t count = lines.records.size();
  if (options.limit > 0) count = std::min(count, static_cast<size_t>(options.limit));
  for (size_t i = 0; i < count; ++i) {
    TaskItem item = render_item(task, lines.records[i], lines.places[i]);
    const std::string front = description + (few ? sampler.draw(lines.records[i]) : "");
    for (std::string& context : item.contexts) context.insert(0, front);
    read.items.push_back(std::move(item));
  }
  return read;
}

}  // namespace wkvq
