#include "analysis/published/published_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "analysis/read/load_runs.h"

namespace wkvq {

namespace {

int64_t number(const RunSummary& run, const std::string& key, int64_t fallback) {
  const AttributeValue* value = config_value(run, key);
  const auto* whole = value ? std::get_if<int64_t>(value) : nullptr;
  return whole ? *whole : fallback;
}

std::string text(const RunSummary& run, const std::string& key, const std::string& fallback) {
  const AttributeValue* value = config_value(run, key);
  const auto* string = value ? std::get_if<std::string>(value) : nullptr;
  return string ? *string : fallback;
}

/// Published tables are of integers: the bits of another format stay unknown.
int64_t integer_bits(const RunSummary& run, const std::string& part) {
  return text(run, part + ".format", "").empty() ? number(run, part + ".bits", 16) : 0;
}

/// `part` of the cache's keys or values: their own where they have one, else that of both.
std::string kv_text(const RunSummary& run, const std::string& side, const std::string& part,
                    const std::string& fallback) {
  return text(run, "method.kv." + side + "." + part, text(run, "method.kv." + part, fallback));
}

int64_t kv_number(const RunSummary& run, const std::string& side, const std::string& part,
                  int64_t fallback) {
  return number(run, "method.kv." + side + "." + part, number(run, "method.kv." + part, fallback));
}

/// Groups within a token and a head, nothing in front of them: what published tables mean by bits
/// of a cache.
bool is_plain(const RunSummary& run, const std::string& side) {
  return kv_text(run, side, "format", "").empty() &&
         kv_text(run, side, "axis", "token") == "token" &&
         kv_text(run, side, "group_scope", "head") == "head" &&
         kv_text(run, side, "rotate", "none") == "none" &&
         kv_text(run, side, "channel.shift", "none") == "none" &&
         kv_text(run, side, "channel.scale", "none") == "none";
}

void add_cache(const RunSummary& run, const Evaluation& evaluation, NumberSetting& setting) {
  const int64_t bits = kv_number(run, "key", "bits", 16);
  if (bits != kv_number(run, "value", "bits", 16)) return;
  setting.kv_bits = bits;
  const int64_t group = kv_number(run, "key", "group_size", -1);
  if (group != kv_number(run, "value", "group_size", -1)) return;
  if (!is_plain(run, "key") || !is_plain(run, "value")) return;
  setting.kv_group = group;
  setting.kv_mode = evaluation.kv_mode;
}

/// The tokens of a window where the whole test text was cut into them and scored, else 0.
int64_t whole_text_context(const RunSummary& run, const Evaluation& evaluation) {
  for (int64_t i = 0;; ++i) {
    const std::string entry = fmt::format("evaluate.{}.", i);
    if (!config_value(run, entry + "task")) break;
    if (text(run, entry + "task", "") != "perplexity" ||
        text(run, entry + "kv_mode", "") != evaluation.kv_mode)
      continue;
    if (number(run, entry + "windows", 0) != 0 || number(run, entry + "score_from", 1) != 1)
      return 0;
  }
  static const std::regex cut("^GPTQ windows, context ([0-9]{1,9}), tail dropped");
  std::smatch found;
  return std::regex_search(evaluation.convention, found, cut) ? std::stoll(found[1].str()) : 0;
}

bool states(const std::string& a, const std::string& b) {
  return !a.empty() && a == b;
}

bool states(int64_t a, int64_t b) {
  return a != 0 && a == b;
}

bool matches(const NumberSetting& a, const NumberSetting& b) {
  const bool same = states(a.model, b.model) && states(a.method, b.method) &&
                    states(a.metric, b.metric) && states(a.dataset, b.dataset) &&
                    states(a.context, b.context) && states(a.weight_bits, b.weight_bits) &&
                    states(a.activation_bits, b.activation_bits) && states(a.kv_bits, b.kv_bits);
  return same && (a.weight_bits == 16 || states(a.weight_group, b.weight_group)) &&
         (a.kv_bits == 16 || (states(a.kv_group, b.kv_group) && states(a.kv_mode, b.kv_mode)));
}

}  // namespace

NumberSetting setting_of(const RunSummary& run, const Evaluation& evaluation) {
  NumberSetting setting;
  std::filesystem::path folder(text(run, "model.path", ""));
  if (!folder.has_filename()) folder = folder.parent_path();
  setting.model = canonical_model(folder.filename().string());
  setting.method = text(run, "method.name", "");
  setting.weight_bits = integer_bits(run, "method.weight");
  if (text(run, "method.weight.per_tensor", "false") != "true")
    setting.weight_group = number(run, "method.weight.group_size", -1);
  setting.activation_bits = integer_bits(run, "method.activation");
  add_cache(run, evaluation, setting);
  if (setting.weight_bits == 16 && setting.activation_bits == 16 && setting.kv_bits == 16)
    setting.method = "none";
  setting.metric = evaluation.metric;
  setting.dataset = evaluation.dataset;
  setting.context = whole_text_context(run, evaluation);
  return setting;
}

std::vector<const PublishedNumber*> matching(const std::vector<PublishedNumber>& all,
                                             const NumberSetting& setting) {
  std::vector<const PublishedNumber*> found;
  for (const PublishedNumber& number : all)
    if (matches(number.setting, setting)) found.push_back(&number);
  return found;
}

}  // namespace wkvq
