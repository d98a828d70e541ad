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

}  // namespace wkvq
