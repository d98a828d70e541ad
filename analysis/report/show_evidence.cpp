#include "analysis/report/show_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/tables/text_width.h"

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

std::string percent(double share) {
  return fmt::format("{:.4f} %", 100 * share);
}

std::string percent(double share, double error) {
  return fmt::format("{:.4f} ± {:.4f} %", 100 * share, 100 * error);
}

/// Label and cell of every line for one evaluation.
using Lines = std::vector<std::pair<std::string, std::string>>;

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
                       *unit ? percent(of(name)) : fmt::format("{:.6f}", of(name)));
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
  Lines lines{{"PPL(Q)", fmt::format("{:.6f}", perplexity->value)},
              {"PPL(base)", fmt::format("{:.6f}", of(*ratio)("perplexity_full"))},
              {"Cor(ln PPL(Q), ln PPL(base))", percent(of(*ratio)("correlation"))},
              {"PPL(Q)/PPL(base)",
               fmt::format("{:.6f} ± {:.6f}", ratio->value, of(*ratio)("stderr_tokens"))},
              {"KLD, mean", fmt::format("{:.6f} ± {:.6f}", kl.value, of(kl)("stderr_tokens"))}};
  add_percentiles(lines, "KLD", "", of(kl));
  lines.emplace_back("delta p, mean", percent(delta->value, of(*delta)("stderr_tokens")));
  add_percentiles(lines, "delta p", "%", of(*delta));
  lines.emplace_back("delta p, RMS", percent(rms->value, of(*rms)("stderr_tokens")));
  lines.emplace_back("same top p", percent(same->value));
  return lines;
}

}  // namespace

TextTable worst_heads_table(const hdf5::Reader& file) {
  TextTable table{{"block", "head", "logit error", "output error", "of the median"}, {}, 2};
  std::vector<HeadError> heads = head_errors(file);
  std::ranges::sort(heads, std::greater<>(), &HeadError::output);
  for (size_t i = 0; i < std::min(kShownHeads, heads.size()); ++i) {
    const HeadError& head = heads[i];
    table.rows.push_back({printable(head.block), std::to_string(head.head),
                          fmt::format("{:.4g}", head.logits), fmt::format("{:.4g}", head.output),
                          fmt::format("{:.2f}", head.output / heads[heads.size() / 2].output)});
  }
  return table;
}

TextTable llama_cpp_table(const RunSummary& run, const hdf5::Reader& file) {
  TextTable table{{"statistic"}, {}, 1};
  for (const Evaluation& e : run.evaluations) {
    if (e.metric != "kl" && !e.metric.ends_with("_kl")) continue;
    const Lines lines = lines_of(run, file, e);
    if (lines.empty()) continue;
    table.headers.push_back(printable(e.name));
    table.rows.resize(lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      if (table.rows[i].empty()) table.rows[i].push_back(lines[i].first);
      table.rows[i].push_back(lines[i].second);
    }
  }
  return table;
}

}  // namespace wkvq
