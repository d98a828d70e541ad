#include "analysis/report/show_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace wkvq {

namespace {

constexpr size_t kShownHeads = 5;

struct HeadError {
  std::string block;
  size_t head = 0;
  double logits = 0, output = 0;
};

std::vector<HeadError> head_errors(const hdf5::Reader& file) {
  std::vector<HeadError> heads;
  for (const std::string& block : file.groups("/statistics")) {
    const std::string group = "/statistics/" + block + "/heads";
    if (file.datasets(group).empty()) continue;
    const Array logits = file.array(group, "logit_error");
    const Array output = file.array(group, "output_error");
    for (size_t i = 0; i < std::min(logits.values.size(), output.values.size()); ++i)
      heads.push_back({block, i, logits.values[i], output.values[i]});
  }
  return heads;
}

/// The number `name` of an evaluation; NaN where it has none.
double number_of(const hdf5::Reader& file, const std::string& evaluation, const char* name) {
  const auto value = file.attribute("/evaluation/" + evaluation, name);
  const double* number = value ? std::get_if<double>(&*value) : nullptr;
  return number ? *number : NAN;
}

/// The evaluation of `metric` on what `kl` was measured on; null where there is none.
const Evaluation* beside(const RunSummary& run, const Evaluation& kl, const std::string& metric) {
  const size_t at = kl.name.find(kl.metric);
  if (at == std::string::npos) return nullptr;
  std::string prefix = kl.metric;
  prefix.erase(prefix.size() - 2);
  std::string name = kl.name;
  name.replace(at, kl.metric.size(), prefix + metric);
  const auto found = std::ranges::find(run.evaluations, name, &Evaluation::name);
  return found == run.evaluations.end() ? nullptr : &*found;
}

/// As llama.cpp prints a number.
Cell plain(double value) {
  return number_cell(value, fmt::format("{:.6f}", value));
}

Cell plain(double value, double error) {
  Cell cell = number_cell(value, fmt::format("{:.6f} ± {:.6f}", value, error));
  cell.error = error;
  return cell;
}

/// A share, shown in percent.
Cell percent(double share) {
  return number_cell(share, fmt::format("{:.4f} %", 100 * share));
}

Cell percent(double share, double error) {
  Cell cell = number_cell(share, fmt::format("{:.4f} ± {:.4f} %", 100 * share, 100 * error));
  cell.error = error;
  return cell;
}

/// Label and cell of every line for one evaluation.
using Lines = std::vector<std::pair<std::string, Cell>>;

void add_percentiles(Lines& lines, const std::string& what, const char* unit,
                     const std::function<double(const char*)>& of) {
  static const std::vector<std::pair<const char*, const char*>> shown{
      {"maximum", "largest"},      {"99.9 %", "percentile_99_9"}, {"99 %", "percentile_99"},
      {"95 %", "percentile_95"},   {"90 %", "percentile_90"},     {"75 %", "percentile_75"},
      {"median", "percentile_50"}, {"25 %", "percentile_25"},     {"10 %", "percentile_10"},
      {"5 %", "percentile_5"},     {"1 %", "percentile_1"},       {"0.1 %", "percentile_0_1"},
      {"minimum", "smallest"}};
  for (const auto& [label, name] : shown)
    lines.emplace_back(fmt::format("{}, {}", what, label),
                       *unit ? percent(of(name)) : plain(of(name)));
}

Lines lines_of(const RunSummary& run, const hdf5::Reader& file, const Evaluation& kl) {
  const Evaluation* perplexity = beside(run, kl, "perplexity");
  const Evaluation* ratio = beside(run, kl, "perplexity_ratio");
  const Evaluation* delta = beside(run, kl, "delta_p");
  const Evaluation* rms = beside(run, kl, "delta_p_rms");
  const Evaluation* same = beside(run, kl, "top1_agreement");
  if (!perplexity || !ratio || !delta || !rms || !same) return {};
  const auto of = [&](const Evaluation& e) {
    return [&file, name = e.name](const char* what) { return number_of(file, name, what); };
  };
  Lines lines{{"PPL(Q)", plain(perplexity->value)},
              {"PPL(base)", plain(of(*ratio)("perplexity_full"))},
              {"Cor(ln PPL(Q), ln PPL(base))", percent(of(*ratio)("correlation"))},
              {"PPL(Q)/PPL(base)", plain(ratio->value, of(*ratio)("stderr_tokens"))},
              {"KLD, mean", plain(kl.value, of(kl)("stderr_tokens"))}};
  add_percentiles(lines, "KLD", "", of(kl));
  lines.emplace_back("delta p, mean", percent(delta->value, of(*delta)("stderr_tokens")));
  add_percentiles(lines, "delta p", "%", of(*delta));
  lines.emplace_back("delta p, RMS", percent(rms->value, of(*rms)("stderr_tokens")));
  lines.emplace_back("same top p", percent(same->value));
  return lines;
}

}  // namespace

Table worst_heads_table(const hdf5::Reader& file) {
  Table table{
      .headers = {{"block"}, {"head"}, {"logit error"}, {"output error"}, {"of the median"}},
      .rows = {},
      .key_columns = 2};
  std::vector<HeadError> heads = head_errors(file);
  std::ranges::sort(heads, std::greater<>(), &HeadError::output);
  for (size_t i = 0; i < std::min(kShownHeads, heads.size()); ++i) {
    const HeadError& head = heads[i];
    const double ratio = head.output / heads[heads.size() / 2].output;
    table.rows.push_back({text_cell(head.block),
                          number_cell(static_cast<double>(head.head), std::to_string(head.head)),
                          number_cell(head.logits, fmt::format("{:.4g}", head.logits)),
                          number_cell(head.output, fmt::format("{:.4g}", head.output)),
                          number_cell(ratio, fmt::format("{:.2f}", ratio))});
  }
  return table;
}

Table llama_cpp_table(const RunSummary& run, const hdf5::Reader& file) {
  Table table{.headers = {{"statistic"}}, .rows = {}, .key_columns = 1};
  for (const Evaluation& e : run.evaluations) {
    if (e.metric != "kl" && !e.metric.ends_with("_kl")) continue;
    const Lines lines = lines_of(run, file, e);
    if (lines.empty()) continue;
    table.headers.push_back({e.name});
    table.rows.resize(lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      if (table.rows[i].empty()) table.rows[i].push_back(text_cell(lines[i].first));
      table.rows[i].push_back(lines[i].second);
    }
  }
  return table;
}

}  // namespace wkvq
