#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/compare/cells.h"
#include "analysis/compare/compare.h"
#include "analysis/compare/significance.h"
#include "analysis/tables/section.h"
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

/// What a perplexity of `mean` nats is worth in the unit of its difference; nothing elsewhere.
Cell nats_of(const Comparison& one, const Evaluation& evaluation, double mean) {
  if (one.value != "nll") return {};
  // d ln(perplexity) = d perplexity / perplexity.
  Cell cell = value_cell(evaluation);
  cell.value = mean;
  cell.error = evaluation.stderr_ / evaluation.value;
  return cell;
}

Table with_headers(const std::vector<std::string>& names) {
  Table table{.key_columns = 1, .text_width = SIZE_MAX};
  for (const std::string& name : names) table.headers.push_back({name});
  return table;
}

/// Evaluation and KV modes, which say which row it is.
std::vector<Cell> keys_of(const Comparison& one) {
  return {attribute_cell(one.first.metric + " " + one.first.dataset),
          attribute_cell(one.first.kv_mode), attribute_cell(one.second.kv_mode)};
}

Table difference_table(const RunComparison& runs) {
  Table table = with_headers({"evaluation", "kv A", "kv B", "A", "B"});
  const bool nats = std::ranges::any_of(runs.comparisons,
                                        [](const Comparison& one) { return one.value == "nll"; });
  if (nats) table.headers.insert(table.headers.end(), {{"A, nats"}, {"B, nats"}});
  table.headers.insert(table.headers.end(), {{"B - A"}, {"95 %"}, {"unit"}, {"clusters"}});
  for (const Comparison& one : runs.comparisons) {
    auto& row = table.rows.emplace_back(keys_of(one));
    row.insert(row.end(), {value_cell(one.first), value_cell(one.second)});
    if (nats)
      row.insert(row.end(), {nats_of(one, one.first, one.first_mean),
                             nats_of(one, one.second, one.second_mean)});
    row.insert(row.end(),
               {difference_cell(one), text_cell(interval(one.difference)), text_cell(unit_of(one)),
                text_cell(fmt::format("{} {}s", one.clusters, one.cluster))});
  }
  return table;
}

Table flip_table(const RunComparison& runs) {
  Table table =
      with_headers({"evaluation", "kv A", "kv B", "right to wrong", "wrong to right", "p", "test"});
  for (const Comparison& one : runs.comparisons) {
    if (!one.flips) continue;
    auto& row = table.rows.emplace_back(keys_of(one));
    row.insert(row.end(),
               {attribute_cell(one.flips->right_wrong), attribute_cell(one.flips->wrong_right),
                number_cell(one.flips->p, fmt::format("{:.3g}", one.flips->p)),
                text_cell(one.flips->test)});
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

namespace {

std::string bootstrap_note(const BootstrapOptions& bootstrap) {
  return fmt::format(
      "± of B - A: paired, over clusters; 95 %: paired bootstrap of whole "
      "clusters, {} samples, seed {}",
      bootstrap.samples, bootstrap.seed);
}

/// Which items flipped, a line an evaluation, and what could not be compared.
std::vector<std::string> notes_of(const RunComparison& runs, bool all_items) {
  std::vector<std::string> notes;
  for (const Comparison& one : runs.comparisons)
    if (one.flips)
      notes.push_back(
          printable(fmt::format("{} {} ({}, {}): right to wrong: ", one.first.metric,
                                one.first.dataset, one.first.kv_mode, one.second.kv_mode)) +
          item_list(one.right_to_wrong, all_items) +
          "; wrong to right: " + item_list(one.wrong_to_right, all_items));
  for (const Refusal& one : runs.refusals)
    notes.push_back("not compared: " + printable(one.name) + ": " + printable(one.why));
  return notes;
}

/// For formats that name their sections; there the KV modes say which row it is too.
std::vector<Section> sections_of(const RunComparison& runs, const CompareOptions& options) {
  Section differences{
      .title = fmt::format("Paired differences: A {}, B {}", printable(runs.first.run_id),
                           printable(runs.second.run_id)),
      .table = difference_table(runs)};
  if (!runs.comparisons.empty())
    differences.notes = {bootstrap_note(options.bootstrap) + ".", stars_legend()};
  Section flips{.title = "Items that flipped", .table = flip_table(runs)};
  for (const std::string& note : notes_of(runs, options.items)) flips.notes.push_back(note + ".");
  for (Section* section : {&differences, &flips}) section->table.key_columns = 3;
  return {differences, flips};
}

}  // namespace

void print_comparison(const RunComparison& runs, const CompareOptions& options, std::ostream& out) {
  if (options.format == "csv" || options.format == "latex") {
    out << sections_text(sections_of(runs, options), options.format);
    return;
  }
  const bool markdown = options.format == "markdown";
  const auto print = [&](const Table& typed) {
    const TextTable table = text_table(typed, false);
    if (!table.rows.empty())
      out << "\n" << (markdown ? markdown_text(table) : terminal_text(table, kWidth));
  };
  out << "A: " << printable(runs.first.run_id) << "\n"
      << (markdown ? "\n" : "") << "B: " << printable(runs.second.run_id) << "\n";
  print(difference_table(runs));
  print(flip_table(runs));
  const std::string bullet = markdown ? "- " : "";
  out << "\n";
  if (!runs.comparisons.empty()) out << bullet << bootstrap_note(options.bootstrap) << "\n";
  for (const std::string& note : notes_of(runs, options.items)) out << bullet << note << "\n";
}

}  // namespace wkvq
