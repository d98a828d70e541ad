#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/compare/compare.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_table.h"
#include "analysis/tables/text_width.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;

constexpr size_t kWidth = 120;
constexpr size_t kItemsShown = 10;

std::string interval(const PairedDifference& difference) {
  if (std::isnan(difference.low)) return "-";
  return fmt::format("{:.4g} .. {:.4g}", difference.low, difference.high);
}

/// What a perplexity of `mean` nats is worth in the unit of its difference; empty elsewhere.
std::string nats_of(const Comparison& one, const Evaluation& evaluation, double mean) {
  if (one.value != "nll") return "-";
  // d ln(perplexity) = d perplexity / perplexity.
  return format_measurement(mean, evaluation.stderr_ / evaluation.value);
}

TextTable difference_table(const RunComparison& runs) {
  TextTable table{{"evaluation", "kv A", "kv B", "A", "B"}, {}, 1};
  const bool nats = std::ranges::any_of(runs.comparisons,
                                        [](const Comparison& one) { return one.value == "nll"; });
  if (nats) table.headers.insert(table.headers.end(), {"A, nats", "B, nats"});
  table.headers.insert(table.headers.end(), {"B - A", "95 %", "unit", "clusters"});
  for (const Comparison& one : runs.comparisons) {
    auto& row = table.rows.emplace_back();
    row = {printable(one.first.metric + " " + one.first.dataset), printable(one.first.kv_mode),
           printable(one.second.kv_mode), format_measurement(one.first.value, one.first.stderr_),
           format_measurement(one.second.value, one.second.stderr_)};
    if (nats)
      row.insert(row.end(), {nats_of(one, one.first, one.first_mean),
                             nats_of(one, one.second, one.second_mean)});
    row.insert(row.end(), {format_measurement(one.difference.value, one.difference.standard_error),
                           interval(one.difference), unit_of(one),
                           fmt::format("{} {}s", one.clusters, one.cluster)});
  }
  return table;
}

TextTable flip_table(const RunComparison& runs) {
  TextTable table{
      {"evaluation", "kv A", "kv B", "right to wrong", "wrong to right", "p", "test"}, {}, 1};
  for (const Comparison& one : runs.comparisons) {
    if (!one.flips) continue;
    table.rows.push_back({printable(one.first.metric + " " + one.first.dataset),
                          printable(one.first.kv_mode), printable(one.second.kv_mode),
                          std::to_string(one.flips->right_wrong),
                          std::to_string(one.flips->wrong_right),
                          fmt::format("{:.3g}", one.flips->p), one.flips->test});
  }
  return table;
}

/// A number alone would read as a count.
std::string item_name(const std::string& item) {
  const bool number = item.find_first_not_of("0123456789") == std::string::npos;
  return number ? "#" + item : item;
}

/// "2 items (#0, #3)".
std::string item_list(const std::vector<std::string>& items, bool all) {
  if (items.empty()) return "no item";
  const size_t shown = all ? items.size() : std::min(items.size(), kItemsShown);
  std::string text = fmt::format("{} item{} (", items.size(), items.size() == 1 ? "" : "s");
  for (size_t i = 0; i < shown; ++i) text += (i ? ", " : "") + item_name(items[i]);
  if (shown < items.size()) text += fmt::format(", ... {} more: --items", items.size() - shown);
  return printable(text + ")");
}

ordered_json as_json(const Comparison& one) {
  ordered_json object = {{"name", one.first.name},
                         {"metric", one.first.metric},
                         {"dataset", one.first.dataset},
                         {"kv_mode_a", one.first.kv_mode},
                         {"kv_mode_b", one.second.kv_mode},
                         {"convention", one.first.convention},
                         {"value_a", one.first.value},
                         {"stderr_a", one.first.stderr_},
                         {"value_b", one.second.value},
                         {"stderr_b", one.second.stderr_},
                         {"unit", unit_of(one)},
                         {"mean_a", one.first_mean},
                         {"mean_b", one.second_mean},
                         {"difference", one.difference.value},
                         {"stderr", one.difference.standard_error},
                         {"interval_95", {one.difference.low, one.difference.high}},
                         {"cluster", one.cluster},
                         {"clusters", one.clusters}};
  if (!one.flips) return object;
  object["mcnemar"] = {{"right_to_wrong", one.flips->right_wrong},
                       {"wrong_to_right", one.flips->wrong_right},
                       {"p", one.flips->p},
                       {"test", one.flips->test}};
  object["right_to_wrong"] = one.right_to_wrong;
  object["wrong_to_right"] = one.wrong_to_right;
  return object;
}

ordered_json run_json(const RunSummary& run) {
  return {{"run_id", run.run_id}, {"path", run.path.string()}};
}

}  // namespace

std::string comparison_as_json(const RunComparison& runs, const BootstrapOptions& bootstrap) {
  ordered_json comparisons = ordered_json::array(), refusals = ordered_json::array();
  for (const Comparison& one : runs.comparisons) comparisons.push_back(as_json(one));
  for (const Refusal& one : runs.refusals)
    refusals.push_back({{"name", one.name}, {"why", one.why}});
  const ordered_json whole = {
      {"a", run_json(runs.first)},
      {"b", run_json(runs.second)},
      {"bootstrap", {{"samples", bootstrap.samples}, {"seed", bootstrap.seed}}},
      {"comparisons", comparisons},
      {"not_compared", refusals}};
  return whole.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void print_comparison(const RunComparison& runs, const CompareOptions& options, std::ostream& out) {
  const bool markdown = options.format == "markdown";
  const auto print = [&](const TextTable& table) {
    if (!table.rows.empty())
      out << "\n" << (markdown ? markdown_text(table) : terminal_text(table, kWidth));
  };
  out << "A: " << printable(runs.first.run_id) << "\n"
      << (markdown ? "\n" : "") << "B: " << printable(runs.second.run_id) << "\n";
  print(difference_table(runs));
  print(flip_table(runs));
  const std::string bullet = markdown ? "- " : "";
  out << "\n";
  if (!runs.comparisons.empty())
    out << bullet
        << fmt::format(
               "± of B - A: paired, over clusters; 95 %: paired bootstrap of whole "
               "clusters, {} samples, seed {}\n",
               options.bootstrap.samples, options.bootstrap.seed);
  for (const Comparison& one : runs.comparisons)
    if (one.flips)
      out << bullet
          << printable(fmt::format("{} {} ({}, {}): right to wrong: ", one.first.metric,
                                   one.first.dataset, one.first.kv_mode, one.second.kv_mode))
          << item_list(one.right_to_wrong, options.items)
          << "; wrong to right: " << item_list(one.wrong_to_right, options.items) << "\n";
  for (const Refusal& one : runs.refusals)
    out << bullet << "not compared: " << printable(one.name) << ": " << printable(one.why) << "\n";
}

}  // namespace wkvq
