#include "core/base/run/run_summary.h"

#include "core/base/error.h"
#include "core/base/run/run_file.h"
#include "core/base/run/run_state.h"
#include "core/base/yaml/yaml_json.h"

namespace wkvq {
namespace {

/// Typed attributes of one group of one file.
class Attributes {
 public:
  Attributes(const hdf5::Reader& file, std::string path, std::string group)
      : file_(file), path_(std::move(path)), group_(std::move(group)) {}

  std::string text(const std::string& name) const {
    return convert<std::string>(required(name), name);
  }
  std::string text(const std::string& name, const std::string& fallback) const {
    const auto value = file_.attribute(group_, name);
    return value ? convert<std::string>(*value, name) : fallback;
  }
  double number(const std::string& name) const { return convert<double>(required(name), name); }
  double number(const std::string& name, double fallback) const {
    const auto value = file_.attribute(group_, name);
    return value ? convert<double>(*value, name) : fallback;
  }
  int64_t integer(const std::string& name, int64_t fallback) const {
    const auto value = file_.attribute(group_, name);
    return value ? convert<int64_t>(*value, name) : fallback;
  }

 private:
  AttributeValue required(const std::string& name) const {
    auto value = file_.attribute(group_, name);
    if (!value) config_error("{}: no attribute '{}' of {}", path_, name, group_);
    return *std::move(value);
  }

  template <class T>
  T convert(const AttributeValue& value, const std::string& name) const {
    if (const T* same = std::get_if<T>(&value)) return *same;
    if constexpr (std::is_same_v<T, double>)
      if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
    config_error("{}: attribute '{}' of {} has the wrong type; expected {}", path_, name, group_,
                 std::is_same_v<T, std::string> ? "text" : "a number");
  }

  const hdf5::Reader& file_;
  std::string path_;
  std::string group_;
};

Attributes open_root(const hdf5::Reader& file, const std::filesystem::path& path) {
  Attributes root(file, path.string(), "/");
  const std::string schema = root.text("schema");
  if (schema != kRunSchema)
    config_error("{}: schema '{}'; expected '{}'", path.string(), schema, kRunSchema);
  return root;
}

Evaluation read_evaluation(const Attributes& group, const std::string& name) {
  Evaluation result;
  result.name = name;
  result.metric = group.text("metric");
  result.value = group.number("value");
  result.stderr_ = group.number("stderr", NAN);
  result.n = group.integer("n", 0);
  result.kv_mode = group.text("kv_mode");
  result.convention = group.text("convention");
  result.dataset = group.text("dataset", "");
  result.task = group.text("task", "");
  return result;
}

}  // namespace

RunSummary read_run(const std::filesystem::path& path) {
  const hdf5::Reader file(path);
  const Attributes root = open_root(file, path);
  RunSummary run;
  run.path = path;
  run.run_id = root.text("run_id");
  run.sweep = root.text("sweep");
  run.status = root.text("status");
  run.error = root.text("error", "");
  run.attributes = file.attributes("/");
  const std::string yaml = Attributes(file, path.string(), "/config").text("yaml");
  try {
    run.config_tree = yaml_to_json(yaml);
  } catch (const ConfigError& error) {
    config_error("{}: configuration: {}", path.string(), error.what());
  }
  run.config = flatten(run.config_tree);
  for (const std::string& name : file.groups("/evaluation"))
    run.evaluations.push_back(
        read_evaluation(Attributes(file, path.string(), "/evaluation/" + name), name));
  run.cost = file.attributes("/cost");
  return run;
}

bool is_complete(const std::filesystem::path& path) {
  return run_state(path).status == RunStatus::kDone;
}

}  // namespace wkvq
