#include "analysis/merge/merge_index.h"

#include "analysis/read/load_runs.h"

namespace wkvq {
namespace {

constexpr const char* kIndex = "/index";

using Place = std::pair<const RunSummary*, const Evaluation*>;

/// One column: `value` of every row.
template <class T, class Value>
void write(const std::vector<Place>& rows, hdf5::Writer& file, const std::string& name,
           Value&& value) {
  std::vector<T> column;
  for (const auto& [run, evaluation] : rows) column.push_back(value(*run, *evaluation));
  file.column(kIndex, name, column);
}

std::string text_of(const AttributeValue* value) {
  if (!value) return {};
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, *value);
}

}  // namespace

void write_merge_index(const std::vector<RunSummary>& runs, hdf5::Writer& file) {
  std::vector<Place> rows;
  for (const RunSummary& run : runs)
    for (const Evaluation& evaluation : run.evaluations) rows.emplace_back(&run, &evaluation);
  using Run = const RunSummary&;
  using One = const Evaluation&;
  const auto text = [&](const char* name, auto&& value) {
    write<std::string>(rows, file, name, value);
  };
  text("run_id", [](Run run, One) { return run.run_id; });
  text("sweep", [](Run run, One) { return run.sweep; });
  text("evaluation", [](Run, One one) { return one.name; });
  text("metric", [](Run, One one) { return one.metric; });
  write<double>(rows, file, "value", [](Run, One one) { return one.value; });
  write<double>(rows, file, "stderr", [](Run, One one) { return one.stderr_; });
  write<int64_t>(rows, file, "n", [](Run, One one) { return one.n; });
  text("kv_mode", [](Run, One one) { return one.kv_mode; });
  text("convention", [](Run, One one) { return one.convention; });
  text("dataset", [](Run, One one) { return one.dataset; });
  text("task", [](Run, One one) { return one.task; });
  for (const std::string& key : differing_keys(runs))
    text(key.c_str(), [&](Run run, One) { return text_of(config_value(run, key)); });
}

}  // namespace wkvq
