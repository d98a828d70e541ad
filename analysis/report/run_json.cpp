#include "analysis/report/run_json.h"

namespace wkvq {

std::string runs_as_json(const std::vector<RunSummary>& runs) {
  using nlohmann::ordered_json;
  ordered_json list = ordered_json::array();
  for (const RunSummary& run : runs) {
    ordered_json evaluations = ordered_json::object();
    for (const Evaluation& evaluation : run.evaluations)
      evaluations[evaluation.name] = {
          {"metric", evaluation.metric},   {"value", evaluation.value},
          {"stderr", evaluation.stderr_},  {"n", evaluation.n},
          {"kv_mode", evaluation.kv_mode}, {"convention", evaluation.convention}};
    ordered_json cost = ordered_json::object();
    for (const auto& [name, value] : run.cost)
      std::visit([&cost, &key = name](const auto& v) { cost[key] = v; }, value);
    ordered_json object = {
        {"run_id", run.run_id},
        {"sweep", run.sweep},
        {"status", run.status},
        {"config", run.config_tree.is_object() ? run.config_tree : ordered_json::object()},
        {"evaluation", evaluations},
        {"cost", cost}};
    if (!run.error.empty()) object["error"] = run.error;
    list.push_back(std::move(object));
  }
  return list.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string runs_as_lines(const std::vector<RunSummary>& runs) {
  using nlohmann::ordered_json;
  std::string text;
  for (const RunSummary& run : runs) {
    ordered_json line = {{"run_id", run.run_id}, {"sweep", run.sweep}, {"status", run.status}};
    const auto add = [&line](const std::string& prefix, const hdf5::NamedAttributes& attributes) {
      for (const auto& [name, value] : attributes)
        std::visit([&, &key = name](const auto& v) { line[prefix + key] = v; }, value);
    };
    if (!run.error.empty()) line["error"] = run.error;
    add("", run.attributes);
    add("config.", run.config);
    for (const Evaluation& e : run.evaluations) {
      line[e.name] = e.value;
      const ordered_json facts = {{"stderr", e.stderr_},  {"n", e.n},
                                  {"metric", e.metric},   {"dataset", e.dataset},
                                  {"kv_mode", e.kv_mode}, {"convention", e.convention}};
      for (const auto& [key, value] : facts.items()) line[e.name + "." + key] = value;
    }
    add("cost.", run.cost);
    text += line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace wkvq
